"""The books: every promise about the stored data, checked on one snapshot of it.

What needs a client's history (nothing acknowledged was lost) or metrics is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from uuid import UUID

import asyncpg

from core.audit_chain import verify_chain
from core.database import prepare_connection
from core.limit_history import over_limits
from core.queries import sql

# The relay and the audit follow the commit; what is younger than this may still be on its way.
PIPELINE_GRACE = timedelta(seconds=10)
CONNECT_TIMEOUT_S = 10.0
CHECK_TIMEOUT_S = 900.0

# Name of the check (and of its file under sql/queries/books) → what it proves.
CHECKS: Mapping[str, str] = MappingProxyType(
    {
        "account_balances": "each stored balance is the sum of its transfers; the overdraft that each account is allowed is what it owes beyond its limit",
        "transfer_accounts": "every transfer moves between two accounts of its banca",
        "ticket_transfers": "every ticket has the transfers of its sale and of what moved it later, once",
        "ticket_jugadas": "a ticket's totals are those of its lines",
        "exposure": "each counter is the live stakes it stands for",
        "payouts": "what each number may have to pay is what its live jugadas say, and the books can hold it",
        "caps": "no sale exceeded the cap of its rulebook version",
        "limits": "no sale exceeded any other limit of its rulebook version",
        "rulebook_versions": "every ticket's rulebook version is on record",
        "sequences": "ticket numbers of a draw run without a gap",
        "idempotency": "one key, one outcome; one ticket, one key",
        "sold_in_time": "no ticket was sold after its draw",
        "sold_while_open": "no ticket was sold while its draw was not open",
        "sorteo_states": "a draw's history has no hole and ends in the draw's state",
        "prizes": "what each jugada won by its draw's result is its prize, to the cent",
        "prize_transfers": "a ticket's prizes went to its seller once, and back once if they were taken back",
        "evaluations": "no evaluation has failed or stands still",
        "results": "each draw's ledger adds up, and the draw is in the state of its result",
        "jugada_moves": "a jugada counts or not as the last event that moved it says",
        "exclusions": "what an exclusion covers does not count, and nothing was sold past one",
        "payments": "prizes were handed out within the prize, and nothing past what closed it",
        "cash_memos": "cash above the prize that stands is the ticket's memo, to the cent",
        "write_offs": "every write-off of such cash is in the ledger, once",
        "sorteo_takings": "what an evaluated draw came to for each seller is what its jugadas say",
        "movement_transfers": "every movement of money between bank and sellers is in the ledger, once",
        "statements": "every day of a statement is what its tickets and movements say",
        "statement_chain": "every day begins with what the day before ended with",
        "statement_ledger": "statements and ledger agree on what each seller owes",
        "monthly_closings": "a closed month begins and ends with what its days say",
        "events_published": "every event left the outbox",
        "events_audited": "every event has its audit record, once",
        "audit_sequences": "the trail tells every sale of a draw, without a hole",
        "audit_chain": "the audit chain has no gap and recomputes",
    }
)
PIPELINE_CHECKS = frozenset({"statements", "events_published", "events_audited", "audit_sequences"})


@dataclass(frozen=True, slots=True)
class Finding:
    check: str
    banca_id: UUID
    text: str


@dataclass(frozen=True, slots=True)
class BooksReport:
    """findings: none when the books are right. audit_begins: None while nothing was cut off any trail by retention."""

    at: datetime
    findings: tuple[Finding, ...]
    audit_begins: datetime | None

    def findings_of(self, check: str) -> list[Finding]:
        return [finding for finding in self.findings if finding.check == check]


async def check_books(owner_url: str, *, pipeline_grace: timedelta | None = None) -> BooksReport:
    """Check every banca on one REPEATABLE READ snapshot. Raises asyncpg's errors and OSError.

    pipeline_grace: how young an event may still be on its way; None: PIPELINE_GRACE.
    """
    grace = PIPELINE_GRACE if pipeline_grace is None else pipeline_grace
    connection = await asyncpg.connect(
        owner_url, timeout=CONNECT_TIMEOUT_S, command_timeout=CHECK_TIMEOUT_S, statement_cache_size=0
    )
    try:
        await prepare_connection(connection)
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            at = await connection.fetchval("SELECT now()")
            begins = await connection.fetchval(sql("books/audit_begins"))
            findings: list[Finding] = []
            for check in CHECKS:
                findings += await _check(connection, check, grace)
            return BooksReport(at, tuple(findings), begins)
    finally:
        await connection.close()


async def _check(connection: asyncpg.Connection[asyncpg.Record], check: str, grace: timedelta) -> list[Finding]:
    if check == "audit_chain":
        return await _check_chains(connection)
    if check == "limits":
        return [Finding(check, banca_id, text) async for banca_id, text in over_limits(connection)]
    await connection.execute(sql("books/whole_tables"))
    arguments = [grace] if check in PIPELINE_CHECKS else []
    rows = await connection.fetch(sql(f"books/{check}"), *arguments)
    return [Finding(check, row["banca_id"], row["finding"]) for row in rows]


async def _check_chains(connection: asyncpg.Connection[asyncpg.Record]) -> list[Finding]:
    findings = []
    for banca in await connection.fetch(sql("books/bancas")):
        broken = (await verify_chain(connection, banca["id"])).first_break
        if broken is not None:
            where = "a row without a link" if broken.position is None else f"position {broken.position}"
            text = f"{broken.fault} at {where} (event {broken.event_id})"
            findings.append(Finding("audit_chain", banca["id"], text))
    return findings
