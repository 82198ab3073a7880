"""Which codes each operation may be refused with: those that follow from what it is, and those of its own.

A test holds this to every refusal that the other tests provoke.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from api.conditional import IfMatch
from api.operations import PATH_PARAMETER, PUBLIC, Key, Operation
from api.problem_catalogue import KINDS

# A code; or a status and a code, where the code has several statuses.
Refusal = str | tuple[int, str]

# Every address may answer with these: they are described once, as each operation's default answer.
ANYWHERE: tuple[Refusal, ...] = (
    "REQUEST_MALFORMED",
    "DUPLICATE_HEADER",
    "JSON_MALFORMED",
    "JSON_NOT_AN_OBJECT",
    "JSON_DUPLICATE_KEY",
    "JSON_TOO_DEEP",
    "JSON_TOO_MANY_PARTS",
    "TEXT_INVALID",
    "VALIDATION_FAILED",
    "PRECONDITION_INVALID",
    "PRECONDITION_FAILED",
    "BODY_INCOMPLETE",
    "BODY_TIMEOUT",
    "BODY_TOO_LARGE",
    "UNSUPPORTED_MEDIA_TYPE",
    "CONTENT_ENCODING_UNSUPPORTED",
    "EXPECTATION_FAILED",
    "INTERNAL_ERROR",
)
BODY: tuple[Refusal, ...] = (
    "VALIDATION_FAILED",
    "JSON_MALFORMED",
    "JSON_NOT_AN_OBJECT",
    "JSON_DUPLICATE_KEY",
    "JSON_TOO_DEEP",
    "JSON_TOO_MANY_PARTS",
    "TEXT_INVALID",
    "BODY_TOO_LARGE",
    "UNSUPPORTED_MEDIA_TYPE",
    "CONTENT_ENCODING_UNSUPPORTED",
)
USER: tuple[Refusal, ...] = (
    "AUTHENTICATION_REQUIRED",
    "TOKEN_EXPIRED",
    "TOKEN_STALE",
    "TOKEN_INVALID",
    "SESSION_REVOKED",
    (401, "USER_INACTIVE"),
    "FORBIDDEN",
    "VENTANA_INACTIVE",
    "BANCA_INACTIVE",
    "BANCA_NOT_FOUND",
)
SIGNED: tuple[Refusal, ...] = (
    "SIGNATURE_REQUIRED",
    "SIGNATURE_MALFORMED",
    "SIGNATURE_INVALID",
    "TIMESTAMP_INVALID",
    "TIMESTAMP_OUT_OF_WINDOW",
    (401, "TERMINAL_UNKNOWN"),
    "TERMINAL_KEY_REVOKED",
    "TERMINAL_DISABLED",
    "TERMINAL_MISMATCH",
)
# Of what goes through the till.
TILL: tuple[Refusal, ...] = (
    (403, "USER_INACTIVE"),
    "SELLER_NOT_OWN",
    "TILL_FULL",
    "SHUTTING_DOWN",
    "RULES_CHANGING",
    "OUTCOME_UNKNOWN",
    "SUM_OUT_OF_RANGE",
)
MONEY: tuple[Refusal, ...] = ("OUTCOME_UNKNOWN", "SUM_OUT_OF_RANGE", "IDEMPOTENCY_PAYLOAD_MISMATCH")
TICKET: tuple[Refusal, ...] = ("TICKET_NOT_FOUND", "IDEMPOTENCY_PAYLOAD_MISMATCH", "TICKET_REJECTED")
SALE: tuple[Refusal, ...] = (
    "VENDEDOR_ID_REQUIRED",
    "NUMBER_INVALID",
    "NUMBER_WIDTH_INVALID",
    "NUMBER_OUT_OF_RANGE",
    "BET_MIN_VIOLATION",
    "BET_MAX_VIOLATION",
    "JUGADA_AMOUNT_EXCEEDED",
    "TICKET_AMOUNT_EXCEEDED",
    "MULTIPLIER_EXCEEDED",
    "MAX_NUMBERS_PER_TICKET",
    "JUGADAS_REQUIRED",
    "BETTYPE_NOT_ALLOWED",
    "REVENTADO_DISABLED",
    "REVENTADO_MATCH_REQUIRED",
    "REVENTADO_EXCEEDS_NUMERO",
    "INVALID_REVENTADO_LINK",
    "MISSING_MULTIPLIER_ID",
    "INVALID_MULTIPLIER",
    "INACTIVE_MULTIPLIER",
    "INVALID_MULTIPLIER_LOTERIA",
    "INVALID_MULTIPLIER_KIND",
    "INVALID_MULTIPLIER_VALUE",
    "SELLER_VENTANA_MISMATCH",
    "SORTEO_LOTERIA_MISMATCH",
    (400, "LOTERIA_INACTIVE"),
    "LOTTERY_MULTIPLIER_RESTRICTED",
    "OUT_OF_SALES_HOURS",
    "SELLER_NOT_FOUND",
    "SORTEO_NOT_FOUND",
    "LOTERIA_NOT_FOUND",
    "SORTEO_CLOSED",
    "SORTEO_NOT_OPEN",
    "SALES_CUTOFF_REACHED",
    "NUMBER_MAXTOTAL_EXCEEDED",
    "SORTEO_MAXTOTAL_EXCEEDED",
    "NUMBER_PAYOUT_EXCEEDED",
    "INSUFFICIENT_FUNDS",
    "LISTA_EXCLUDED",
    "CANCELLED_BEFORE_SALE",
    "IDEMPOTENCY_PAYLOAD_MISMATCH",
    "TICKET_REJECTED",
)
CANCEL: tuple[Refusal, ...] = (
    *TICKET,
    "SORTEO_LOCKED",
    "SALES_CUTOFF_REACHED",
    "TICKET_ALREADY_CANCELLED",
    "TICKET_EXCLUDED",
    "SORTEO_NOT_FOUND",
)
PAYMENT: tuple[Refusal, ...] = (
    *TICKET,
    "TICKET_CANCELLED",
    "TICKET_EXCLUDED",
    "TICKET_NOT_WINNER",
    "SORTEO_NOT_EVALUATED",
    "PAID_UNDER_EARLIER_RESULT",
    (409, "PAYMENT_NOT_FOUND"),
)
SELLER_OF_DRAW: tuple[Refusal, ...] = (
    "SORTEO_NOT_FOUND",
    "LOTERIA_NOT_FOUND",
    "RULES_CHANGING",
    "VENDEDOR_ID_REQUIRED",
    "SELLER_NOT_OWN",
    "SELLER_NOT_FOUND",
)
STATEMENT: tuple[Refusal, ...] = (
    "NO_VENTANA",
    "INVALID_DIMENSION",
    "ENTITY_NOT_FOUND",
    "STATEMENT_TOO_LARGE",
)
MOVEMENT: tuple[Refusal, ...] = (*MONEY, "VENTANA_WRITE_FORBIDDEN", "STATEMENT_SETTLED")
MEMO: tuple[Refusal, ...] = (
    *MONEY,
    "CASH_MEMO_NOT_FOUND",
    "CASH_MEMO_CLOSED",
    "CASH_MEMO_EXCEEDED",
    "SORTEO_NOT_EVALUATED",
    "EVALUATION_RUNNING",
    "EVALUATION_REVERTING",
)
RESTRICTION: tuple[Refusal, ...] = (
    "RESTRICTION_EXISTS",
    "RULES_MAX_REACHED",
    "RESTRICTION_SCOPE_FORBIDDEN",
    "VENTANA_WRITE_FORBIDDEN",
    "MULTIPLIER_NOT_FOUND",
    "SELLER_NOT_FOUND",
    "VENTANA_NOT_FOUND",
)
OVERRIDE: tuple[Refusal, ...] = (
    "RULES_MAX_REACHED",
    "MULTIPLIER_EXCEEDED",
    "VENTANA_WRITE_FORBIDDEN",
    "VENTANA_BOUND_EXCEEDED",
)
POLICY: tuple[Refusal, ...] = ("RULES_MAX_REACHED", "MULTIPLIER_NOT_FOUND")
DRAW_STATE: tuple[Refusal, ...] = (
    "SORTEO_NOT_FOUND",
    "SORTEO_STATE_INVALID",
    "EVALUATION_RUNNING",
    "EVALUATION_FAILED",
)
RESULT: tuple[Refusal, ...] = (
    "SORTEO_NOT_FOUND",
    "EVALUATION_RUNNING",
    "EVALUATION_REVERTING",
    "EVALUATION_FAILED",
)
LISTA: tuple[Refusal, ...] = (
    "SORTEO_NOT_FOUND",
    "VENTANA_NOT_FOUND",
    "VENDEDOR_NOT_FOUND",
    "MULTIPLIER_NOT_FOUND",
    "VENDEDOR_NOT_IN_VENTANA",
    "SORTEO_NOT_OPEN",
    "SORTEO_EVALUATED",
    *MONEY,
)
LETTER: tuple[Refusal, ...] = ("DEAD_LETTER_NOT_FOUND", "DEAD_LETTER_NOT_PARKED")
JOB: tuple[Refusal, ...] = ("JOB_NOT_FOUND",)

# By the name of the operation's handler, its operationId.
OWN: Mapping[str, tuple[Refusal, ...]] = MappingProxyType(
    {
        "login": (
            "INVALID_CREDENTIALS",
            (403, "USER_INACTIVE"),
            (403, "TERMINAL_UNKNOWN"),
            "TERMINAL_DISABLED",
            "TERMINAL_MISMATCH",
            "RATE_LIMITED",
            "LOGIN_BUSY",
        ),
        "refresh": ("REFRESH_INVALID", "REFRESH_REUSED", (403, "USER_INACTIVE")),
        "revoke_session": ("SESSION_NOT_FOUND",),
        "get_terminal": ("TERMINAL_NOT_FOUND",),
        "create_terminal": ("VENTANA_NOT_FOUND", "VENDEDOR_NOT_FOUND"),
        "rotate_terminal": ("TERMINAL_NOT_FOUND",),
        "disable_terminal": ("TERMINAL_NOT_FOUND",),
        "enable_terminal": ("TERMINAL_NOT_FOUND",),
        "get_loteria": ("LOTERIA_NOT_FOUND",),
        "evaluated_summary": ("EXPOSURE_BUSY",),
        "get_sorteo": ("SORTEO_NOT_FOUND",),
        "sell_ticket": SALE,
        # Each ticket's own refusals stand in its result.
        "sell_batch": (),
        "cancel_ticket": CANCEL,
        "cancel_by_sale_key": (*CANCEL, "SALE_WAS_REFUSED"),
        "restore_ticket": (
            *TICKET,
            *SALE,
            "SORTEO_LOCKED",
            "DRAW_PASSED",
            "TICKET_NOT_CANCELLED",
            "TICKET_RESTORED_TOO_OFTEN",
        ),
        "pay_ticket": (*PAYMENT, "ALREADY_PAID", "PAYMENT_EXCEEDS_REMAINING", "TICKET_PAID_TOO_OFTEN"),
        "reverse_payment": (*PAYMENT, "EVALUATION_RUNNING", "EVALUATION_REVERTING"),
        "finalize_payment": (*PAYMENT, "ALREADY_PAID"),
        "read_listas": ("SORTEO_NOT_FOUND", "EXPOSURE_BUSY"),
        "exclude_lista": LISTA,
        "include_lista": (*LISTA, "EXCLUSION_NOT_FOUND"),
        "read_ticket_by_number": ("TICKET_NOT_FOUND", "TICKET_NUMBER_INVALID"),
        "read_ticket": ("TICKET_NOT_FOUND",),
        "read_balances": SELLER_OF_DRAW,
        "read_exposure": ("SORTEO_NOT_FOUND", "LOTERIA_NOT_FOUND", "RULES_CHANGING", "EXPOSURE_BUSY"),
        "get_own_balance": ("ACCOUNT_NOT_FOUND",),
        "register_movement": (
            *MOVEMENT,
            "ENTITY_NOT_FOUND",
            "MISSING_DIMENSION",
            "INVALID_TIME_FORMAT",
            "FUTURE_DATE",
            "FUTURE_TIME",
            "DATE_TOO_OLD",
        ),
        "reverse_movement": (*MOVEMENT, (404, "PAYMENT_NOT_FOUND"), "PAYMENT_ALREADY_REVERSED"),
        "settle_cash_memo": MEMO,
        "write_off_cash_memo": MEMO,
        "read_statement": STATEMENT,
        "read_statement_by_sorteo": (*STATEMENT, "FUTURE_DATE"),
        "read_current_balance": STATEMENT,
        "reset_balance": (
            *MONEY,
            "ENTITY_NOT_FOUND",
            "NOT_RESET",
            "ALREADY_RESET",
            "STATEMENT_SETTLED",
            "FUTURE_DATE",
            "DATE_TOO_OLD",
        ),
        "delete_statement": (
            "STATEMENT_NOT_FOUND",
            "STATEMENT_SETTLED",
            "STATEMENT_HAS_TICKETS",
            "STATEMENT_HAS_PAYMENTS",
            "STATEMENT_HAS_WRITE_OFFS",
            "STATEMENT_HAS_CORRECTIONS",
            "STATEMENT_IS_RESET",
        ),
        "list_monthly_closings": (*STATEMENT, "CLOSING_NOT_FOUND"),
        "export_statement": (*STATEMENT, "EXPORT_BUSY", "RATE_LIMITED"),
        "get_restriction": ("RESTRICTION_NOT_FOUND",),
        "create_restrictions": RESTRICTION,
        "change_restriction": (*RESTRICTION, "RESTRICTION_NOT_FOUND", "RULE_OF_THE_BANCA"),
        "deactivate_restriction": ("RESTRICTION_NOT_FOUND", "RESTRICTION_SCOPE_FORBIDDEN", "RULE_OF_THE_BANCA"),
        "restore_restriction": (*RESTRICTION, "RESTRICTION_NOT_FOUND", "RULE_OF_THE_BANCA"),
        "get_override": ("OVERRIDE_NOT_FOUND",),
        "create_override": (*OVERRIDE, "OVERRIDE_EXISTS", "SELLER_NOT_FOUND", "VENTANA_NOT_FOUND", "LOTERIA_NOT_FOUND"),
        "change_override": (*OVERRIDE, "OVERRIDE_NOT_FOUND", "RULE_OF_THE_BANCA"),
        "deactivate_override": ("OVERRIDE_NOT_FOUND", "RULE_OF_THE_BANCA"),
        "restore_override": (*OVERRIDE, "OVERRIDE_NOT_FOUND", "OVERRIDE_EXISTS", "RULE_OF_THE_BANCA"),
        "set_banca_policy": POLICY,
        "get_ventana_policy": ("VENTANA_NOT_FOUND",),
        "set_ventana_policy": (*POLICY, "VENTANA_NOT_FOUND"),
        "get_user_policy": ("USER_NOT_FOUND",),
        "set_user_policy": (
            *POLICY,
            "USER_NOT_FOUND",
            "RULE_OF_THE_BANCA",
            "VENTANA_WRITE_FORBIDDEN",
            "VENTANA_BOUND_EXCEEDED",
        ),
        "change_banca_settings": ("MULTIPLIER_EXCEEDED",),
        "get_loteria_setting": ("LOTERIA_NOT_FOUND",),
        "set_loteria_setting": ("LOTERIA_NOT_FOUND", "MULTIPLIER_EXCEEDED"),
        "change_loteria": ("LOTERIA_NOT_FOUND", "LOTERIA_EXISTS", "MULTIPLIER_EXCEEDED"),
        "create_multiplier": ("LOTERIA_NOT_FOUND", "MULTIPLIER_EXISTS", "MULTIPLIER_EXCEEDED", "RULES_MAX_REACHED"),
        "get_multiplier": ("MULTIPLIER_NOT_FOUND",),
        "change_multiplier": ("MULTIPLIER_NOT_FOUND", "MULTIPLIER_EXISTS", "MULTIPLIER_EXCEEDED", "RULES_MAX_REACHED"),
        "get_sorteo_limits": ("SORTEO_NOT_FOUND",),
        "set_sorteo_limits": ("SORTEO_NOT_FOUND", "SORTEO_CLOSED", "RULES_MAX_REACHED"),
        "create_sorteo": ("LOTERIA_NOT_FOUND", (404, "LOTERIA_INACTIVE"), "SORTEO_EXISTS"),
        "change_sorteo": (
            "SORTEO_NOT_FOUND",
            "LOTERIA_NOT_FOUND",
            (404, "LOTERIA_INACTIVE"),
            "SORTEO_EXISTS",
            "SORTEO_HAS_SALES",
            "SORTEO_NOT_SCHEDULED",
            "SORTEO_CLOSED",
        ),
        "list_states": ("SORTEO_NOT_FOUND",),
        "open_sorteo": DRAW_STATE,
        "close_sorteo": DRAW_STATE,
        "force_open_sorteo": DRAW_STATE,
        "deactivate_sorteo": DRAW_STATE,
        "restore_sorteo": DRAW_STATE,
        "preview_schedule": ("LOTERIA_NOT_FOUND", (404, "LOTERIA_INACTIVE")),
        "seed_sorteos": ("LOTERIA_NOT_FOUND", (404, "LOTERIA_INACTIVE")),
        "evaluate_sorteo": (
            *RESULT,
            "NUMBER_INVALID",
            "NUMBER_WIDTH_INVALID",
            "EXTRA_MULTIPLIER_REQUIRED",
            "INVALID_MULTIPLIER",
            "INVALID_MULTIPLIER_LOTERIA",
            "INVALID_MULTIPLIER_KIND",
            "INACTIVE_MULTIPLIER",
            "SORTEO_NOT_CLOSED",
            "SORTEO_NOT_DRAWN",
            "SORTEO_ALREADY_EVALUATED",
        ),
        "revert_evaluation": (*RESULT, "SORTEO_NOT_EVALUATED", "PAYMENTS_STAND"),
        "retry_evaluation": (*RESULT, "EVALUATION_NOT_FOUND", "EVALUATION_NOT_FAILED"),
        "read_evaluation": ("SORTEO_NOT_FOUND", "EVALUATION_NOT_FOUND"),
        "winners_list": ("SORTEO_NOT_FOUND", "SORTEO_NOT_EVALUATED"),
        "read_cutoff": SELLER_OF_DRAW,
        "explain_case": ("EXPLAIN_CASE_INVALID", "EXPLAIN_CASE_TOO_LARGE"),
        "get_job": JOB,
        "list_job_runs": JOB,
        "change_job": JOB,
        "run_job": (*JOB, "JOB_MONTH_NOT_OVER"),
        "trigger_job": (*JOB, "JOB_MONTH_NOT_OVER"),
        "replay_dead_letter": LETTER,
        "drop_dead_letter": LETTER,
        "explain_problem": ("PROBLEM_NOT_FOUND",),
    }
)
# They answer from what the process holds.
WITHOUT_DATABASE = frozenset(
    ("is_live", "is_ready", "get_health", "get_metrics", "show_front_page", "list_problems", "explain_problem")
)


def problems_of(operation: Operation) -> dict[int, list[str]]:
    """The codes by status, each once; the statuses in order."""
    found: dict[int, list[str]] = {}
    for refusal in (*_usual(operation), *OWN.get(operation.id, ())):
        status, code = placed(refusal)
        if code not in found.setdefault(status, []):
            found[status].append(code)
    return dict(sorted(found.items()))


def placed(refusal: Refusal) -> tuple[int, str]:
    """The status and the code. Raises ValueError for a code that has several statuses, and KeyError for none."""
    if isinstance(refusal, tuple):
        return refusal
    [status] = KINDS[refusal].statuses
    return status, refusal


def _usual(operation: Operation) -> list[Refusal]:
    has_body = operation.body is not None
    has_parameters = operation.query is not None or PATH_PARAMETER.search(operation.path) is not None
    is_known = operation.permission is not PUBLIC
    has_key = operation.key is not Key.NONE
    is_conditional = operation.if_match is not IfMatch.NONE or operation.tagged
    must_match = operation.if_match is IfMatch.REQUIRED or bool(operation.whole_fields)
    usual: tuple[tuple[bool, tuple[Refusal, ...]], ...] = (
        (has_body, BODY),
        (has_parameters, ("VALIDATION_FAILED",)),
        (is_known, USER),
        (is_known and operation.tenant, ("BANCA_CONTEXT_REQUIRED",)),
        (operation.signed, SIGNED),
        (operation.sells, TILL),
        (has_key, ("IDEMPOTENCY_KEY_INVALID",)),
        (operation.key is Key.REQUIRED, ("IDEMPOTENCY_KEY_REQUIRED",)),
        (operation.ticket_rate, ("RATE_LIMITED",)),
        (is_conditional, ("PRECONDITION_INVALID", "PRECONDITION_FAILED")),
        (must_match, ("PRECONDITION_REQUIRED",)),
        (operation.id not in WITHOUT_DATABASE, ("DATABASE_UNAVAILABLE",)),
    )
    return [refusal for holds, refusals in usual if holds for refusal in refusals]
