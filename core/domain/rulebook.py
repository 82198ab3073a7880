"""A banca's configuration at one version: everything that prices a ticket, and nothing that changes under it."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING
from uuid import UUID

from core.domain.money import Cents

if TYPE_CHECKING:
    from core.domain.price_list import PriceList
    from core.domain.restrictions import LimitRule, RestrictionsInForce, ScopeRules


class JugadaType(enum.StrEnum):
    NUMERO = "NUMERO"
    REVENTADO = "REVENTADO"


class AutoDateOf(enum.StrEnum):
    """Whose day of the month is the number of an auto-date rule: the day of the sale, or that of the draw."""

    SALE = "SALE"
    SORTEO = "SORTEO"


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
    """applies_to_date: the only day, Costa Rica's, on which it may be sold."""

    id: UUID
    loteria_id: UUID
    name: str
    kind: JugadaType
    x_hundredths: int
    is_active: bool
    created_at: datetime
    applies_to_date: date | None = None


@dataclass(frozen=True, slots=True)
class MultiplierOverride:
    """The base multiplier of one seller, or of one ventana, in one lottery. Exactly one of the two is set."""

    id: str
    user_id: UUID | None
    ventana_id: UUID | None
    loteria_id: UUID
    x_hundredths: int


@dataclass(frozen=True, slots=True)
class LoteriaSetting:
    """What the banca sets for one lottery. max_total_cents: of all that it sells in one draw; 0 blocks."""

    base_multiplier_x: int | None
    max_total_cents: Cents | None


@dataclass(frozen=True, slots=True)
class Restriction:
    """One active restriction rule (§2.11), well formed. At most one of banca_id, ventana_id and user_id is set.

    A cutoff rule has sales_cutoff_minutes and no amount. A rule with lottery and multiplier but no amount blocks the
    multiplier. Any other limits: max_amount_cents inside one ticket; max_total_cents and the dynamic limit,
    max(base_amount_cents, sales × sales_basis_points), in the draw. is_auto_date: number is the day of the month, of
    the day that auto_date_of says; SALE where is_auto_date is false. applies_to_date, applies_to_hour: Costa Rica's.
    """

    id: str
    banca_id: UUID | None = None
    ventana_id: UUID | None = None
    user_id: UUID | None = None
    number: int | None = None
    is_auto_date: bool = False
    auto_date_of: AutoDateOf = AutoDateOf.SALE
    max_amount_cents: Cents | None = None
    max_total_cents: Cents | None = None
    base_amount_cents: Cents | None = None
    sales_basis_points: int | None = None
    applies_to_vendedor: bool = False
    applies_to_date: date | None = None
    applies_to_hour: int | None = None
    sales_cutoff_minutes: int | None = None
    loteria_id: UUID | None = None
    multiplier_id: UUID | None = None
    message: str | None = None
    updated_at: datetime | None = None

    @property
    def scope_id(self) -> UUID | None:
        return self.user_id or self.ventana_id or self.banca_id

    @property
    def is_of_sorteo_day(self) -> bool:
        return self.is_auto_date and self.auto_date_of is AutoDateOf.SORTEO

    @property
    def has_amounts(self) -> bool:
        amounts = (self.max_amount_cents, self.max_total_cents, self.base_amount_cents, self.sales_basis_points)
        return any(amount is not None for amount in amounts)


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
class SaleCaps:
    """What the installation lets any sale be, whatever a banca's rules say: JUGADA_AMOUNT_MAX, TICKET_AMOUNT_MAX,
    MULTIPLIER_MAX. None: no cap of its own.

    multiplier_x: hundredths.
    """

    jugada_cents: int | None = None
    ticket_cents: int | None = None
    multiplier_x: int | None = None


@dataclass(frozen=True, slots=True)
class Rulebook:
    """multipliers_of_loteria: ordered by creation, inactive ones too. defects: what storage held that was malformed.

    overrides: by the seller's or ventana's id, and lottery. restrictions: by the id of their scope, None for those
    without one. base_multiplier_default_x: hundredths; the last resort of the chain (MULTIPLIER_BASE_DEFAULT_X).
    """

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
    overrides: Mapping[tuple[UUID, UUID], MultiplierOverride] = field(default_factory=dict)
    loteria_settings: Mapping[UUID, LoteriaSetting] = field(default_factory=dict)
    restrictions: Mapping[UUID | None, tuple[Restriction, ...]] = field(default_factory=dict)
    base_multiplier_default_x: int | None = None
    caps: SaleCaps = SaleCaps()
    # False: nobody set cutoff_minutes, so it is the default of §2.6.
    is_cutoff_set: bool = True
    # What follows from the rest, found once per seller's terms and lottery: see price_list.py and restrictions.py.
    price_lists: dict[tuple[UUID, UUID | None, UUID], PriceList] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    restriction_lists: dict[tuple[UUID, UUID | None, UUID, date | None], RestrictionsInForce] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    # Whether any rule's number is the day of the draw; where none is, lists of rules serve the draws of every day.
    has_rules_of_sorteo_days: bool = field(default=False, init=False, repr=False, compare=False)
    scope_rules: dict[tuple[UUID | None, UUID | None, UUID, date | None], ScopeRules] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    # By scope: the rules among its restrictions that end the sale.
    cutoff_rules: dict[UUID, tuple[Restriction, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    # By the rule's id. A later version that was read from this one has the same dictionary.
    limit_rules: dict[str, LimitRule] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        of_days = any(rule.is_of_sorteo_day for rules in self.restrictions.values() for rule in rules)
        object.__setattr__(self, "has_rules_of_sorteo_days", of_days)

    def cutoff_rules_of(self, scope_id: UUID) -> tuple[Restriction, ...]:
        """Looked for once: a price asks for them, and a scope may have thousands of other rules."""
        found = self.cutoff_rules.get(scope_id)
        if found is None:
            rules = self.restrictions.get(scope_id, ())
            found = self.cutoff_rules[scope_id] = tuple(r for r in rules if r.sales_cutoff_minutes is not None)
        return found
