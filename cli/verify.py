"""`./banca verify`: are the books right? A line, a table, or JSON; exit code 1 on any finding."""

from __future__ import annotations

import asyncio
from pathlib import Path

from cli.database_check import talking_to
from cli.owner_connection import owner_url_of
from cli.printing import plain, print_json
from core.books import CHECKS, BooksReport, check_books
from core.domain.text import shown

FINDINGS_SHOWN_MAX = 20


def run(*, json: bool, data: Path, verbose: bool = False) -> int:
    owner_url = owner_url_of(data)
    with talking_to(owner_url):
        report = asyncio.run(check_books(owner_url))
    if json:
        print_json(document(report), indent=False)
    elif verbose:
        show(report)
    else:
        show_briefly(report)
    return 1 if report.findings else 0


def document(report: BooksReport) -> dict[str, object]:
    return {
        "at": report.at.isoformat(),
        "ok": not report.findings,
        "auditBegins": report.audit_begins and report.audit_begins.isoformat(),
        "checks": [
            {"name": name, "proves": promise, "findings": len(report.findings_of(name))}
            for name, promise in CHECKS.items()
        ],
        "findings": [
            {"check": finding.check, "bancaId": str(finding.banca_id), "finding": finding.text}
            for finding in report.findings
        ],
    }


def show_briefly(report: BooksReport) -> None:
    """One line when the books are right; else a line for each finding."""
    cut = (
        "" if report.audit_begins is None else f"; retention cut the audit trail before {report.audit_begins:%Y-%m-%d}"
    )
    if not report.findings:
        print(f"The books are right: {len(CHECKS)} checks, nothing to find{cut}.")
        return
    for finding in report.findings[:FINDINGS_SHOWN_MAX]:
        print(shown(f"{finding.check}: {finding.text} (banca {finding.banca_id})"))
    if len(report.findings) > FINDINGS_SHOWN_MAX:
        print(f"… and {len(report.findings) - FINDINGS_SHOWN_MAX} more; --json prints them all")
    failed = len({finding.check for finding in report.findings})
    print(f"The books are wrong: {len(report.findings)} findings of {failed} of {len(CHECKS)} checks{cut}.")


def show(report: BooksReport) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"The books at {report.at.isoformat(timespec='seconds')}", title_justify="left")
    table.add_column("check")
    table.add_column("what it proves")
    table.add_column("findings", justify="right")
    for name, promise in CHECKS.items():
        count = len(report.findings_of(name))
        table.add_row(name, promise, str(count) if count else "—", style="red" if count else None)
    console = Console()
    console.print(table)
    if report.audit_begins is not None:
        console.print(f"The audit trail begins at {report.audit_begins.isoformat()}: retention cut what was before.")
    for finding in report.findings[:FINDINGS_SHOWN_MAX]:
        console.print(f"[red]{finding.check}[/red] {plain(finding.text)} (banca {finding.banca_id})", highlight=False)
    if len(report.findings) > FINDINGS_SHOWN_MAX:
        console.print(f"… and {len(report.findings) - FINDINGS_SHOWN_MAX} more; --json prints them all")
    if not report.findings:
        console.print("Nothing to find.")
