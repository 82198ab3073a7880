"""Restriction rules found: by what they say, and page by page."""

from __future__ import annotations

from uuid import uuid4

from tests.api.ruling import RESTRICTIONS, Ruler
from tests.arena import Arena


async def test_rules_are_found_by_what_they_say(banca: Ruler, arena: Arena) -> None:
    pair = {"loteriaId": str(arena.loteria_id), "multiplierId": str(arena.multiplier_id)}
    rules = {
        "seven": await banca.restrict(userId=str(arena.seller.id), number="07", maxTotal="1"),
        "seventy": await banca.restrict(ventanaId=str(arena.ventana_id), number="70", maxAmount="1"),
        "cutoff": await banca.restrict(ventanaId=str(arena.ventana_id), salesCutoffMinutes=5),
        "block": await banca.restrict(**pair, message="off sale"),
        "limit": await banca.restrict(**pair, bancaId=str(arena.banca_id), maxTotal="1"),
    }
    await banca.write("DELETE", f"{RESTRICTIONS}/{rules['seventy']['id']}")
    table = {
        "": {"seven", "seventy", "cutoff", "block", "limit"},
        "number=7": {"seven"},
        "isActive=false": {"seventy"},
        "isActive=true&kind=LIMIT": {"seven", "limit"},
        "kind=CUTOFF": {"cutoff"},
        "kind=BLOCK": {"block"},
        f"userId={arena.seller.id}": {"seven"},
        f"ventanaId={arena.ventana_id}": {"seventy", "cutoff"},
        f"loteriaId={arena.loteria_id}": {"block", "limit"},
        f"multiplierId={arena.multiplier_id}&kind=LIMIT": {"limit"},
        f"userId={uuid4()}": set(),
    }
    for query, wanted in table.items():
        found = (await banca.get(f"{RESTRICTIONS}?{query}"))["data"]
        assert {row["id"] for row in found} == {rules[name]["id"] for name in wanted}, query
    for query in ("number=x", "number=1000", "kind=ALL", "isActive=7", "loteriaId=7"):
        answer = await banca.send("GET", f"{RESTRICTIONS}?{query}")
        assert (answer.status, answer.code) == (400, "VALIDATION_FAILED")


async def test_rules_are_read_page_by_page(banca: Ruler, arena: Arena) -> None:
    numbers = [f"{number:02d}" for number in range(5)]
    await banca.write("POST", RESTRICTIONS, {"bancaId": str(arena.banca_id), "number": numbers, "maxTotal": 1})
    seen, cursor = [], ""
    while True:
        page = await banca.get(f"{RESTRICTIONS}?pageSize=2{cursor}")
        seen += [row["number"] for row in page["data"]]
        if not page["meta"]["hasNextPage"]:
            break
        cursor = f"&cursor={page['meta']['nextCursor']}"
    assert sorted(seen) == numbers
