"""The worked examples, set up in a database and sold through the till: as explain says without one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from core.domain.case_names import CaseNames
from core.domain.explain import explain
from core.domain.impersonation import effective_seller, selling_role
from core.domain.money import Cents, JsonNumber, format_cents, format_hundredths
from core.domain.permissions import Role
from core.domain.pricing import Refusal, price
from core.domain.rulebook import JugadaType, Seller
from core.domain.ticket import CLIENTE_DEFAULT, JugadaRequest, PricedTicket, TicketRequest
from core.domain.violations import Violation
from core.rulebooks import RulebookStore
from core.till.order import Actor, SaleOrder
from core.till.outcomes import Outcome
from core.till.records import TicketRecord, load_tickets
from core.till.refusals import refused_by_till
from core.till.sales import SaleRequest
from tests.databases import TestDatabase, database_of, in_server
from tests.pos import new_key
from tests.till.case_rows import CaseRows, hundredths, instant
from tests.till.shop import Shop, open_shop, order_of
from tests.till.state import findings, forget_banca

if TYPE_CHECKING:
    from tests.arena import Owner

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples" / "explain"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.json"))
# What storage refuses, and by what; a rulebook can only be told of it by a case.
IMPOSSIBLE = {
    "cut-6": ("two rules that differ in their minutes only", "restriction_rules_same_only_once"),
    "cut-8": ("a banca without a cutoff", "sales_cutoff_minutes"),
    "cut-9": ("a cutoff for one number", "restriction_rules_cutoff_is_alone"),
    "malformed-rule": ("a percentage of 120", "restriction_rules_sales_basis_points_check"),
}
# What a till says beside the figures that explain knows, or the other way around.
TOLD_BY_ONE = frozenset({"message", "minutesLeft"})


@pytest.fixture(scope="module")
async def examples(server_url: str, template_database: str) -> AsyncIterator[TestDatabase]:
    """One database for all: each example is a banca that goes again."""
    name = f"banca_test_{uuid4().hex[:12]}"
    await in_server(server_url, f"CREATE DATABASE {name} TEMPLATE {template_database}")
    yield TestDatabase(database_of(server_url, name))
    await in_server(server_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
async def owner_of_examples(examples: TestDatabase) -> AsyncIterator[Owner]:
    connection = await asyncpg.connect(examples.owner_url)
    await connection.execute("UPDATE instance SET test_clock = true")
    yield connection
    await connection.close()


@pytest.fixture(scope="module")
async def till_of_examples(examples: TestDatabase) -> AsyncIterator[Shop]:
    async with open_shop(examples.api_url) as opened:
        yield opened


class Stage:
    def __init__(self, shop: Shop, rows: CaseRows, case: Mapping[str, Any]) -> None:
        self.shop, self.rows, self.case = shop, rows, case
        self.seller_id, self.at = UUID(case["vendedorId"]), instant(case["at"])
        default_x = hundredths(case.get("multiplierBaseDefaultX"))
        self.rulebooks = RulebookStore(shop.database, base_multiplier_default_x=default_x)

    async def set_up(self) -> None:
        """What was sold before was really sold, before anything limited it."""
        await self.rows.write_world()
        strangers = UUID(int=1), UUID(int=2)
        await self.rows.add_ventana(strangers[1])
        await self.rows.add_user(*strangers, role="VENDEDOR")
        for own, line in _sold(self.case):
            seller_id = self.seller_id if own else strangers[0]
            outcome = await self.sell(seller_id, self._actor(seller_id), [line])
            assert isinstance(outcome, TicketRecord)
        await self.rows.write_limits()

    async def sell(
        self, seller_id: UUID, actor: Actor, lines: list[Mapping[str, Any]]
    ) -> TicketRecord | list[dict[str, object]]:
        """The recorded ticket, or the violations."""
        rulebook = await self.rulebooks.reload(self.rows.banca_id, older_than=None)
        draw = await self.rulebooks.draw(rulebook, self.rows.sorteo_id)
        assert draw is not None
        assert rulebook.defects == ()
        seller = effective_seller(actor.acting, vendedor_id=seller_id, rulebook=rulebook)
        if isinstance(seller, Violation):
            return [seller.to_json()]
        assert isinstance(seller, Seller)
        request = TicketRequest(draw.id, None, seller_id, CLIENTE_DEFAULT, tuple(_jugada(line) for line in lines))
        role = selling_role(actor.acting, seller)
        priced = price(request, rulebook=rulebook, draw=draw, seller=seller, at=self.at, actor_role=role)
        if isinstance(priced, Refusal):
            return [violation.to_json() for violation in priced.violations]
        return await self._record(actor, priced)

    async def play(self) -> TicketRecord | list[dict[str, object]]:
        actor = self._actor(self.seller_id)
        if (told := self.case.get("actor")) is not None:
            user_id, place = uuid4(), told.get("ventanaId")
            await self.rows.add_user(user_id, None if place is None else UUID(place), role=told["role"])
            actor = self._actor(user_id, role=told["role"], ventana_id=None if place is None else UUID(place))
        return await self.sell(self.seller_id, actor, self.case["ticket"]["jugadas"])

    async def _record(self, actor: Actor, priced: PricedTicket) -> TicketRecord | list[dict[str, object]]:
        order: SaleOrder = order_of(SaleRequest(actor, new_key(), "test", priced.request), priced)
        outcome: Outcome
        [outcome] = await self.shop.recorder.record(actor.banca_id, [order], at=self.at)
        if outcome.place is None or outcome.verdict != "SOLD":
            return [violation.to_json() for violation in refused_by_till(outcome).violations]
        stored = await load_tickets(self.shop.database, actor.banca_id, [outcome.place])
        return stored[outcome.place][0]

    def _actor(self, user_id: UUID, *, role: str = Role.VENDEDOR, ventana_id: UUID | None = None) -> Actor:
        """At the terminal of the seller's ventana."""
        seller_id = user_id if role == Role.VENDEDOR else self.seller_id
        users = {UUID(user["id"]): UUID(user["ventanaId"]) for user in self.case["users"]}
        terminal_id = self.rows.terminal_ids[users.get(seller_id, UUID(int=2))]
        session_id = self.rows.session_ids[user_id]
        return Actor(self.rows.banca_id, user_id, role, session_id, terminal_id, 1, ventana_id)


