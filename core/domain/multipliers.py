"""Which multiplier a NUMERO line freezes: the chosen one (§2.8.2), or the chain's (§2.8.1)."""

from __future__ import annotations

from datetime import date
from typing import Literal, NamedTuple
from uuid import UUID

from core.domain.rulebook import JugadaType, Loteria, Multiplier, Rulebook, Seller

BASE_NAME = "Base"

MultiplierSource = Literal[
    "chosen", "userOverride", "ventanaOverride", "bancaSetting", "multiplier", "rulesJson", "default", "draw"
]


class BaseMultiplier(NamedTuple):
    """What a line takes that chooses none, or the one named "Base".

    multiplier_id: the lottery's base, whichever level gave its X, so that rules for it hold; None when it has none.
    override_id: of the override that decided.
    """

    multiplier_id: UUID | None
    x_hundredths: int
    source: MultiplierSource
    override_id: str | None = None


def refusal_of_multiplier(
    multiplier: Multiplier | None, *, loteria: Loteria, on: date | None = None
) -> tuple[str, str] | None:
    """(code, message) when a NUMERO line of this lottery may not choose the multiplier; None when it may.

    on: Costa Rica's day; None passes over multipliers that are sold on one day only.
    """
    if multiplier is None:
        return "INVALID_MULTIPLIER", "there is no such multiplier"
    if multiplier.kind is not JugadaType.NUMERO:
        return "INVALID_MULTIPLIER_KIND", "the multiplier is not one for NUMERO"
    if multiplier.loteria_id != loteria.id:
        return "INVALID_MULTIPLIER_LOTERIA", "the multiplier belongs to another loteria"
    if not multiplier.is_active:
        return "INACTIVE_MULTIPLIER", "the multiplier is not active"
    if multiplier.applies_to_date not in (None, on):
        return "INACTIVE_MULTIPLIER", f"the multiplier is sold on {multiplier.applies_to_date} only"
    if multiplier.x_hundredths <= 0:
        return "INVALID_MULTIPLIER_VALUE", "the multiplier's value is not greater than 0"
    return None


def multipliers_to_choose(rulebook: Rulebook, loteria: Loteria, *, on: date | None = None) -> tuple[Multiplier, ...]:
    """What a NUMERO line of this lottery may choose, oldest first."""
    known = rulebook.multipliers_of_loteria.get(loteria.id, ())
    return tuple(m for m in known if refusal_of_multiplier(m, loteria=loteria, on=on) is None)


def base_multiplier(
    rulebook: Rulebook, loteria: Loteria, *, seller: Seller, on: date | None = None
) -> BaseMultiplier | None:
    """The chain: seller's override, ventana's override, the banca's setting, the multiplier named "Base" (else the
    oldest), rulesJson.baseMultiplierX, the default of the installation. None when no level has a value.
    """
    choices = multipliers_to_choose(rulebook, loteria, on=on)
    base = next((m for m in choices if m.name == BASE_NAME), choices[0] if choices else None)
    base_id = None if base is None else base.id
    sources: tuple[MultiplierSource, ...] = ("userOverride", "ventanaOverride")
    for source, owner_id in zip(sources, (seller.id, seller.ventana_id), strict=True):
        override = rulebook.overrides.get((owner_id, loteria.id))
        if override is not None:
            return BaseMultiplier(base_id, override.x_hundredths, source, override.id)
    setting = rulebook.loteria_settings.get(loteria.id)
    if setting is not None and setting.base_multiplier_x is not None:
        return BaseMultiplier(base_id, setting.base_multiplier_x, "bancaSetting")
    if base is not None:
        return BaseMultiplier(base_id, base.x_hundredths, "multiplier")
    if loteria.rules.base_multiplier_x is not None:
        return BaseMultiplier(None, loteria.rules.base_multiplier_x, "rulesJson")
    default = rulebook.base_multiplier_default_x
    return None if default is None else BaseMultiplier(None, default, "default")
