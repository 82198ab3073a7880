"""The commission policy document of a seller, a ventana or a banca (§2.13): read and validated by the same rules."""

from __future__ import annotations

from uuid import UUID

from core.domain.document import Document
from core.domain.rulebook import CommissionPolicy, CommissionRule, JugadaType
from core.domain.violations import Violation

VERSION = 1
RULES_MAX = 1_000
BASIS_POINTS_MAX = 10_000
# The largest multiplier is 9999.00.
MULTIPLIER_X_MAX = 999_900
COMMISSION_RULE_DUPLICATE = "COMMISSION_RULE_DUPLICATE"

_POLICY_KEYS = frozenset({"version", "effectiveFrom", "effectiveTo", "defaultPercent", "rules"})
_RULE_KEYS = frozenset({"id", "loteriaId", "betType", "multiplierRange", "multiplierId", "percent"})


def validate_commission_policy(document: object) -> list[Violation]:
    """Everything that is wrong with a policy that somebody wants to write; empty when nothing is."""
    return read_commission_policy(document, x_of_multiplier={})[1]


def read_commission_policy(
    document: object, *, x_of_multiplier: dict[UUID, int]
) -> tuple[CommissionPolicy, list[Violation]]:
    """The policy, and everything that is wrong with it; with violations, the policy is what could be read.

    x_of_multiplier: hundredths; gives the range of a rule that names a multiplier only. A multiplier that is not
    in it leaves such a rule without any match.
    """
    policy = Document(document)
    policy.allow_only(_POLICY_KEYS)
    policy.integer("version", minimum=VERSION, maximum=VERSION)
    policy.require("defaultPercent")
    effective_from, effective_to = policy.instant("effectiveFrom"), policy.instant("effectiveTo")
    if effective_from and effective_to and effective_from >= effective_to:
        policy.refuse("effectiveTo", "must be later than effectiveFrom")
    documents = [
        Document(rule, path=f"rules[{index}]", violations=policy.violations)
        for index, rule in enumerate(policy.list("rules", length_max=RULES_MAX))
    ]
    rules = tuple(_rule(document, index, x_of_multiplier) for index, document in enumerate(documents))
    _refuse_duplicates(documents, rules)
    default = policy.hundredths("defaultPercent", maximum=BASIS_POINTS_MAX) or 0
    return CommissionPolicy(default, rules, effective_from, effective_to), policy.violations


def _rule(rule: Document, index: int, x_of_multiplier: dict[UUID, int]) -> CommissionRule:
    """A key that is missing means the same as null: any lottery, any type (COM-9)."""
    rule.allow_only(_RULE_KEYS)
    rule.require("percent")
    low, high = _range(rule, x_of_multiplier)
    return CommissionRule(
        id=rule.text("id", length_max=64) or f"rules[{index}]",
        loteria_id=rule.uuid("loteriaId"),
        bet_type=_bet_type(rule),
        multiplier_min=low,
        multiplier_max=high,
        basis_points=rule.hundredths("percent", maximum=BASIS_POINTS_MAX) or 0,
    )


def _range(rule: Document, x_of_multiplier: dict[UUID, int]) -> tuple[int | None, int | None]:
    bounds, multiplier_id = rule.object("multiplierRange"), rule.uuid("multiplierId")
    if bounds is not None:
        bounds.allow_only({"min", "max"})
        bounds.require("min")
        bounds.require("max")
        low, high = (bounds.hundredths(end, maximum=MULTIPLIER_X_MAX) for end in ("min", "max"))
        if low is not None and high is not None and low > high:
            bounds.refuse("max", "must not be less than min")
        return low, high
    if multiplier_id is not None:
        # −1 is no multiplier's value.
        x = x_of_multiplier.get(multiplier_id, -1)
        return x, x
    return None, None


def _refuse_duplicates(documents: list[Document], rules: tuple[CommissionRule, ...]) -> None:
    """Of two rules for the same case, or with one id, the second is refused: it could never match, or be told apart."""
    cases: set[object] = set()
    ids: set[str] = set()
    for document, rule in zip(documents, rules, strict=True):
        multiplier = (rule.multiplier_min, rule.multiplier_max)
        named = None if document.member("multiplierRange") else str(document.member("multiplierId")).lower()
        case = (rule.loteria_id, rule.bet_type, multiplier, named)
        if case in cases:
            document.refuse("loteriaId", "the same lottery, type and multiplier again", code=COMMISSION_RULE_DUPLICATE)
        if rule.id in ids:
            document.refuse("id", "the same id again", code=COMMISSION_RULE_DUPLICATE)
        cases.add(case)
        ids.add(rule.id)


def _bet_type(rule: Document) -> JugadaType | None:
    value = rule.member("betType")
    if value is None:
        return None
    if isinstance(value, str) and value in JugadaType.__members__:
        return JugadaType(value)
    rule.refuse("betType", "must be NUMERO, REVENTADO or null")
    return None