@pytest.mark.parametrize("name", NAMES)
async def test_the_till_decides_an_example_as_explain_does(
    owner_of_examples: Owner, till_of_examples: Shop, name: str
) -> None:
    document, names = _example(name), CaseNames()
    case: Any = names.replaced(document)
    rows = CaseRows(owner_of_examples, case)
    stage = Stage(till_of_examples, rows, case)
    try:
        if name in IMPOSSIBLE:
            with pytest.raises(asyncpg.IntegrityConstraintViolationError, match=IMPOSSIBLE[name][1]):
                await stage.set_up()
            return
        await stage.set_up()
        answer = await stage.play()
        found = _decision(answer)
        assert names.restored(found) == _expected(explain(document), answer)
        assert await findings(owner_of_examples, rows.banca_id) == []
    finally:
        await forget_banca(owner_of_examples, rows.banca_id)


def test_few_examples_cannot_be_stored() -> None:
    assert set(IMPOSSIBLE) <= set(NAMES)
    assert len(IMPOSSIBLE) <= len(NAMES) // 10


def _example(name: str) -> Any:
    return json.loads((EXAMPLES / f"{name}.json").read_text(), parse_float=JsonNumber)


def _decision(answer: TicketRecord | list[dict[str, object]]) -> dict[str, object]:
    """In the words of docs/explain.md, as far as a recorded ticket knows them."""
    if not isinstance(answer, TicketRecord):
        return {"decision": "REFUSED", "violations": [_figures(violation) for violation in answer]}
    return {
        "decision": "SOLD",
        "businessDate": answer.business_date.isoformat(),
        "createdByRole": answer.created_by_role,
        "ventanaId": str(answer.ventana_id),
        "vendedorId": str(answer.vendedor_id),
        "warnings": list(answer.warnings),
        "jugadas": [
            {
                "line": jugada.line,
                "type": jugada.type.value,
                "amount": format_cents(jugada.amount_cents),
                "multiplier": {
                    "id": None if jugada.multiplier_id is None else str(jugada.multiplier_id),
                    "x": format_hundredths(jugada.multiplier_x_hundredths),
                },
                "commission": {
                    "percent": format_hundredths(jugada.commission_basis_points),
                    "amount": format_cents(jugada.commission_cents),
                    "origin": jugada.commission_origin,
                    "ruleId": jugada.commission_rule_id,
                },
                "listeroCommission": {"amount": format_cents(jugada.listero_commission_cents)},
            }
            for jugada in answer.jugadas
        ],
        "totals": {
            "amount": format_cents(answer.total_cents),
            "commission": format_cents(answer.commission_cents),
            "listeroCommission": format_cents(answer.listero_commission_cents),
        },
    }


