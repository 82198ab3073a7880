"""What a banca lets its ventanas write: up to which multiplier and commission, and which kinds.

The bounds are judged when a ventana writes. What it wrote before they were lowered stays in force until it is changed;
`excesses` lists it. Administrators are not bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from core.domain.commission_policy import read_commission_policy
from core.domain.money import format_hundredths
from core.domain.multipliers import multipliers_to_choose
from core.domain.rulebook import CommissionPolicy, Loteria, Restriction, Rulebook
from core.domain.violations import Violation

VENTANA_BOUND_EXCEEDED = "VENTANA_BOUND_EXCEEDED"
VENTANA_WRITE_FORBIDDEN = "VENTANA_WRITE_FORBIDDEN"


class VentanaWrite(StrEnum):
    """What a ventana writes for itself and its sellers. A cutoff is none of it: no ventana sets one."""

    LIMIT = "LIMIT"
    BLOCK = "BLOCK"
    OVERRIDE = "OVERRIDE"
    COMMISSION_POLICY = "COMMISSION_POLICY"
    MOVEMENT = "MOVEMENT"


@dataclass(frozen=True, slots=True)
class VentanaBounds:
    """max_x_hundredths: of overrides; None: the most that the banca itself sells the lottery at."""

    max_x_hundredths: int | None
    max_basis_points: int
    writes: frozenset[VentanaWrite]


class Excess(NamedTuple):
    """A rule in force beyond the bounds. id: of the override, or of the seller whose policy it is; values: hundredths."""

    kind: VentanaWrite
    id: UUID
    ventana_id: UUID | None
    user_id: UUID | None
    loteria_id: UUID | None
    value: int
    bound: int


def kind_of_restriction(rule: Restriction) -> VentanaWrite:
    """Of a rule that is no cutoff."""
    return VentanaWrite.LIMIT if rule.has_amounts else VentanaWrite.BLOCK


def judge_kind(bounds: VentanaBounds, kind: VentanaWrite) -> list[Violation]:
    if kind in bounds.writes:
        return []
    message = f"the banca does not let its ventanas write {kind.value}"
    writes = [each.value for each in VentanaWrite if each in bounds.writes]
    return [Violation(VENTANA_WRITE_FORBIDDEN, message, None, {"kind": kind.value, "ventanaWrites": writes})]


def judge_override(
    bounds: VentanaBounds, *, x_hundredths: int, loteria: Loteria, rulebook: Rulebook
) -> list[Violation]:
    """Everything that speaks against a ventana's override in this lottery."""
    found = judge_kind(bounds, VentanaWrite.OVERRIDE)
    most = multiplier_bound(bounds, loteria=loteria, rulebook=rulebook)
    if x_hundredths > most:
        asked = format_hundredths(x_hundredths)
        found.append(_beyond("baseMultiplierX", "ventanaMaxMultiplierX", asked=asked, bound=format_hundredths(most)))
    return found


def judge_policy(bounds: VentanaBounds, document: object) -> list[Violation]:
    """Everything that speaks against a policy of a ventana's seller. document: well formed; None: none any more."""
    found = judge_kind(bounds, VentanaWrite.COMMISSION_POLICY)
    if document is None:
        return found
    policy, _ = read_commission_policy(document, x_of_multiplier={})
    for field, basis_points in _percents(policy):
        if basis_points > bounds.max_basis_points:
            asked, bound = format_hundredths(basis_points), format_hundredths(bounds.max_basis_points)
            found.append(_beyond(field, "ventanaMaxCommissionPercent", asked=asked, bound=bound))
    return found


def multiplier_bound(bounds: VentanaBounds, *, loteria: Loteria, rulebook: Rulebook) -> int:
    """Hundredths; 0 where the banca sells the lottery at nothing.

    Unless it is set: what every seller may get in the lottery without any override. A multiplier of one day is no
    measure of the others.
    """
    if bounds.max_x_hundredths is not None:
        return bounds.max_x_hundredths
    own = [multiplier.x_hundredths for multiplier in multipliers_to_choose(rulebook, loteria)]
    setting = rulebook.loteria_settings.get(loteria.id)
    if setting is not None and setting.base_multiplier_x is not None:
        own.append(setting.base_multiplier_x)
    if not own:
        own.append(loteria.rules.base_multiplier_x or rulebook.base_multiplier_default_x or 0)
    return max(own)


def excesses(
    bounds: VentanaBounds, *, rulebook: Rulebook, of_ventanas: Iterable[tuple[UUID, UUID]]
) -> Iterator[Excess]:
    """Overrides of ventanas, then policies of sellers, that are in force and beyond the bounds.

    of_ventanas: (override, lottery) of the active overrides that a ventana wrote last. Who wrote a policy is not on
    record, so the banca's own are among them.
    """
    overrides = {override.id: override for override in rulebook.overrides.values()}
    for override_id, loteria_id in of_ventanas:
        override, loteria = overrides.get(str(override_id)), rulebook.loterias.get(loteria_id)
        if override is None or loteria is None:
            continue
        most = multiplier_bound(bounds, loteria=loteria, rulebook=rulebook)
        if override.x_hundredths > most:
            owner = (override.ventana_id, override.user_id)
            yield Excess(VentanaWrite.OVERRIDE, override_id, *owner, loteria_id, override.x_hundredths, most)
    for seller in sorted(rulebook.sellers.values(), key=lambda each: each.id):
        if seller.policy is not None:
            most = max(basis_points for _, basis_points in _percents(seller.policy))
            if most > bounds.max_basis_points:
                owner = (seller.ventana_id, seller.id)
                yield Excess(VentanaWrite.COMMISSION_POLICY, seller.id, *owner, None, most, bounds.max_basis_points)


def _percents(policy: CommissionPolicy) -> Iterator[tuple[str, int]]:
    """Each percent of the policy: its field, and its basis points."""
    yield "defaultPercent", policy.default_basis_points
    for index, rule in enumerate(policy.rules):
        yield f"rules[{index}].percent", rule.basis_points


def _beyond(field: str, setting: str, *, asked: str, bound: str) -> Violation:
    message = f"the banca lets its ventanas write at most {bound} ({setting})"
    return Violation(VENTANA_BOUND_EXCEEDED, message, field, {"setting": setting, "asked": asked, "bound": bound})
