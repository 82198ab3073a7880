"""The cutoff as a sale meets it, and described tickets explained over HTTP."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from cli.explain import explained
from core.domain.permissions import Role
from tests.api.limiting import bet, restrict
from tests.api.selling import Contract, require_no_insides
from tests.arena import Arena, Person
from tests.pos import Pos
from tests.running_api import Answer, RunningApi

CUTOFF = "/api/v1/diagnostics/cutoff"
EXPLAIN = "/api/v1/diagnostics/explain"
EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "docs" / "examples" / "explain").glob("*.json"))


async def ask_cutoff(
    api: RunningApi, arena: Arena, person: Person, sorteo_id: UUID, vendedor_id: UUID | None = None
) -> Answer:
    query = f"sorteoId={sorteo_id}" + (f"&vendedorId={vendedor_id}" if vendedor_id else "")
    return await api.get(f"{CUTOFF}?{query}", token=person.token, X_Active_Banca_Id=str(arena.banca_id))


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


class TestCutoff:
    async def test_it_tells_when_sales_end(self, api: RunningApi, arena: Arena) -> None:
        rule_id = await restrict(arena, ventana_id=arena.ventana_id, sales_cutoff_minutes=10)
        answer = await ask_cutoff(api, arena, arena.seller, arena.sorteo_id)
        read = (await Contract.of(api)).require(answer, "GET", CUTOFF)
        scheduled_at, at = instant(read["scheduledAt"]), instant(read["at"])
        assert (read["cutoffMinutes"], read["cutoffSource"], read["graceMs"]) == (10, "VENTANA", 1_000)
        assert (read["cutoffRuleId"], read["vendedorId"]) == (str(rule_id), str(arena.seller.id))
        assert instant(read["limitTime"]) == scheduled_at - timedelta(minutes=10)
        assert instant(read["effectiveLimitTime"]) == scheduled_at - timedelta(minutes=10, seconds=-1)
        seconds = (instant(read["effectiveLimitTime"]) - at) / timedelta(seconds=1)
        assert seconds <= read["secondsUntilLimit"] < seconds + 1
        assert read["secondsUntilScheduled"] == read["secondsUntilLimit"] + 10 * 60 - 1
        assert (read["sorteoStatus"], read["blocks"]) == ("OPEN", False)
        now = await arena.owner.fetchval("SELECT clock_timestamp()")
        assert timedelta() <= now - at < timedelta(minutes=1)

    async def test_the_nearest_rule_decides_and_the_banca_is_the_last_resort(
        self, api: RunningApi, arena: Arena
    ) -> None:
        async def decided() -> tuple[int, str]:
            read = (await ask_cutoff(api, arena, arena.seller, arena.sorteo_id)).json()
            return read["cutoffMinutes"], read["cutoffSource"]

        sibling = await arena.add_ventana()
        await restrict(arena, ventana_id=sibling, sales_cutoff_minutes=15)
        assert await decided() == (1, "BANCA")
        await restrict(arena, whole_banca=True, sales_cutoff_minutes=12)
        assert await decided() == (12, "BANCA")
        await restrict(arena, ventana_id=arena.ventana_id, sales_cutoff_minutes=3)
        assert await decided() == (3, "VENTANA")
        await restrict(arena, user_id=arena.seller.id, sales_cutoff_minutes=7)
        assert await decided() == (7, "USER")

    @pytest.mark.parametrize(("minutes", "blocks"), [(20, True), (10, False)])
    async def test_it_blocks_when_a_sale_is_refused(
        self, api: RunningApi, arena: Arena, minutes: int, blocks: bool
    ) -> None:
        arena.sorteo_ids[0] = await arena.add_sorteo(minutes=15)
        await restrict(arena, whole_banca=True, sales_cutoff_minutes=minutes)
        read = (await ask_cutoff(api, arena, arena.seller, arena.sorteo_id)).json()
        sale = await bet(Pos(api, arena.seller), arena, "07", 100)
        assert read["blocks"] == blocks
        assert (sale.code == "SALES_CUTOFF_REACHED") == blocks
        assert (read["secondsUntilLimit"] == 0) == blocks

    async def test_a_draw_that_is_past_is_told_with_its_state(self, api: RunningApi, arena: Arena) -> None:
        past = await arena.add_sorteo(minutes=-5, status="CLOSED")
        read = (await ask_cutoff(api, arena, arena.seller, past)).json()
        assert (read["secondsUntilLimit"], read["secondsUntilScheduled"]) == (0, 0)
        assert (read["sorteoStatus"], read["blocks"]) == ("CLOSED", True)

    async def test_in_whose_name(self, api: RunningApi, arena: Arena) -> None:
        stranger = await Arena.create(arena.owner, arena.settings)
        far = await arena.add_seller(ventana_id=await arena.add_ventana())
        ventana, admin = await arena.add_user(Role.VENTANA), await arena.add_user(Role.ADMIN)
        own, near = arena.sorteo_id, arena.sellers[1].id
        table: list[tuple[Person, UUID, UUID | None, tuple[int, str | None]]] = [
            (arena.seller, own, None, (200, None)),
            (arena.seller, own, near, (403, "SELLER_NOT_OWN")),
            (ventana, own, near, (200, None)),
            (ventana, own, far.id, (403, "SELLER_NOT_OWN")),
            (admin, own, None, (400, "VENDEDOR_ID_REQUIRED")),
            (admin, own, far.id, (200, None)),
            (admin, own, stranger.seller.id, (404, "SELLER_NOT_FOUND")),
            (arena.seller, stranger.sorteo_id, None, (404, "SORTEO_NOT_FOUND")),
            (admin, uuid4(), near, (404, "SORTEO_NOT_FOUND")),
        ]
        for person, sorteo_id, vendedor_id, expected in table:
            answer = await ask_cutoff(api, arena, person, sorteo_id, vendedor_id)
            assert (answer.status, answer.code) == expected, f"{person.role} {sorteo_id} {vendedor_id}"

    async def test_a_malformed_question_is_refused(self, api: RunningApi, arena: Arena) -> None:
        for query in ("", "sorteoId=x", f"sorteoId={arena.sorteo_id}&userId={arena.seller.id}"):
            answer = await api.get(f"{CUTOFF}?{query}", token=arena.seller.token)
            assert (answer.status, answer.code) == (400, "VALIDATION_FAILED")


async def explain_raw(api: RunningApi, person: Person, body: bytes) -> Answer:
    headers = {"Authorization": f"Bearer {person.token}", "Content-Type": "application/json"}
    return await api.send("POST", EXPLAIN, body=body, headers=headers)


class TestExplain:
    async def test_every_example_is_answered_as_the_command_answers_it(self, api: RunningApi, arena: Arena) -> None:
        admin = await arena.add_user(Role.ADMIN, has_banca=False)
        assert len(EXAMPLES) > 60
        for path in EXAMPLES:
            answer = await explain_raw(api, admin, path.read_bytes())
            assert answer.status == 200, (path.name, answer.body)
            printed = json.dumps(explained(path), ensure_ascii=False)
            assert json.dumps(answer.json(), ensure_ascii=False) == printed, path.name

    async def test_a_decimal_keeps_its_digits(self, api: RunningApi, arena: Arena) -> None:
        """1518.50 as a float would be a float; 0.1 + 0.2 has no third decimal here."""
        case = json.loads(next(path for path in EXAMPLES if path.stem == "res-5").read_text())
        raw = json.dumps(case).replace('"1518.50"', "1518.500")
        banca = await arena.add_user(Role.BANCA)
        refused = await explain_raw(api, banca, raw.encode())
        assert (refused.status, refused.code) == (400, "EXPLAIN_CASE_INVALID")
        assert "ticket.jugadas[0].amount" in refused.json()["detail"]
        told = await explain_raw(api, banca, raw.replace("1518.500", "1518.5").encode())
        assert told.json()["limits"][0]["available"] == "1518.50"

    @pytest.mark.parametrize("role", [Role.VENTANA, Role.VENDEDOR])
    async def test_it_is_for_administrators(self, api: RunningApi, arena: Arena, role: Role) -> None:
        answer = await explain_raw(api, await arena.add_user(role), EXAMPLES[0].read_bytes())
        assert (answer.status, answer.code) == (403, "FORBIDDEN")

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            (b"{}", "EXPLAIN_CASE_INVALID"),
            (b'{"banca": 1}', "EXPLAIN_CASE_INVALID"),
            (b'{"ticket": 1, "restrictions": 2}', "EXPLAIN_CASE_INVALID"),
            (b'{"ticket": {"jugadas": [1]}, "restrictions": [1]}', "EXPLAIN_CASE_INVALID"),
            (b'{"banca": {"id": "B1", "id": "B2"}}', "JSON_DUPLICATE_KEY"),
            (b'{"at": NaN}', "JSON_MALFORMED"),
            (b"[]", "JSON_NOT_AN_OBJECT"),
            (b"", "JSON_MALFORMED"),
            (b'{"loterias": [' + b"[" * 20 + b"]" * 20 + b"]}", "JSON_TOO_DEEP"),
        ],
    )
    async def test_what_is_no_case_is_refused(self, api: RunningApi, arena: Arena, body: bytes, code: str) -> None:
        answer = await explain_raw(api, await arena.add_user(Role.ADMIN), body)
        assert (answer.status, answer.code) == (400, code)
        require_no_insides(answer)

    @pytest.mark.parametrize("banca_id", [7, True, [], {"id": "B1"}])
    async def test_an_id_that_is_no_text_is_refused(self, api: RunningApi, arena: Arena, banca_id: Any) -> None:
        case: dict[str, Any] = json.loads(next(path for path in EXAMPLES if path.stem == "res-3").read_text())
        case["banca"]["id"] = banca_id
        answer = await explain_raw(api, await arena.add_user(Role.ADMIN), json.dumps(case).encode())
        assert (answer.status, answer.code) == (400, "EXPLAIN_CASE_INVALID"), answer.body
        assert "banca.id" in answer.json()["detail"]

    async def test_a_case_that_asks_for_too_much_is_refused(self, api: RunningApi, arena: Arena) -> None:
        admin = await arena.add_user(Role.ADMIN)
        case: dict[str, Any] = json.loads(next(path for path in EXAMPLES if path.stem == "res-3").read_text())
        case["ticket"]["jugadas"] = case["ticket"]["jugadas"] * 11
        case["restrictions"] = [{**case["restrictions"][0], "number": [f"{n:02d}" for n in range(100)]}] * 10
        answer = await explain_raw(api, admin, json.dumps(case).encode())
        assert (answer.status, answer.code) == (400, "EXPLAIN_CASE_TOO_LARGE")
        answer = await explain_raw(api, admin, b'{"title": "' + b"x" * 200_000 + b'"}')
        assert (answer.status, answer.code) == (413, "BODY_TOO_LARGE")
