"""`./banca sell`: a ticket from the demo terminal, over HTTP and signed like any POS."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cli.data_directory import DEMO_FILE, MEND_DEMO
from cli.pos import Answer, NoAnswer, Pos
from cli.printing import print_json
from cli.private_files import read_json_object
from cli.stack import DEFAULT_DATA, Stack
from cli.trouble import Trouble
from core.domain.text import shown

PAGE_SIZE = 100
# Draws are listed latest first; whoever has more open ones names the draw with --sorteo.
PAGES_MAX = 20


def run(
    *, number: str, amount: str, reventado: str | None, sorteo: str | None, key: str | None, json: bool, data: Path
) -> int:
    """Sell, and print the receipt or the refusal. Returns the exit code: 1 when nothing was sold."""
    stack, demo = Stack.load(data), read_demo(data)
    key = key or f"sell-{secrets.token_hex(8)}"
    pos = Pos(stack.api_url, demo["terminalId"], demo["secret"])
    pos.log_in(username=demo["sellerUsername"], password=demo["sellerPassword"])
    draw = draw_named(pos, sorteo) if sorteo else next_open_draw(pos, digits=len(number), data=data)
    ticket = ticket_on(draw, demo, number=number, amount=amount, reventado=reventado)
    try:
        answer = pos.post("/api/v1/tickets", ticket, key=key)
    except NoAnswer as trouble:
        raise NoAnswer(f"{trouble}; it may be sold: ask again with --sorteo {draw['id']} --key {key}") from trouble
    if json:
        print_json(answer.document, indent=False)
    elif answer.is_ok:
        print("\n".join(receipt(answer, draw, key=key)))
    else:
        sys.stderr.write(f"banca: {refusal(answer.document)}\n")
    return 0 if answer.is_ok else 1


def read_demo(data: Path) -> Mapping[str, str]:
    demo: dict[str, str] = read_json_object(data / DEMO_FILE, mend=MEND_DEMO)
    if not demo:
        raise Trouble(
            f"there is no demo terminal here ({data / DEMO_FILE}): `./banca up` makes one with the demo banca; of a"
            " database that DATABASE_URL names only `./banca up --demo` does"
        )
    return demo


def draw_named(pos: Pos, sorteo_id: str) -> dict[str, Any]:
    answer = pos.get(f"/api/v1/sorteos/{quote(sorteo_id, safe='')}")
    if not answer.is_ok:
        raise Trouble(refusal(answer.document))
    return answer.document


def next_open_draw(pos: Pos, *, digits: int, data: Path) -> dict[str, Any]:
    """Of the open draws that are still to come the nearest, if there is one of those that take such numbers."""
    coming = list(coming_draws(pos))
    if not coming:
        option = "" if data.resolve() == DEFAULT_DATA else f" --data {data}"
        raise Trouble(f"no draw is open for sale: make one with ./banca demo{option}")
    fitting = [draw for draw in coming if draw["digits"] == digits]
    return min(fitting or coming, key=lambda draw: instant(draw["scheduledAt"]))


def coming_draws(pos: Pos) -> Sequence[dict[str, Any]]:
    """Open draws whose hour has not come, as many as PAGES_MAX pages hold."""
    now = datetime.now(UTC)
    coming: list[dict[str, Any]] = []
    target = f"/api/v1/sorteos?status=OPEN&pageSize={PAGE_SIZE}"
    cursor = ""
    for _ in range(PAGES_MAX):
        answer = pos.get(target + cursor)
        if not answer.is_ok:
            raise Trouble(refusal(answer.document))
        page = [draw for draw in answer.document["data"] if instant(draw["scheduledAt"]) > now]
        coming += [draw for draw in page if draw["isActive"]]
        following = answer.document["meta"].get("nextCursor")
        if len(page) < len(answer.document["data"]) or not following:
            break
        cursor = f"&cursor={quote(following, safe='')}"
    return coming


def ticket_on(
    draw: Mapping[str, Any], demo: Mapping[str, str], *, number: str, amount: str, reventado: str | None
) -> dict[str, Any]:
    # The demo's multiplier belongs to its own lottery; elsewhere the lottery's base is taken.
    is_demos = draw["loteriaId"] == demo["loteriaId"]
    chosen = {"multiplierId": demo["multiplierId"]} if is_demos else {}
    jugadas = [{"type": "NUMERO", "number": number, "amount": amount, **chosen}]
    if reventado is not None:
        jugadas.append({"type": "REVENTADO", "number": number, "reventadoNumber": number, "amount": reventado})
    return {"sorteoId": draw["id"], "loteriaId": draw["loteriaId"], "jugadas": jugadas}


def receipt(answer: Answer, draw: Mapping[str, Any], *, key: str) -> list[str]:
    ticket = answer.document
    again = " (sold before under this key)" if answer.headers.get("idempotent-replayed") == "true" else ""
    lines = [
        f"Ticket {ticket['ticketNumber']}{again}",
        f"  {draw['loteriaName']}, {draw['name']}: {instant(draw['scheduledAt']):%Y-%m-%d %H:%M} UTC",
        *(f"  {jugada_line(jugada)}" for jugada in ticket["jugadas"]),
        f"  {'Total':<14}{ticket['totalAmount']:>12}",
        f"  key {key}",
    ]
    return [shown(line) for line in lines]


def jugada_line(jugada: Mapping[str, str]) -> str:
    line = f"{jugada['number']:<4}{jugada['type']:<10}{jugada['amount']:>12}"
    # What a REVENTADO pays is decided by its draw.
    return f"{line}  × {jugada['finalMultiplierX']}" if jugada["type"] == "NUMERO" else line


def refusal(problem: Mapping[str, Any]) -> str:
    """As a person reads it: what is wrong, then each rule that was broken unless that is all there is to say."""
    violations = problem.get("violations", [])
    headline = f"{problem['detail']} ({problem['code']})"
    if len(violations) == 1 and violations[0]["message"] in headline:
        return shown(headline)
    return "\n".join([shown(headline), *(shown(violation_line(violation)) for violation in violations)])


def violation_line(violation: Mapping[str, str]) -> str:
    place = f"{violation['field']}: " if violation.get("field") else ""
    return f"  {place}{violation['message']} ({violation['code']})"


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
