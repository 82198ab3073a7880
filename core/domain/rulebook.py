"""A banca's configuration at one version: everything that prices a ticket, and nothing that changes under it."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from core.domain.money import Cents

if TYPE_CHECKING:
    from core.domain.price_list import PriceList


class JugadaType(enum.StrEnum):
    NUMERO = "NUMERO"
    REVENTADO = "REVENTADO"


@dataclass(frozen=True, slots=True)
class CommissionRule:
    """multiplier_min, multiplier_max: hundredths, both ends included; both None when any multiplier will do."""

    id: str
    loteria_id: UUID | None
    bet_type: JugadaType | None
    multiplier_min: int | None
    multiplier_max: int | None
    basis_points: int


@dataclass(frozen=True, slots=True)
class CommissionPolicy:
    """In force from effective_from (included) to effective_to (excluded); None leaves that end open."""

    default_basis_points: int
    rules: tuple[CommissionRule, ...] = ()
    effective_from: datetime | None = None
    effective_to: datetime | None = None


@dataclass(frozen=True, slots=True)
class LoteriaRules:
    """rulesJson (§4.1), as far as selling needs it. None means: no such rule.

    number_min, number_max: None stands for the draw's whole width.
    base_multiplier_x: hundredths. sales_hours: weekday (0 = Sunday) → first and last minute of the day, included;
    a missing weekday is open all day.
    """

    digits: int = 2
    number_min: int | None = None
    number_max: int | None = None
    min_bet_cents: Cents | None = None
    max_bet_cents: Cents | None = None
    max_numbers_per_ticket: int | None = None
    allowed_types: frozenset[JugadaType] = frozenset(JugadaType)
    reventado_enabled: bool = True
    reventado_requires_matching: bool = False
    base_multiplier_x: int | None = None
    sales_hours: Mapping[int, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Loteria:
    id: UUID
    name: str
    rules: LoteriaRules
    is_active: bool


@dataclass(frozen=True, slots=True)
class Multiplier:
    id: UUID
    loteria_id: UUID
    name: str
    kind: JugadaType
    x_hundredths: int
    is_active: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Seller:
    id: UUID
    ventana_id: UUID
    policy: CommissionPolicy | None = None


@dataclass(frozen=True, slots=True)
class Ventana:
    """listero_policy: the own policy of the ventana's VENTANA user."""

    id: UUID
    policy: CommissionPolicy | None = None
    listero_policy: CommissionPolicy | None = None


@dataclass(frozen=True, slots=True)
class Rulebook:
    """multipliers_of_loteria: ordered by creation, inactive ones too. defects: what storage held that was malformed."""

    banca_id: UUID
    version: int
    default_min_bet_cents: Cents
    global_max_per_number_cents: Cents | None
    cutoff_minutes: int
    policy: CommissionPolicy | None
    loterias: Mapping[UUID, Loteria]
    multipliers: Mapping[UUID, Multiplier]
    multipliers_of_loteria: Mapping[UUID, tuple[Multiplier, ...]]
    ventanas: Mapping[UUID, Ventana]
    sellers: Mapping[UUID, Seller]
    defects: tuple[str, ...] = ()
    # What follows from the rest, found once per seller's terms and lottery: see price_list.py.
    price_lists: dict[tuple[UUID, UUID | None, UUID], PriceList] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
