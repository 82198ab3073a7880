"""Which multiplier a NUMERO line freezes: the chosen one (§2.8.2), or the chain's when none was chosen (§2.8.1)."""

from __future__ import annotations

from uuid import UUID

from core.domain.rulebook import JugadaType, Loteria, Multiplier, Rulebook

BASE_NAME = "Base"


def refusal_of_multiplier(multiplier: Multiplier | None, *, loteria: Loteria) -> tuple[str, str] | None:
    """(code, message) when a NUMERO line of this lottery may not choose the multiplier; None when it may."""
    if multiplier is None:
        return "INVALID_MULTIPLIER", "there is no such multiplier"
    if multiplier.kind is not JugadaType.NUMERO:
        return "INVALID_MULTIPLIER_KIND", "the multiplier is not one for NUMERO"
    if multiplier.loteria_id != loteria.id:
        return "INVALID_MULTIPLIER_LOTERIA", "the multiplier belongs to another loteria"
    if not multiplier.is_active:
        return "INACTIVE_MULTIPLIER", "the multiplier is not active"
    if multiplier.x_hundredths <= 0:
        return "INVALID_MULTIPLIER_VALUE", "the multiplier's value is not greater than 0"
    return None


def multipliers_to_choose(rulebook: Rulebook, loteria: Loteria) -> tuple[Multiplier, ...]:
    """What a NUMERO line of this lottery may choose, oldest first."""
    known = rulebook.multipliers_of_loteria.get(loteria.id, ())
    return tuple(m for m in known if refusal_of_multiplier(m, loteria=loteria) is None)


def base_multiplier(rulebook: Rulebook, loteria: Loteria) -> tuple[UUID | None, int] | None:
    """(multiplier's id, X in hundredths) of a line that chose none; None when the lottery has no base.

    The chain's levels 4 and 5: the multiplier named "Base", else the oldest, else rulesJson.baseMultiplierX.
    """
    choices = multipliers_to_choose(rulebook, loteria)
    chosen = next((m for m in choices if m.name == BASE_NAME), choices[0] if choices else None)
    if chosen is not None:
        return chosen.id, chosen.x_hundredths
    x_hundredths = loteria.rules.base_multiplier_x
    return None if x_hundredths is None else (None, x_hundredths)