def _expected(decision: Any, answer: TicketRecord | list[dict[str, object]]) -> dict[str, object]:
    """Of explain's decision what _decision tells too."""
    if decision["decision"] == "REFUSED":
        violations = decision["violations"]
        # Explain judges the limits as well when the rules alone refuse; the till then never sees the ticket.
        told = len(answer) if isinstance(answer, list) else 0
        return {"decision": "REFUSED", "violations": [_figures(violation) for violation in violations[:told]]}
    kept = ("decision", "businessDate", "createdByRole", "ventanaId", "vendedorId", "warnings")
    return {
        **{key: decision[key] for key in kept},
        "jugadas": [_of_line(line) for line in decision["jugadas"]],
        "totals": {key: decision["totals"][key] for key in ("amount", "commission", "listeroCommission")},
    }


def _of_line(line: Any) -> dict[str, object]:
    return {
        **{key: line[key] for key in ("line", "type", "amount", "commission")},
        "multiplier": {key: line["multiplier"][key] for key in ("id", "x")},
        "listeroCommission": {"amount": line["listeroCommission"]["amount"]},
    }


def _figures(violation: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in violation.items() if key not in TOLD_BY_ONE}


def _sold(case: Mapping[str, Any]) -> Iterator[tuple[bool, dict[str, Any]]]:
    """(whether by the seller herself, line) of sales that bring the counters to what the case says.

    The banca's beyond the seller's own, and its whole sales beyond its numbers, are somebody else's of another ventana.
    """
    own: dict[str, int] = {}
    whole = 0
    known = case.get("sold", ())
    order = ["VENDEDOR", "BANCA"]
    for sold in sorted(known, key=lambda sold: ("number" not in sold, order.index(sold["scope"]))):
        cents = hundredths(sold["amount"])
        assert cents is not None
        is_own = sold["scope"] == "VENDEDOR"
        missing = cents - (own.get(sold["number"], 0) if "number" in sold else whole)
        line = {"number": sold.get("number", "99"), "amount": missing, "multiplierId": sold.get("multiplierId")}
        if is_own:
            own[line["number"]] = missing
        whole += missing
        yield is_own, line


def _jugada(line: Mapping[str, Any]) -> JugadaRequest:
    """amount: text, or cents."""
    amount, multiplier_id = line["amount"], line.get("multiplierId")
    return JugadaRequest(
        JugadaType(line.get("type", "NUMERO")),
        line["number"],
        line.get("reventadoNumber"),
        Cents(amount if isinstance(amount, int) else hundredths(amount) or 0),
        None if multiplier_id is None else UUID(multiplier_id),
    )
