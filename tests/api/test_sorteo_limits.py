"""A draw's own limits over HTTP."""

from __future__ import annotations

from typing import Any

from tests.api.ruling import API, Ruler, limits, offered, places, stored_rules, version_of
from tests.arena import Arena
from tests.running_api import RunningApi


async def test_a_draws_limits_replace_each_other_as_a_whole(api: RunningApi, banca: Ruler, arena: Arena) -> None:
    path, version = places(arena)["limits"], await version_of(arena.owner, arena.banca_id)
    nothing: dict[str, Any] = {"sorteoId": str(arena.sorteo_id), "globalLimit": None, "numberLimits": []}
    assert await banca.get(path) == nothing
    written = await banca.write("PUT", path, limits("100.00", n07="300.00", n13=0))
    assert written.pop("rulebookVersion") == version + 1
    assert written == await banca.get(path) == {
        **nothing, "globalLimit": "100.00",
        "numberLimits": [{"number": "07", "maxAmount": "300.00"}, {"number": "13", "maxAmount": "0.00"}],
    }  # fmt: skip
    judged = [await offered(api, arena, amount, number) for number, amount in
              (("07", "300.00"), ("13", "0.01"), ("55", "100.01"), ("55", "100.00"))]  # fmt: skip
    assert judged == ["SOLD", "NUMBER_MAXTOTAL_EXCEEDED", "NUMBER_MAXTOTAL_EXCEEDED", "SOLD"]
    await banca.write("PUT", path, limits(None, n55="50.00"))
    judged = [await offered(api, arena, "200.00", number) for number in ("07", "13", "55")]
    assert judged == ["SOLD", "SOLD", "NUMBER_MAXTOTAL_EXCEEDED"]
    await banca.write("PUT", path, limits())
    assert await banca.get(path) == nothing
    assert await offered(api, arena, "200.00", "55") == "SOLD"


async def test_the_limits_of_a_draw_that_is_over_stand(banca: Ruler, arena: Arena) -> None:
    for place, status in enumerate(("CLOSED", "EVALUATED")):
        over = await arena.add_sorteo(minutes=100 + place, status=status)
        before = await stored_rules(arena.owner)
        answer = await banca.send("PUT", f"{API}/sorteos/{over}/limits", limits("1.00"))
        assert (answer.status, answer.code) == (409, "SORTEO_CLOSED")
        assert await stored_rules(arena.owner) == before
    scheduled = await arena.add_sorteo(minutes=200, status="SCHEDULED")
    await banca.write("PUT", f"{API}/sorteos/{scheduled}/limits", limits("1.00"))


async def test_numbers_are_as_wide_as_the_draw(banca: Ruler, arena: Arena) -> None:
    wide = await arena.add_sorteo(minutes=300, digits=3)
    table = [
        (arena.sorteo_id, "7", "NUMBER_WIDTH_INVALID"),
        (arena.sorteo_id, "007", "NUMBER_WIDTH_INVALID"),
        (arena.sorteo_id, "x7", "NUMBER_INVALID"),
        (arena.sorteo_id, 7, "FIELD_INVALID"),
        (wide, "07", "NUMBER_WIDTH_INVALID"),
    ]
    before = await stored_rules(arena.owner)
    for sorteo_id, number, code in table:
        document = {"globalLimit": None, "numberLimits": [{"number": number, "maxAmount": 1}]}
        answer = await banca.send("PUT", f"{API}/sorteos/{sorteo_id}/limits", document)
        assert (answer.status, answer.code) == (400, "VALIDATION_FAILED")
        told = [(violation["code"], violation["field"]) for violation in answer.json()["violations"]]
        assert told == [(code, "numberLimits[0].number")]
    assert await stored_rules(arena.owner) == before
    whole = {f"n{number:03d}": number for number in range(1_000)}
    written = await banca.write("PUT", f"{API}/sorteos/{wide}/limits", limits(0, **whole))
    assert [limit["number"] for limit in written["numberLimits"]] == [name[1:] for name in whole]
