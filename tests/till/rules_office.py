"""Where the rules of a scenario are made, in the database and in the model at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from tests.till.rulebook_strategies import Change, Drop, GlobalLimit, GlobalMax, NumberLimit, Put, Total
from tests.till.rules_terms import START, Rule, Rules
from tests.till.rules_town import Town


class RulesOffice:
    """rules: the model's, which it changes. sorteo_ids: of the draws, by their place."""

    def __init__(self, town: Town, rules: Rules, sorteo_ids: list[UUID]) -> None:
        self.town, self.rules, self.sorteo_ids = town, rules, sorteo_ids
        # By the name that the model has for them.
        self._ids: dict[int, UUID] = {}
        self._made = 0

    def name_of(self, rule_id: str) -> int:
        return next(name for name, known in self._ids.items() if str(known) == rule_id)

    async def make(self, change: Change) -> None:
        owner, rules = self.town.arena.owner, self.rules
        banca_id = self.town.arena.banca_id
        match change:
            case Put(rule):
                await self._put(rule)
            case Drop(place):
                if rules.restrictions:
                    name = [*rules.restrictions][place % len(rules.restrictions)]
                    del rules.restrictions[name]
                    await owner.execute("UPDATE restriction_rules SET is_active = false WHERE id = $1", self._ids[name])
            case GlobalMax(cents):
                rules.global_max = cents
                await owner.execute("UPDATE bancas SET global_max_per_number_cents = $2 WHERE id = $1", banca_id, cents)
            case GlobalLimit(draw, cents):
                _set(rules.global_limits, draw, cents)
                await owner.execute(
                    "UPDATE sorteos SET global_limit_cents = $2 WHERE id = $1", self.sorteo_ids[draw], cents
                )
            case NumberLimit(draw, number, cents):
                _set(rules.number_limits, (draw, number), cents)
                sorteo_id = self.sorteo_ids[draw]
                await owner.execute(
                    "DELETE FROM sorteo_number_limits WHERE sorteo_id = $1 AND number = $2", sorteo_id, number
                )
                if cents is not None:
                    await owner.execute(
                        "INSERT INTO sorteo_number_limits VALUES ($1, $2, $3, $4)", banca_id, sorteo_id, number, cents
                    )
            case Total(draw, cents):
                _set(rules.totals, draw, cents)
                await owner.execute(
                    "INSERT INTO banca_loteria_settings (banca_id, loteria_id, max_total_per_sorteo_cents)"
                    " VALUES ($1, $2, $3) ON CONFLICT (banca_id, loteria_id)"
                    " DO UPDATE SET max_total_per_sorteo_cents = excluded.max_total_per_sorteo_cents",
                    banca_id, self.town.lotteries[draw], cents,
                )  # fmt: skip

    async def _put(self, rule: Rule) -> None:
        """In the place of one that is the same but for its amounts."""
        rules, owner = self.rules.restrictions, self.town.arena.owner
        same = next((name for name, known in rules.items() if known.identity == rule.identity), None)
        if same is not None:
            rules[same] = rule
            await owner.execute(
                "UPDATE restriction_rules SET max_amount_cents = $2, max_total_cents = $3, base_amount_cents = $4,"
                " sales_basis_points = $5 WHERE id = $1",
                self._ids[same], rule.max_amount, rule.max_total, rule.base, rule.percentage,
            )  # fmt: skip
            return
        self._made += 1
        rules[self._made] = rule
        rule_id = self._ids[self._made] = uuid4()
        columns = self._columns(rule)
        places = ", ".join(f"${place}" for place in range(3, len(columns) + 3))
        await owner.execute(
            f"INSERT INTO restriction_rules (banca_id, id, {', '.join(columns)}) VALUES ($1, $2, {places})",
            self.town.arena.banca_id, rule_id, *columns.values(),
        )  # fmt: skip

    def _columns(self, rule: Rule) -> dict[str, Any]:
        town = self.town
        day = None if rule.day is None else (START + timedelta(days=rule.day)).date()
        return {
            "whole_banca": rule.scope == "BANCA",
            "ventana_id": town.ventanas[rule.who] if rule.scope == "VENTANA" else None,
            "user_id": town.arena.sellers[rule.who].id if rule.scope == "USER" else None,
            "number": rule.number,
            "is_auto_date": rule.auto_date,
            "auto_date_of": "SORTEO" if rule.of_draws_day else "SALE",
            "max_amount_cents": rule.max_amount,
            "max_total_cents": rule.max_total,
            "base_amount_cents": rule.base,
            "sales_basis_points": rule.percentage,
            "applies_to_vendedor": rule.per_seller,
            "applies_to_date": day,
            "applies_to_hour": rule.hour,
            "loteria_id": None if rule.pair is None else town.lotteries[rule.pair[0]],
            "multiplier_id": None if rule.pair is None else town.multipliers[rule.pair[0]][rule.pair[1]],
        }


def _set(limits: dict[Any, int], key: Any, cents: int | None) -> None:
    limits.pop(key, None)
    if cents is not None:
        limits[key] = cents
