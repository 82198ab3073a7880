"""`./banca explain CASE.json`: the till's judgement of a described ticket. Exit code 0 sold, 1 refused, 2 malformed."""

from __future__ import annotations

import json as json_text
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from cli.printing import plain
from cli.trouble import Trouble
from core.domain.explain import CaseError, explain
from core.domain.money import read_json_number
from core.domain.text import escaped_json

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

SOLD, REFUSED = 0, 1


class CaseTrouble(Trouble):
    """The case cannot be read, or is none."""

    exit_code = 2


def run(*, case: Path, json: bool) -> int:
    decision: dict[str, Any] = explained(case)
    if json:
        print(escaped_json(json_text.dumps(decision, ensure_ascii=False, indent=2)))
    else:
        show(decision)
    return SOLD if decision["decision"] == "SOLD" else REFUSED


def explained(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CaseTrouble(f"{path}: cannot be read: {error}") from error
    try:
        return explain(json_text.loads(text, parse_float=read_json_number, parse_constant=_refuse_constant))
    except (ValueError, RecursionError) as error:
        # json's error and CaseError are ValueErrors that say where.
        said = error if isinstance(error, CaseError) else f"no JSON: {error}"
        raise CaseTrouble(f"{path}: {said}") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def show(decision: Mapping[str, Any]) -> None:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    colour = "green" if decision["decision"] == "SOLD" else "red"
    console.print(
        f"[bold {colour}]{decision['decision']}[/] at {decision['at']}, business date {decision['businessDate']}"
    )
    if "cutoff" in decision:
        _show_terms(console, decision)
    for title in ("violations", "warnings"):
        for one in decision.get(title, ()):
            place = f" ({_plain(one['field'])})" if "field" in one else ""
            rule = f" [rule {one['ruleId']}]" if one.get("ruleId") else ""
            console.print(f"{title[:-1]}: [bold]{one['code']}[/] {_plain(one['message'] + rule)}{place}")
    for defect in decision["defects"]:
        console.print(f"passed over: {_plain(defect)}")


def _show_terms(console: Console, decision: Mapping[str, Any]) -> None:
    cutoff, hours, holds = decision["cutoff"], decision["salesHours"], decision["holds"]
    rule = f", rule {cutoff['ruleId']}" if cutoff["ruleId"] else ""
    reached = "reached" if cutoff["reached"] else "not reached"
    console.print(
        _plain(f"sold by {decision['createdByRole']} for {decision['vendedorId']} of {decision['ventanaId']}")
    )
    console.print(
        _plain(
            f"cutoff {cutoff['minutes']} min ({cutoff['source']}{rule}): sales end at {cutoff['salesEndAt']}, {reached}"
        )
    )
    if hours["until"]:
        console.print(f"sales hours: {'open' if hours['open'] else 'closed'} until {hours['until']}")
    if holds["from"] or holds["until"]:
        console.print(f"the rules are the same from {holds['from'] or 'ever'} until {holds['until'] or 'for ever'}")
    for table in (_jugadas(decision["jugadas"]), _limits(decision["limits"])):
        if table.rows:
            console.print()
            console.print(table)
    console.print()


def _jugadas(jugadas: Iterable[Mapping[str, Any]]) -> Table:
    rows = []
    for jugada in jugadas:
        asked = (f"{jugada['line']}", f"{jugada['type']} {jugada['number']}", jugada["amount"])
        multiplier = jugada["multiplier"]
        if multiplier is None:
            rows.append((*asked, "none", "", ""))
            continue
        earned = (_commission(jugada[key]) for key in ("commission", "listeroCommission"))
        rows.append((*asked, f"{multiplier['x']} ({multiplier['source']})", *earned))
    return _table(("", "jugada", "amount", "multiplier", "seller's commission", "listero's commission"), rows)


def _commission(earned: Mapping[str, Any]) -> str:
    if earned["origin"] is None:
        return "no policy"
    rule = f", {earned['ruleId']}" if earned["ruleId"] else ""
    return f"{earned['amount']} = {earned['percent']} % ({earned['origin']}{rule})"


def _limits(limits: Iterable[Mapping[str, Any]]) -> Table:
    rows = []
    for limit in limits:
        counts = "" if limit["counts"] == "ALL" else f" {limit.get('multiplierName', limit['counts'])}"
        rows.append(
            (
                limit["number"] or "all",
                limit["ruleId"] or limit["source"],
                f"{'ticket' if limit['perTicket'] else limit['scope']}{counts}",
                limit["amount"],
                f"{limit['limit'] or '—'}{' dynamic' if limit['dynamic'] and limit['dynamic'] == limit['limit'] else ''}",
                limit["used"],
                limit["available"] or "—",
                limit["verdict"],
            )
        )
    return _table(("number", "limit", "counted per", "bet", "may reach", "used", "left", "verdict"), rows)


def _table(headers: Iterable[str], rows: Iterable[Iterable[str]]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for header in headers:
        table.add_column(header, overflow="fold")
    for row in rows:
        cells = [_plain(cell) for cell in row]
        table.add_row(*cells, style="red" if "EXCEEDED" in cells else None)
    return table


def _plain(text: str) -> str:
    """A name in a case is no markup."""
    return plain(text)
