from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from api.pages import make_cursor
from core.domain.calendar import costa_rica_date
from core.domain.permissions import Role
from tests.arena import Arena
from tests.running_api import RunningApi

SORTEOS = "/api/v1/sorteos"
LOTERIAS = "/api/v1/loterias"
TERMINALS = "/api/v1/terminals"


async def test_a_sorteo_is_shown_with_its_place_in_the_day(api: RunningApi, arena: Arena) -> None:
    answer = await api.get(f"{SORTEOS}/{arena.sorteo_id}", token=arena.seller.token)
    assert answer.status == 200
    shown = answer.json()
    row = await arena.owner.fetchrow("SELECT * FROM sorteos WHERE id = $1", arena.sorteo_id)
    assert row is not None
    assert shown["scheduledAt"] == row["scheduled_at"].strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    assert (shown["status"], shown["digits"], shown["dailyOrdinal"]) == ("OPEN", 2, 1)
    assert shown["businessDate"] == row["business_date"].isoformat()
    assert (shown["loteriaId"], shown["loteriaName"]) == (str(arena.loteria_id), "Tica")


async def test_sorteos_are_found_by_state_day_and_lottery(api: RunningApi, arena: Arena) -> None:
    closed = await arena.add_sorteo(minutes=3 * 24 * 60, status="CLOSED")
    day = costa_rica_date(datetime.now(UTC) + timedelta(days=3))
    table = {
        "": {closed, arena.sorteo_id},
        "status=OPEN": {arena.sorteo_id},
        "status=CLOSED": {closed},
        f"date={day}": {closed},
        "date=2020-01-01": set(),
        f"loteriaId={arena.loteria_id}": {closed, arena.sorteo_id},
        f"loteriaId={uuid4()}": set(),
        "_=12345": {closed, arena.sorteo_id},
    }
    for query, wanted in table.items():
        answer = await api.get(f"{SORTEOS}?{query}", token=arena.seller.token)
        assert {row["id"] for row in answer.json()["data"]} == {str(each) for each in wanted}, query


async def test_sorteos_are_read_page_by_page(api: RunningApi, arena: Arena) -> None:
    for place in range(4):
        await arena.add_sorteo(minutes=100 + place)
    seen, cursor = [], ""
    while True:
        page = (await api.get(f"{SORTEOS}?pageSize=2{cursor}", token=arena.seller.token)).json()
        seen += [row["scheduledAt"] for row in page["data"]]
        if "nextCursor" not in page["meta"] or page["meta"]["nextCursor"] is None:
            break
        cursor = f"&cursor={page['meta']['nextCursor']}"
    assert len(seen) == 5
    assert seen == sorted(seen, reverse=True)


@pytest.mark.parametrize(
    "query", ["status=open", "date=1700000000", "date=2026-02-30", "date=21-11-2026", "loteriaId=7"]
)
async def test_a_wrong_filter_is_refused(api: RunningApi, arena: Arena, query: str) -> None:
    answer = await api.get(f"{SORTEOS}?{query}", token=arena.seller.token)
    assert (answer.status, answer.code) == (400, "VALIDATION_FAILED")


@pytest.mark.parametrize("path", [SORTEOS, LOTERIAS])
async def test_an_id_that_is_none_is_a_bad_request_and_an_unknown_one_is_not_found(
    api: RunningApi, arena: Arena, path: str
) -> None:
    malformed = await api.get(f"{path}/seven", token=arena.seller.token)
    assert (malformed.status, malformed.code) == (400, "VALIDATION_FAILED")
    unknown = await api.get(f"{path}/{uuid4()}", token=arena.seller.token)
    assert unknown.status == 404


async def test_a_lottery_comes_with_its_rules_and_active_multipliers(api: RunningApi, arena: Arena) -> None:
    gone = await arena.add_multiplier("Gone", 100)
    await arena.owner.execute("UPDATE loteria_multipliers SET is_active = false WHERE id = $1", gone)
    reventado = await arena.add_multiplier("Reventado", 20_050, kind="REVENTADO")
    listed = (await api.get(LOTERIAS, token=arena.seller.token)).json()["data"]
    one = (await api.get(f"{LOTERIAS}/{arena.loteria_id}", token=arena.seller.token)).json()
    assert listed == [one]
    assert one["name"] == "Tica"
    assert one["rulesJson"]["digits"] == 2
    assert [(row["id"], row["kind"], row["valueX"]) for row in one["multipliers"]] == [
        (str(arena.multiplier_id), "NUMERO", "90.00"),
        (str(reventado), "REVENTADO", "200.50"),
    ]


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        (LOTERIAS, ["a\0", str(uuid4())]),
        (LOTERIAS, [7, str(uuid4())]),
        *(
            (path, [instant, str(uuid4())])
            for path in (SORTEOS, TERMINALS)
            for instant in (
                "0001-01-01T00:00:00+14:00",
                "9999-12-31T23:59:59-14:00",
                "2026-11-21T00:00:00",
                "soon",
                7,
                None,
            )
        ),
    ],
)
async def test_a_cursor_that_no_list_made_is_refused(
    api: RunningApi, arena: Arena, path: str, keys: Sequence[object]
) -> None:
    admin = await arena.add_user(Role.ADMIN)
    answer = await api.get(
        f"{path}?cursor={make_cursor(keys)}", token=admin.token, X_Active_Banca_Id=str(arena.banca_id)
    )
    assert (answer.status, answer.code) == (400, "VALIDATION_FAILED")
    assert "Not a cursor of this list." in answer.body.decode()
