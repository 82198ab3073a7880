"""Excluding lists over HTTP, and bringing them back: the answers, their replays, what is read afterwards, and bad input."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest

from core.domain.permissions import Role
from tests.api.ruling import Ruler, ruler
from tests.api.selling import REPLAYED, SALE, Contract, jugada, require_no_insides, sell, ticket
from tests.arena import Arena
from tests.pos import Pos, new_key
from tests.running_api import Answer, RunningApi
from tests.till.state import everything, findings

TICKET = "/api/v1/tickets/{id}"
LISTAS = "/api/v1/sorteos/{sorteoId}/listas"
EXCLUDED = "/api/v1/listas-excluidas"


@pytest.fixture
async def boss(api: RunningApi, arena: Arena) -> Ruler:
    return await ruler(api, arena)


async def lista(boss: Ruler, arena: Arena, action: str, *, key: str | None = None, **body: Any) -> Answer:
    document = {"ventanaId": str(arena.ventana_id), **body}
    headers = {
        "Authorization": f"Bearer {boss.person.token}",
        "Content-Type": "application/json",
        "Idempotency-Key": key or new_key(),
    }
    target = f"{LISTAS.replace('{sorteoId}', str(arena.sorteo_id))}/{action}"
    return await boss.api.send("POST", target, body=json.dumps(document).encode(), headers=headers)


async def test_an_excluded_list_is_read_and_brought_back(
    api: RunningApi, arena: Arena, boss: Ruler, contract: Contract
) -> None:
    pos, key = Pos(api, arena.seller), new_key()
    await arena.give_policy("users", arena.seller.id, "10")
    sold = await sell(pos, ticket(arena, jugada("07", "10.00"), jugada("07", "5.00", "REVENTADO")))
    await sell(Pos(api, arena.sellers[1]), ticket(arena, jugada("08", "1.00")))
    seller = {"vendedorId": str(arena.seller.id)}
    first = await lista(boss, arena, "exclude", key=key, reason="lost", **seller)
    document = contract.require(first, "POST", f"{LISTAS}/exclude")
    assert (document["isExcluded"], document["tickets"], document["jugadas"]) == (True, 1, 2)
    assert (document["amount"], document["reason"], document["by"]) == ("15.00", "lost", str(boss.person.id))
    again = await lista(boss, arena, "exclude", key=key, reason="lost", **seller)
    assert (again.body, again.headers[REPLAYED]) == (first.body, "true")
    assert (
        await lista(boss, arena, "exclude", key=key, reason="late", **seller)
    ).code == "IDEMPOTENCY_PAYLOAD_MISMATCH"
    read = contract.require(await pos.get(f"{SALE}/{sold['id']}"), "GET", TICKET)
    assert (read["status"], [line["isExcluded"] for line in read["jugadas"]]) == ("EXCLUDED", [True, True])
    assert [one["id"] for one in (await pos.get(f"{SALE}?status=EXCLUDED")).json()["data"]] == [sold["id"]]
    assert (await pos.post(SALE, ticket(arena), key=new_key())).code == "LISTA_EXCLUDED"

    target = LISTAS.replace("{sorteoId}", str(arena.sorteo_id))
    listas = contract.require(await boss.send("GET", target), "GET", LISTAS)
    assert listas["sorteo"]["hasExclusions"]
    assert listas["meta"] == {
        "totalSales": "1.00", "totalTickets": 2, "totalCommission": "0.00", "totalExcluded": "15.00",
    }  # fmt: skip
    [listero] = listas["listeros"]
    assert (listero["totalSales"], listero["totalExcluded"], listero["isExcluded"]) == ("1.00", "15.00", False)
    lines = [line for line in listero["vendedores"] if line["vendedorId"] == str(arena.seller.id)]
    shown = ("multiplierName", "exclusionScope", "totalExcluded", "totalTickets", "totalJugadas")
    assert [tuple(line[name] for name in shown) for line in lines] == [("Todos (Excluido)", "vendedor", "15.00", 1, 2)]
    compact = (await boss.send("GET", f"{target}?mode=compact&includeExcluded=false")).json()
    assert (compact["meta"]["totalExcluded"], compact["listeros"][0]["vendedores"]) == ("0.00", [])
    # A seller sees its own list.
    own = contract.require(await pos.get(target), "GET", LISTAS)
    assert own["meta"] == {
        "totalSales": "0.00", "totalTickets": 1, "totalCommission": "0.00", "totalExcluded": "15.00",
    }  # fmt: skip

    page = contract.require(await boss.send("GET", EXCLUDED), "GET", EXCLUDED)
    assert [(one["id"], one["amount"], one["liftedAt"]) for one in page["data"]] == [
        (document["exclusionId"], "15.00", None)
    ]
    back = contract.require(await lista(boss, arena, "include", **seller), "POST", f"{LISTAS}/include")
    assert (back["isExcluded"], back["tickets"], back["amount"]) == (False, 1, "15.00")
    assert (await boss.send("GET", EXCLUDED)).json()["data"] == []
    [lifted] = (await boss.send("GET", f"{EXCLUDED}?includeLifted=true&sorteoId={arena.sorteo_id}")).json()["data"]
    assert lifted["liftedBy"] == str(boss.person.id)
    assert (await pos.get(f"{SALE}/{sold['id']}")).json() == sold
    assert await findings(arena.owner, arena.banca_id) == []


async def test_bad_exclusions_are_refused_and_change_nothing(api: RunningApi, arena: Arena, boss: Ruler) -> None:
    await sell(Pos(api, arena.seller), ticket(arena))
    stranger = await Arena.create(arena.owner, arena.settings)
    other, listero = await ruler(api, stranger), await arena.add_user(Role.VENTANA)
    before = await everything(arena.owner)
    table: list[tuple[str, dict[str, Any], int, str]] = [
        ("exclude", {"ventanaId": str(stranger.ventana_id)}, 404, "VENTANA_NOT_FOUND"),
        ("exclude", {"vendedorId": str(stranger.seller.id)}, 404, "VENDEDOR_NOT_FOUND"),
        ("exclude", {"multiplierId": str(uuid4())}, 404, "MULTIPLIER_NOT_FOUND"),
        ("exclude", {"ventanaId": "all"}, 400, "VALIDATION_FAILED"),
        ("exclude", {"reason": "no"}, 400, "VALIDATION_FAILED"),
        ("exclude", {"more": 1}, 400, "VALIDATION_FAILED"),
        ("include", {}, 404, "EXCLUSION_NOT_FOUND"),
        ("include", {"reason": "found"}, 400, "VALIDATION_FAILED"),
    ]
    for action, body, status, code in table:
        answer = await lista(boss, arena, action, **body)
        assert (answer.status, answer.code) == (status, code), body
        require_no_insides(answer)
    assert (await lista(other, arena, "exclude")).code == "SORTEO_NOT_FOUND"
    assert (await lista(Ruler(api, listero), arena, "exclude")).code == "FORBIDDEN"
    assert await everything(arena.owner) == before
