"""Rules that take a multiplier of a lottery off sale, for one number or for all (§2.8.3)."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from core.domain.restrictions import RestrictionsInForce, rule_scope
from core.domain.rulebook import Loteria, Restriction, Rulebook
from core.domain.violations import Violation


def blocks_on(
    restrictions: RestrictionsInForce, multiplier_id: UUID | None, *, number_text: str, digits: int
) -> Iterator[Restriction]:
    """What blocks a line with this multiplier, None: that of REVENTADO, which is never blocked."""
    if multiplier_id is None:
        return
    for rule in restrictions.blocks.get(multiplier_id, ()):
        if rule.number is None or number_text == f"{rule.number:0{digits}d}":
            yield rule


def violation_of_block(rule: Restriction, *, rulebook: Rulebook, loteria: Loteria, index: int) -> Violation:
    """index: of the jugada in its ticket."""
    assert rule.multiplier_id is not None, "a block names its multiplier"
    name = rulebook.multipliers[rule.multiplier_id].name
    data = {
        "ruleId": rule.id,
        "ruleScope": rule_scope(rule),
        "loteriaId": str(loteria.id),
        "loteriaName": loteria.name,
        "multiplierId": str(rule.multiplier_id),
        "multiplierName": name,
    }
    message = rule.message or f"the multiplier {name} of {loteria.name} is blocked"
    return Violation("LOTTERY_MULTIPLIER_RESTRICTED", message, f"jugadas[{index}].multiplierId", data)
