"""Every code that a refusal carries: its statuses, what it means, and what a client does. The only such table.

The pages at /problems, the codes in the OpenAPI document and the tables of docs/problems.md are made from it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

ADDRESS = "/problems"

DEFECT = "A defect of the client: mend the program."
DEFECT_OR_PROXY = "A defect of the client, or of a proxy between: mend it."
CORRECT = "Correct the ticket; the same key or a new one will do."
LOG_IN = "Log in."
ASK = "Ask the banca."
READ_STATE = "Read it again; decide anew."
NEW_KEY = "To try again after the cause is gone, use a new key."
WAIT = "Wait `Retry-After` seconds, then send the same again with the same key."
NOT_THERE = "Read the list again: it was never there, or is not yours to see."


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """statuses: none of a code that stands in `violations` only. is_recorded: the answer stands for its idempotency key.

    meaning, action: sentences; what stands in backticks is a name. page: of docs/, where there is more.
    """

    code: str
    statuses: tuple[int, ...]
    meaning: str
    action: str = ""
    is_recorded: bool = False
    page: str | None = None

    @property
    def slug(self) -> str:
        return slug_of(self.code)

    @property
    def title(self) -> str:
        return self.code.replace("_", " ").capitalize()


@dataclass(frozen=True, slots=True)
class Section:
    """Codes that belong together. slug: its name in the markers of docs/problems.md."""

    slug: str
    title: str
    kinds: tuple[ProblemKind, ...]


def slug_of(code: str) -> str:
    return code.lower().replace("_", "-")


def type_of(code: str) -> str:
    """The `type` of a problem: the address where the code is explained."""
    return f"{ADDRESS}/{slug_of(code)}"


def plain(text: str) -> str:
    """A meaning or an action without its marks."""
    return text.replace("`", "").replace("**", "")


def kind_of(name: str) -> ProblemKind | None:
    """The kind that an address or a person names: by its slug or its code, in either case."""
    return KINDS.get(name.upper().replace("-", "_"))


def _kind(
    code: str,
    statuses: int | tuple[int, ...],
    meaning: str,
    action: str = "",
    *,
    recorded: bool = False,
    page: str | None = None,
) -> ProblemKind:
    return ProblemKind(code, statuses if isinstance(statuses, tuple) else (statuses,), meaning, action, recorded, page)


SECTIONS: tuple[Section, ...] = (
    Section(
        "form",
        "400: the request's form",
        (
            _kind(
                "VALIDATION_FAILED",
                400,
                "A field is missing, unknown or of the wrong form. `violations` names every such field.",
                "Correct the fields.",
            ),
            _kind("JSON_MALFORMED", 400, "The body is not JSON.", DEFECT),
            _kind("JSON_NOT_AN_OBJECT", 400, "The body is JSON, but not an object.", DEFECT),
            _kind("JSON_DUPLICATE_KEY", 400, "A member of the body is named twice.", DEFECT),
            _kind("JSON_TOO_DEEP", 400, "The body is nested deeper than 16 levels.", DEFECT),
            _kind(
                "JSON_TOO_MANY_PARTS",
                400,
                "The body has more than 10,000 objects and lists (a batch: 80,000), or twice as many members:"
                " more than any request needs.",
                DEFECT,
            ),
            _kind(
                "TEXT_INVALID",
                400,
                "A text has U+0000 or half of a surrogate pair. As a violation: a name, a code, a note or a parameter"
                " has a character that cannot be seen.",
                DEFECT,
            ),
            _kind(
                "IDEMPOTENCY_KEY_REQUIRED", 400, "The header `Idempotency-Key` is missing.", "Make a key per operation."
            ),
            _kind(
                "IDEMPOTENCY_KEY_INVALID",
                400,
                "The `Idempotency-Key` is not 8–100 visible ASCII characters.",
                "Make a key per operation.",
            ),
            _kind(
                "PRECONDITION_INVALID",
                400,
                "`If-Match` is neither `*` nor a list of tags in quotes.",
                "Send the `ETag` as it came.",
                page="conditions.md",
            ),
            _kind("DUPLICATE_HEADER", 400, "A header that may be sent once was sent twice.", DEFECT_OR_PROXY),
            _kind(
                "BANCA_CONTEXT_REQUIRED",
                400,
                "The user may work in several bancas, and the request names none.",
                "Send `X-Active-Banca-Id`.",
            ),
            _kind(
                "VENDEDOR_ID_REQUIRED",
                400,
                "A user who is not a seller sells, and does not say in whose name.",
                "Send `vendedorId`.",
            ),
            _kind(
                "EXPLAIN_CASE_INVALID",
                400,
                "A case to explain is malformed. `detail` says where.",
                "Correct the case.",
                page="explain.md",
            ),
            _kind(
                "EXPLAIN_CASE_TOO_LARGE",
                400,
                "A case to explain has too many rules for its jugadas.",
                "Leave rules out that do not matter to the case.",
                page="explain.md",
            ),
            _kind(
                "TICKET_NUMBER_INVALID",
                400,
                "The check character does not fit, or it is no ticket number at all.",
                "Read the number again.",
            ),
            _kind("REQUEST_MALFORMED", 400, "The request is not well-formed HTTP.", DEFECT_OR_PROXY),
            _kind(
                "BODY_INCOMPLETE",
                400,
                "The connection ended before the body did; nothing was written.",
                "Send the same again with the same key.",
            ),
        ),
    ),
    Section(
        "violations",
        "Violations inside `VALIDATION_FAILED`",
        (
            _kind("FIELD_REQUIRED", (), "The field is missing."),
            _kind("FIELD_UNKNOWN", (), "The operation has no such member or query parameter."),
            _kind("FIELD_LENGTH_INVALID", (), "The text or list is too short or too long."),
            _kind("FIELD_OUT_OF_RANGE", (), "The number is too small or too large."),
            _kind("FIELD_REPEATED", (), "A query parameter is given twice."),
            _kind("FIELD_INVALID", (), "The field has the wrong form in any other way."),
            _kind("ID_INVALID", (), "It is no UUID."),
            _kind(
                "AMOUNT_INVALID",
                (),
                'It is no amount: `NaN`, `"1e3"`, `10abc`, `"1,000"`, a leading zero, a plus sign. An exponent is taken'
                " in a JSON number that is exact to the cent, not in text.",
            ),
            _kind("AMOUNT_TOO_PRECISE", (), "The amount has more than two decimals. It is never rounded."),
            _kind("AMOUNT_NOT_POSITIVE", (), "The amount is 0 or less."),
            _kind("AMOUNT_TOO_LARGE", (), "The amount is more than 1,000,000,000.00."),
            _kind(
                "COMMISSION_RULE_DUPLICATE",
                (),
                "Two rules of a commission policy are for the same case, or share an id.",
            ),
            _kind(
                "TIME_ZONE_UNKNOWN",
                (),
                "The `timeZone` of a lottery's schedule is no name of the tz database, such as `America/New_York`.",
            ),
            _kind("SALE_KEY_IS_OWN_KEY", (), "A cancel by sale key carries the sale's key as its own."),
        ),
    ),
    Section(
        "lottery",
        "400: the rules of the lottery",
        (
            _kind("NUMBER_INVALID", 400, "The number is not made of digits.", CORRECT),
            _kind(
                "NUMBER_WIDTH_INVALID",
                400,
                "The number does not have exactly the draw's digits: `07`, not `7`.",
                CORRECT,
            ),
            _kind("NUMBER_OUT_OF_RANGE", 400, "The lottery does not play the number. See `min` and `max`.", CORRECT),
            _kind(
                "BET_MIN_VIOLATION", 400, "The amount is below the lottery's least bet. See `minBetAmount`.", CORRECT
            ),
            _kind(
                "BET_MAX_VIOLATION", 400, "The amount is above the lottery's highest bet. See `maxBetAmount`.", CORRECT
            ),
            _kind(
                "JUGADA_AMOUNT_EXCEEDED",
                400,
                "The jugada's amount is above what the installation takes. See `maxJugadaAmount`.",
                CORRECT,
                page="settings.md",
            ),
            _kind(
                "TICKET_AMOUNT_EXCEEDED",
                400,
                "The whole ticket's amount is above what the installation takes. See `maxTicketAmount`.",
                CORRECT,
                page="settings.md",
            ),
            _kind(
                "MULTIPLIER_EXCEEDED",
                400,
                "The multiplier is above what the installation takes. See `maxMultiplier`. The same where one is written.",
                "Choose, or write, a lower multiplier.",
                page="settings.md",
            ),
            _kind(
                "MAX_NUMBERS_PER_TICKET",
                400,
                "The ticket has more jugadas than the lottery takes. See `maxNumbersPerTicket`.",
                "Sell two tickets.",
            ),
            _kind("JUGADAS_REQUIRED", 400, "The ticket has no jugadas.", CORRECT),
            _kind("BETTYPE_NOT_ALLOWED", 400, "The lottery does not take this type of bet.", CORRECT),
            _kind("REVENTADO_DISABLED", 400, "The lottery does not take REVENTADO.", CORRECT),
            _kind(
                "REVENTADO_MATCH_REQUIRED",
                400,
                "A REVENTADO has no NUMERO on the same number, or `reventadoNumber` is missing where it is required.",
                CORRECT,
            ),
            _kind(
                "REVENTADO_EXCEEDS_NUMERO",
                400,
                "A number has more REVENTADO than NUMERO. See `numeroAmount`.",
                CORRECT,
            ),
            _kind("INVALID_REVENTADO_LINK", 400, "`reventadoNumber` is not the line's own number.", CORRECT),
            _kind(
                "MISSING_MULTIPLIER_ID",
                400,
                "No multiplier is chosen, and the lottery has no base multiplier.",
                "Choose a multiplier of the lottery.",
            ),
            _kind(
                "INVALID_MULTIPLIER", 400, "This banca has no such multiplier.", "Read the lottery's multipliers again."
            ),
            _kind("INACTIVE_MULTIPLIER", 400, "The multiplier is not active, or only on another day.", CORRECT),
            _kind("INVALID_MULTIPLIER_LOTERIA", 400, "The multiplier belongs to another lottery.", CORRECT),
            _kind("INVALID_MULTIPLIER_KIND", 400, "The multiplier is not for this type of bet.", CORRECT),
            _kind("INVALID_MULTIPLIER_VALUE", 400, "The multiplier's value is not greater than 0.", ASK),
            _kind("SELLER_VENTANA_MISMATCH", 400, "`ventanaId` is not the seller's.", "Log in again, or leave it out."),
            _kind(
                "SORTEO_LOTERIA_MISMATCH",
                400,
                "`loteriaId` is not the draw's.",
                "Read the draw again, or leave it out.",
            ),
            _kind(
                "LOTERIA_INACTIVE",
                (400, 404),
                "The lottery is switched off: it sells nothing (400) and gets no draws (404).",
                "Choose another lottery.",
            ),
            _kind(
                "LOTTERY_MULTIPLIER_RESTRICTED",
                400,
                "A rule takes this multiplier of this lottery off sale. See `ruleId` and the rule's own message.",
                "Choose another multiplier.",
                page="rules.md",
            ),
            _kind(
                "OUT_OF_SALES_HOURS",
                409,
                "It is outside the lottery's hours of this day. See `start` and `end`. Nothing is recorded.",
                "Send it again within the hours.",
            ),
            _kind(
                "EXTRA_MULTIPLIER_REQUIRED",
                400,
                "A result has an extra outcome, but not the multiplier that it pays.",
                "Send `extraMultiplierId`.",
                page="draws.md",
            ),
        ),
    ),
    Section(
        "money",
        "400: prizes, lists and accounts",
        (
            _kind(
                "PAYMENT_EXCEEDS_REMAINING",
                400,
                "The payment is more than what is left of the prize. See `remainingAmount`, and `paidUnderEarlierResult`"
                " where the draw's result was corrected.",
                "Pay what is left, with a new key.",
                recorded=True,
                page="draws.md",
            ),
            _kind(
                "CASH_MEMO_EXCEEDED",
                400,
                "The amount is more than what is open of the memo. See `openAmount`.",
                READ_STATE,
                page="draws.md",
            ),
            _kind(
                "VENDEDOR_NOT_IN_VENTANA",
                400,
                "The list's seller is not of this ventana, and sold nothing there.",
                "Name the seller's own ventana.",
            ),
            _kind(
                "MISSING_DIMENSION",
                400,
                "A movement of money names neither a seller nor a ventana nor a banca.",
                "Say whose it is.",
                page="statements.md",
            ),
            _kind(
                "FUTURE_DATE", 400, "The day is still to come in Costa Rica.", "Send today's day, or an earlier one."
            ),
            _kind(
                "FUTURE_TIME",
                400,
                "The time of today is still to come in Costa Rica.",
                "Send an earlier time, or none.",
            ),
            _kind("DATE_TOO_OLD", 400, "The day is more than a year ago.", "Nothing that old is changed."),
            _kind("INVALID_TIME_FORMAT", 400, "The time is not `HH:MM`.", "Send it as `09:30`."),
            _kind(
                "STATEMENT_TOO_LARGE",
                400,
                "The statement would have more than 25,000 days of sellers, or its file more than 30,000 lines"
                " (PDF: 20,000).",
                "Ask for fewer days, or for one ventana.",
                page="statements.md",
            ),
            _kind(
                "INVALID_DIMENSION",
                400,
                "This scope, or this id, has no statements of that dimension.",
                "Ask for another dimension.",
                page="statements.md",
            ),
        ),
    ),
    Section(
        "identity",
        "401: who are you",
        (
            _kind("AUTHENTICATION_REQUIRED", 401, "There is no `Authorization: Bearer …`.", LOG_IN),
            _kind(
                "TOKEN_EXPIRED",
                401,
                "The access token is older than 15 minutes.",
                "Refresh, sign anew, then send the same again with the same key.",
            ),
            _kind(
                "TOKEN_STALE",
                401,
                "The user's role or place has changed since the token was made.",
                "Refresh, sign anew, then send the same again with the same key.",
            ),
            _kind("TOKEN_INVALID", 401, "It is not a token of this system.", LOG_IN),
            _kind("SESSION_REVOKED", 401, "The session was logged out, revoked, or pushed out by a newer one.", LOG_IN),
            _kind("INVALID_CREDENTIALS", 401, "The user name or the password is wrong.", "Ask the person."),
            _kind("REFRESH_INVALID", 401, "The refresh token is expired or revoked, or is none.", LOG_IN),
            _kind(
                "REFRESH_REUSED",
                401,
                "The refresh token was replaced more than 30 seconds ago, and its session is over. Until then it gets"
                " the newest pair.",
                "Log in; the token may have been copied.",
            ),
            _kind(
                "SIGNATURE_REQUIRED",
                401,
                "`X-Terminal`, `X-Timestamp` or `X-Signature` is missing.",
                "Sign the request.",
                page="signing.md",
            ),
            _kind(
                "SIGNATURE_MALFORMED", 401, "The signature is not `v1=` and 64 lowercase hexadecimal digits.", DEFECT
            ),
            _kind(
                "SIGNATURE_INVALID",
                401,
                "The signature does not fit the request.",
                "Compare with the vector of the page on signing; the terminal's secret may be old.",
                page="signing.md",
            ),
            _kind("TIMESTAMP_INVALID", 401, "`X-Timestamp` is not Unix seconds.", DEFECT),
            _kind(
                "TIMESTAMP_OUT_OF_WINDOW",
                401,
                "The terminal's clock is more than 300 seconds off.",
                "Set the clock (the `Date` header tells ours), sign anew, send the same again with the same key.",
            ),
            _kind("TERMINAL_UNKNOWN", (401, 403), "There is no such terminal (at login: 403).", ASK),
            _kind(
                "TERMINAL_KEY_REVOKED",
                401,
                "The terminal's secret was replaced while the request was on its way. Afterwards it is"
                " `SIGNATURE_INVALID`.",
                "Ask the banca for the new secret.",
            ),
            _kind("USER_INACTIVE", (401, 403), "The user is disabled (at login and in a sale: 403).", ASK),
        ),
    ),
    Section(
        "permission",
        "403: not you, not this, not now",
        (
            _kind("FORBIDDEN", 403, "The user's role may not do this.", "Ask somebody whose role may."),
            _kind(
                "ORIGIN_NOT_ALLOWED",
                403,
                "To a browser's preflight: the setting `CORS_ORIGINS` does not name the page's origin.",
                "Ask the operator of the API.",
                page="deploy.md",
            ),
            _kind("SELLER_NOT_OWN", 403, "`vendedorId` names a seller who is not one's own.", "Name one's own seller."),
            _kind("TERMINAL_DISABLED", 403, "The terminal is disabled.", ASK),
            _kind(
                "TERMINAL_MISMATCH",
                403,
                "The terminal belongs to another seller or ventana, or the token is bound to another terminal.",
                ASK,
            ),
            _kind(
                "RESTRICTION_SCOPE_FORBIDDEN",
                403,
                "A restriction rule is for a seller or a place that is not the author's own, or is a cutoff by a ventana.",
                ASK,
                page="rules.md",
            ),
            _kind(
                "RULE_OF_THE_BANCA",
                403,
                "A ventana changes a rule that the banca set, or what the ventana earns itself.",
                ASK,
                page="rules.md",
            ),
            _kind(
                "VENTANA_BOUND_EXCEEDED",
                403,
                "A VENTANA user writes a higher multiplier or percent than the banca lets its ventanas write. The"
                " violations name the `setting`, what was `asked` and the `bound`.",
                "Stay within it, or ask the banca.",
                page="rules.md",
            ),
            _kind(
                "VENTANA_WRITE_FORBIDDEN",
                403,
                "The banca does not let its ventanas write this `kind` of rule, or movements. See `ventanaWrites`.",
                ASK,
                page="rules.md",
            ),
            _kind("NO_VENTANA", 403, "The user's statements are a ventana's, and the user has none.", ASK),
            _kind("VENTANA_INACTIVE", 403, "The ventana does not sell.", ASK),
            _kind("BANCA_INACTIVE", 403, "The banca does not sell.", ASK),
        ),
    ),
    Section(
        "absence",
        "404: not there, or not yours to see",
        (
            _kind("ROUTE_NOT_FOUND", 404, "There is no such address.", DEFECT),
            _kind("PROBLEM_NOT_FOUND", 404, "No refusal has such a code.", "Look at the list: `/problems`."),
            _kind("BANCA_NOT_FOUND", 404, "There is no such banca, or the user may not work in it.", NOT_THERE),
            _kind("SORTEO_NOT_FOUND", 404, "The banca has no such draw.", NOT_THERE),
            _kind("SELLER_NOT_FOUND", 404, "The banca has no such seller, or no account for it.", NOT_THERE),
            _kind("LOTERIA_NOT_FOUND", 404, "The banca has no such lottery.", NOT_THERE),
            _kind("TICKET_NOT_FOUND", 404, "There is no such ticket; a colleague's counts as none.", NOT_THERE),
            _kind("TERMINAL_NOT_FOUND", 404, "The banca has no such terminal.", NOT_THERE),
            _kind("VENTANA_NOT_FOUND", 404, "The banca has no such ventana.", NOT_THERE),
            _kind("VENDEDOR_NOT_FOUND", 404, "The ventana has no such seller.", NOT_THERE),
            _kind("SESSION_NOT_FOUND", 404, "The user has no such session.", NOT_THERE),
            _kind("DEAD_LETTER_NOT_FOUND", 404, "There is no such dead letter.", NOT_THERE, page="dead-letters.md"),
            _kind("JOB_NOT_FOUND", 404, "There is no such job.", NOT_THERE, page="jobs.md"),
            _kind("ACCOUNT_NOT_FOUND", 404, "The user has no account: only sellers have one.", ASK),
            _kind("USER_NOT_FOUND", 404, "The banca has no such user.", NOT_THERE),
            _kind("MULTIPLIER_NOT_FOUND", 404, "The banca has no such multiplier.", NOT_THERE),
            _kind("RESTRICTION_NOT_FOUND", 404, "The banca has no such restriction.", NOT_THERE),
            _kind("OVERRIDE_NOT_FOUND", 404, "The banca has no such override.", NOT_THERE),
            _kind("EXCLUSION_NOT_FOUND", 404, "The list is not excluded.", NOT_THERE, page="draws.md"),
            _kind("EVALUATION_NOT_FOUND", 404, "The draw was never evaluated.", NOT_THERE, page="draws.md"),
            _kind(
                "ENTITY_NOT_FOUND",
                404,
                "There is no such seller, ventana or banca whose account it would be.",
                NOT_THERE,
                page="statements.md",
            ),
            _kind("STATEMENT_NOT_FOUND", 404, "No row of that day is stored.", NOT_THERE, page="statements.md"),
            _kind("CLOSING_NOT_FOUND", 404, "The month is not closed.", "Ask after the month's end.", page="jobs.md"),
            _kind(
                "CASH_MEMO_NOT_FOUND",
                404,
                "The ticket was paid under no result that was taken back.",
                NOT_THERE,
                page="draws.md",
            ),
        ),
    ),
    Section(
        "sales",
        "409: it was judged, and the answer is no",
        (
            _kind(
                "NUMBER_MAXTOTAL_EXCEEDED",
                409,
                "The number is sold out. `available` says how much is left.",
                "Offer less, with a new key.",
                recorded=True,
                page="rules.md",
            ),
            _kind(
                "SORTEO_MAXTOTAL_EXCEEDED",
                409,
                "The draw as a whole is sold out.",
                "Offer another draw, with a new key.",
                recorded=True,
                page="rules.md",
            ),
            _kind(
                "NUMBER_PAYOUT_EXCEEDED",
                409,
                "The number would cost the draw more than the banca allows. `available` says how much more it may cost.",
                "Offer less, with a new key.",
                recorded=True,
                page="rules.md",
            ),
            _kind(
                "INSUFFICIENT_FUNDS",
                409,
                "The seller's credit does not reach. `available` says how far it does.",
                "Pay in, then use a new key.",
                recorded=True,
            ),
            _kind(
                "SORTEO_CLOSED",
                409,
                "The draw is closed or evaluated: it sells nothing, and its limits and data stand.",
                "Offer another draw, with a new key.",
                recorded=True,
            ),
            _kind(
                "SALES_CUTOFF_REACHED",
                409,
                "It is within the minutes before the draw when nothing is sold or cancelled.",
                "Offer another draw, with a new key.",
                recorded=True,
            ),
            _kind(
                "SORTEO_NOT_OPEN",
                409,
                "The draw is not open yet; nothing is recorded.",
                "Wait, then send the same again with the same key.",
            ),
            _kind(
                "SORTEO_LOCKED", 409, "A cancel comes after the draw was closed.", "The ticket stays.", recorded=True
            ),
            _kind(
                "TICKET_ALREADY_CANCELLED",
                409,
                "The ticket was cancelled before, under another key.",
                "Treat it as cancelled.",
                recorded=True,
            ),
            _kind(
                "SALE_WAS_REFUSED",
                409,
                "A cancel by the key of a sale that was refused.",
                "There is nothing to cancel.",
                recorded=True,
            ),
            _kind(
                "CANCELLED_BEFORE_SALE",
                409,
                "The sale's key was cancelled before the sale arrived.",
                "Nothing was sold; sell with a new key.",
                recorded=True,
            ),
            _kind(
                "LISTA_EXCLUDED",
                409,
                "The seller's list, or the multiplier in it, is excluded from the draw.",
                ASK,
                page="draws.md",
            ),
            _kind(
                "TICKET_EXCLUDED",
                409,
                "A cancel or a payment of a ticket whose list is excluded.",
                ASK,
                recorded=True,
                page="draws.md",
            ),
            _kind(
                "TICKET_NOT_CANCELLED", 409, "A restore of what is not cancelled.", "Read the ticket.", recorded=True
            ),
            _kind("DRAW_PASSED", 409, "A restore after the draw.", "The ticket stays cancelled.", recorded=True),
            _kind(
                "TICKET_RESTORED_TOO_OFTEN", 409, "The ticket came back 100 times.", "Sell a new ticket.", recorded=True
            ),
            _kind(
                "ALREADY_PAID",
                409,
                "The prize is paid, or what was left of it was waived.",
                "Do not pay.",
                recorded=True,
            ),
            _kind(
                "PAID_UNDER_EARLIER_RESULT",
                409,
                "The draw's result was corrected, and what was paid before reaches the new prize. See"
                " `paidUnderEarlierResult` and `totalPayout`. Of a reversal: an administrator ends the memo.",
                "Do not pay.",
                recorded=True,
                page="draws.md",
            ),
            _kind("TICKET_NOT_WINNER", 409, "The ticket did not win.", "Do not pay.", recorded=True),
            _kind("TICKET_CANCELLED", 409, "The ticket was cancelled.", "Do not pay.", recorded=True),
            _kind(
                "TICKET_PAID_TOO_OFTEN",
                409,
                "The prize was paid, and that taken back, 1,000 times in all.",
                ASK,
                recorded=True,
            ),
            _kind(
                "PAYMENT_NOT_FOUND",
                (404, 409),
                "Of a ticket (409): nothing of the prize was paid that could be taken back or closed. Of an account (404):"
                " there is no such movement.",
                "Read it again.",
                recorded=True,
            ),
            _kind(
                "SORTEO_NOT_EVALUATED",
                409,
                "No result of the draw stands, now; nothing is recorded.",
                "Wait, then send the same again with the same key.",
                page="draws.md",
            ),
            _kind(
                "SUM_OUT_OF_RANGE",
                409,
                "A balance, a day's sum or what a number may have to pay would be larger than the books can hold. Nothing"
                " was written, and the same again is refused again.",
                "Check the amounts.",
            ),
        ),
    ),
    Section(
        "accounts",
        "409: money moved by hand",
        (
            _kind(
                "STATEMENT_SETTLED",
                409,
                "The day is closed, as is every day up to `settledThrough`.",
                "Enter it on a day that is open.",
                page="statements.md",
            ),
            _kind(
                "PAYMENT_ALREADY_REVERSED", 409, "The movement was taken back before.", READ_STATE, page="statements.md"
            ),
            _kind(
                "ALREADY_RESET",
                409,
                "The statement was reset at this instant or later.",
                READ_STATE,
                page="statements.md",
            ),
            _kind("NOT_RESET", 409, "There is no reset to take back.", READ_STATE, page="statements.md"),
            _kind(
                "STATEMENT_HAS_TICKETS",
                409,
                "The day has tickets: it is not deleted.",
                READ_STATE,
                page="statements.md",
            ),
            _kind(
                "STATEMENT_HAS_PAYMENTS",
                409,
                "The day has movements: it is not deleted.",
                READ_STATE,
                page="statements.md",
            ),
            _kind(
                "STATEMENT_HAS_WRITE_OFFS",
                409,
                "Cash was written off on the day: it is not deleted.",
                READ_STATE,
                page="statements.md",
            ),
            _kind(
                "STATEMENT_HAS_CORRECTIONS",
                409,
                "The day has corrections: it is not deleted.",
                READ_STATE,
                page="statements.md",
            ),
            _kind(
                "STATEMENT_IS_RESET",
                409,
                "The day carries a reset: it is not deleted.",
                READ_STATE,
                page="statements.md",
            ),
            _kind("CASH_MEMO_CLOSED", 409, "Nothing of the memo is open.", READ_STATE, page="draws.md"),
        ),
    ),
    Section(
        "draws",
        "409: draws and their results",
        (
            _kind("SORTEO_EXISTS", 409, "The lottery has a draw at this instant.", READ_STATE, page="draws.md"),
            _kind(
                "SORTEO_STATE_INVALID",
                409,
                "The action does not lead anywhere from the draw's state.",
                READ_STATE,
                page="draws.md",
            ),
            _kind(
                "SORTEO_HAS_SALES",
                409,
                "The draw's first sale fixed its time, lottery and digits.",
                "Make another draw.",
                page="draws.md",
            ),
            _kind(
                "SORTEO_NOT_SCHEDULED",
                409,
                "Only before it opens a draw gets another lottery or opening instant.",
                READ_STATE,
                page="draws.md",
            ),
            _kind(
                "SORTEO_EVALUATED",
                409,
                "The draw is evaluated: its lists stay as they are.",
                "Take its result back first.",
                page="draws.md",
            ),
            _kind("SORTEO_NOT_CLOSED", 409, "Only a closed draw is evaluated.", "Close the draw.", page="draws.md"),
            _kind(
                "SORTEO_NOT_DRAWN",
                409,
                "It is before the draw's `scheduledAt`: there is no result yet.",
                "Send the result after the draw.",
                page="draws.md",
            ),
            _kind(
                "SORTEO_ALREADY_EVALUATED",
                409,
                "A result of the draw stands.",
                "Take the wrong result back first.",
                page="draws.md",
            ),
            _kind(
                "EVALUATION_RUNNING",
                409,
                "Prizes are being paid.",
                "Wait until the evaluation is done.",
                page="draws.md",
            ),
            _kind(
                "EVALUATION_REVERTING",
                409,
                "Prizes are being taken back.",
                "Wait until the evaluation is reverted.",
                page="draws.md",
            ),
            _kind(
                "EVALUATION_FAILED",
                409,
                "The evaluation, or its revert, has stopped.",
                "Have it tried again, or take it back.",
                page="draws.md",
            ),
            _kind("EVALUATION_NOT_FAILED", 409, "There is nothing to try again.", READ_STATE, page="draws.md"),
            _kind(
                "PAYMENTS_STAND",
                409,
                "Prizes of the result were handed out in cash.",
                "Reverse them, or send `force`; the cash then stays on the tickets.",
                page="draws.md",
            ),
        ),
    ),
    Section(
        "rules",
        "409: rules, jobs and dead letters",
        (
            _kind("RESTRICTION_EXISTS", 409, "There is an active rule like this one.", READ_STATE, page="rules.md"),
            _kind("OVERRIDE_EXISTS", 409, "There is an active override for this lottery.", READ_STATE, page="rules.md"),
            _kind(
                "LOTERIA_EXISTS", 409, "The banca has a lottery of this name.", "Choose another name.", page="rules.md"
            ),
            _kind(
                "MULTIPLIER_EXISTS",
                409,
                "The lottery has an active multiplier of this name.",
                "Choose another name.",
                page="rules.md",
            ),
            _kind(
                "RULES_MAX_REACHED",
                409,
                "The banca has as many rules of this kind in force as it may have, or a ventana wrote as many of them as"
                " it may.",
                "Switch off what is not needed, or raise the setting that the detail names.",
                page="settings.md",
            ),
            _kind(
                "DEAD_LETTER_NOT_PARKED",
                409,
                "The dead letter was replayed or dropped already.",
                "Look at its `state`.",
                page="dead-letters.md",
            ),
        ),
    ),
    Section(
        "conditions",
        "412, 428: read it again",
        (
            _kind(
                "PRECONDITION_FAILED",
                412,
                "The thing is not as `If-Match` says: it was changed meanwhile; or it has no tag.",
                READ_STATE,
                page="conditions.md",
            ),
            _kind(
                "PRECONDITION_REQUIRED",
                428,
                "A whole is replaced without `If-Match`.",
                "Read it, send its `ETag`; `*` for whatever it is now.",
                page="conditions.md",
            ),
        ),
    ),
    Section(
        "content",
        "422: well-formed, and still not",
        (
            _kind(
                "IDEMPOTENCY_PAYLOAD_MISMATCH",
                422,
                "The key was used for other content, by this user or on this terminal; or by this user for one ticket and"
                " on this terminal for another.",
                "A defect of the client: a key belongs to one request.",
                page="signing.md",
            ),
            _kind(
                "JOB_MONTH_NOT_OVER",
                422,
                "A month would be closed before it is over. As a violation of `cronSchedule`: every month would be.",
                "Close it after its end.",
                page="jobs.md",
            ),
            _kind("TICKET_REJECTED", 422, "The database refuses the ticket's data; nothing was written.", "Report it."),
        ),
    ),
    Section(
        "trouble",
        "429, 500, 503: not your fault, or too much of it",
        (
            _kind(
                "RATE_LIMITED",
                429,
                "More than 50 ticket requests a second after a burst of 200, 30 logins of a name or 10 exports a minute;"
                " or so many logins of the address failed that it has to wait.",
                WAIT,
                page="limits.md",
            ),
            _kind(
                "INTERNAL_ERROR",
                500,
                "A defect of ours; it is in the log under the request's id.",
                "Report `instance`; send the same again later with the same key.",
            ),
            _kind("TILL_FULL", 503, "More tickets wait than the till takes; nothing was written.", WAIT),
            _kind(
                "SHUTTING_DOWN",
                503,
                "This process is stopping; nothing was written.",
                "Send the same again with the same key: another process answers.",
            ),
            _kind(
                "RULES_CHANGING",
                503,
                "The rules changed three times while the ticket was priced; nothing was written.",
                "Send the same again with the same key.",
            ),
            _kind(
                "DATABASE_UNAVAILABLE",
                503,
                "PostgreSQL does not take the work: it is away, read-only, full, busy or of another release; nothing was"
                " written. `Retry-After` is 1 second, or 5 where an operator must mend it.",
                WAIT,
            ),
            _kind(
                "API_UNAVAILABLE",
                503,
                "The proxy in front of the API answers by itself: no process of the API does; nothing was sent to it.",
                WAIT,
                page="deploy.md",
            ),
            _kind(
                "OUTCOME_UNKNOWN",
                503,
                "The answer of PostgreSQL was lost: it may be done.",
                "**Send the same again with the same key**: the key knows. Or cancel by the sale's key.",
            ),
            _kind(
                "EXPOSURE_BUSY",
                503,
                "Other requests are summing up draws: exposure, lists, results. `payouts=false` needs no sum.",
                "Wait `Retry-After` seconds, then ask again.",
            ),
            _kind(
                "EXPORT_BUSY",
                503,
                "Other files of statements are being made, one at a time.",
                "Wait `Retry-After` seconds, then ask again.",
            ),
            _kind(
                "LOGIN_BUSY",
                503,
                "Too many logins at once: this one waited for its turn for 15 seconds, or too many wait.",
                "Wait `Retry-After` seconds, then log in again; it costs nothing of what a name or an address may try.",
            ),
        ),
    ),
    Section(
        "transport",
        "405, 408, 413, 415, 417: how it was sent",
        (
            _kind(
                "METHOD_NOT_ALLOWED", 405, "The address does not take this method. `Allow` says which it takes.", DEFECT
            ),
            _kind(
                "BODY_TIMEOUT",
                408,
                "Nothing of the body came for 30 seconds, or it came more slowly than 4 kB a second.",
                "Send the same again with the same key.",
            ),
            _kind(
                "BODY_TOO_LARGE", 413, "The body has more than 200 kB, in a batch more than 2 MB.", "Send less at once."
            ),
            _kind("UNSUPPORTED_MEDIA_TYPE", 415, "The body is not `application/json` in UTF-8.", DEFECT),
            _kind("CONTENT_ENCODING_UNSUPPORTED", 415, "The body is compressed.", "Send it as it is."),
            _kind("EXPECTATION_FAILED", 417, "An `Expect` other than `100-continue`.", DEFECT),
        ),
    ),
)

KINDS: Mapping[str, ProblemKind] = MappingProxyType({kind.code: kind for section in SECTIONS for kind in section.kinds})


def markdown_table(section: Section) -> str:
    """The section's table in docs/problems.md."""
    has_actions = any(kind.action for kind in section.kinds)
    lines = ["| Code | Meaning | What the client does |" if has_actions else "| Code | Meaning |"]
    lines.append("|---|---|---|" if has_actions else "|---|---|")
    for kind in section.kinds:
        mark = " ●" if kind.is_recorded else ""
        statuses = f" {'/'.join(map(str, kind.statuses))}" if kind.statuses else ""
        more = f" ([{kind.page.removesuffix('.md')}]({kind.page}))" if kind.page else ""
        cells = [f"`{kind.code}`{statuses}{mark}", f"{kind.meaning}{more}", *([kind.action] if has_actions else [])]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


_MARKED = re.compile(r"(?P<begin><!-- codes: (?P<slug>[a-z]+) -->\n).*?(?P<end>\n<!-- end -->)", re.DOTALL)


def with_tables(page: str) -> str:
    """docs/problems.md with its tables as the catalogue has them. Raises KeyError for a section that there is not."""
    sections = {section.slug: section for section in SECTIONS}
    return _MARKED.sub(lambda found: found["begin"] + markdown_table(sections[found["slug"]]) + found["end"], page)
