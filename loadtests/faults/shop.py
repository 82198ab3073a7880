"""A banca of the round's own: sellers with terminals, open draws, and some numbers of which little may be sold."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from cli.demo import prepare
from cli.stack import Stack
from cli.trouble import Trouble
from loadtests.wire import ConnectionLost, PlainWire, Request

SELLERS = 10
DRAWS = 2
# So that there are refusals to be recorded.
SCARCE_NUMBERS, SCARCE_AMOUNT = 10, "8000.00"
TOKEN_TTL_S = 3600
DRAW_IN_S = 24 * 3600
LIMITED_WITHIN_S = 10.0
POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Shop:
    """sellers: as `./banca demo --json` describes them."""

    sellers: Sequence[Mapping[str, str]]
    draw_ids: Sequence[str]
    multiplier_id: str


async def open_shop(stack: Stack) -> Shop:
    demo = await prepare(
        stack, sellers=SELLERS, sorteos=DRAWS, draw_in_s=DRAW_IN_S, digits=2, new_banca=True, token_ttl_s=TOKEN_TTL_S
    )
    for draw_id in demo["sorteoIds"]:
        await limit(stack, draw_id, token=demo["admin"]["token"])
    return Shop(demo["sellers"], demo["sorteoIds"], demo["multiplierId"])


async def limit(stack: Stack, draw_id: str, *, token: str) -> None:
    limits = [{"number": f"{number:02d}", "maxAmount": SCARCE_AMOUNT} for number in range(SCARCE_NUMBERS)]
    body = orjson.dumps({"globalLimit": None, "numberLimits": limits})
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "If-Match": "*"}
    request = Request("limits", "PUT", f"/api/v1/sorteos/{draw_id}/limits", headers, body)
    deadline_s = time.monotonic() + LIMITED_WITHIN_S
    said = ""
    while time.monotonic() < deadline_s:
        # The round before may have left an API process that is just starting.
        try:
            answer = await asyncio.to_thread(PlainWire(stack.api_url).send, request)
        except ConnectionLost as lost:
            said = str(lost)
        else:
            if answer.is_ok:
                return
            said = f"{answer.status} {answer.code}"
        await asyncio.sleep(POLL_S)
    raise Trouble(f"the draw's limits could not be set: {said}")
