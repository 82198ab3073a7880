"""Nothing that a user sends or stores holds the event loop: processor time between two awaits, of the largest of everything."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import asyncpg

from api.context import PublicContext
from api.operations import PATH_PARAMETER, PUBLIC, Operation
from api.routes import OPERATIONS
from core.domain.permissions import Role
from core.settings import Settings
from tests.api.ruling import RESTRICTIONS
from tests.arena import Arena, Person
from tests.loop_meter import metered_loop, unit_s
from tests.pos import Pos, new_key
from tests.running_api import RunningApi

SELLERS, LOTERIAS = 1_000, 10
JUGADAS, TICKETS = 200, 500
# As many as fit into the bytes of a batch.
LONG_TICKETS = 170
# Of counting to a million, which takes some hundredths of a second: so long nothing may hold the loop.
UNITS_MAX = 2
UUID_TEXT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
CHUNK_BYTES = 64 * 1024


async def fill(arena: Arena) -> None:
    """As much of every kind as a banca may have in force by default, all of it in force now."""
    owner, banca = arena.owner, arena.banca_id
    bounds = Settings.model_fields
    await owner.execute("SET session_replication_role = replica")
    await owner.execute(
        "INSERT INTO users (id, banca_id, ventana_id, role, username, name, password_hash)"
        " SELECT gen_random_uuid(), $1, $2, 'VENDEDOR', 'crowd-' || n, 'crowd ' || n, 'x' FROM generate_series(1, $3) n",
        banca, arena.ventana_id, SELLERS,
    )  # fmt: skip
    await owner.execute(
        "INSERT INTO loterias (banca_id, id, name, rules) SELECT $1, gen_random_uuid(), 'L' || n, '{\"digits\": 3}'"
        " FROM generate_series(2, $2) n",
        banca, LOTERIAS,
    )  # fmt: skip
    await owner.execute(
        "INSERT INTO multiplier_overrides (id, banca_id, user_id, loteria_id, multiplier_type, x_hundredths)"
        " SELECT gen_random_uuid(), $1, u.id, l.id, 'NUMERO', 8000 FROM users u, loterias l"
        " WHERE u.banca_id = $1 AND l.banca_id = $1 AND u.role = 'VENDEDOR' LIMIT $2",
        banca, bounds["banca_overrides_max"].default,
    )  # fmt: skip
    await owner.execute(
        "INSERT INTO loteria_multipliers (banca_id, id, loteria_id, name, kind, value_x_hundredths)"
        " SELECT $1, gen_random_uuid(), $2, 'M' || n, 'NUMERO', 1000 + n FROM generate_series(2, $3) n",
        banca, arena.loteria_id, bounds["banca_multipliers_max"].default,
    )  # fmt: skip
    # 1,000 numbers, counted together and of each seller apart, for the banca, the ventana and the seller.
    await owner.execute(
        "INSERT INTO restriction_rules (id, banca_id, whole_banca, ventana_id, user_id, number, max_total_cents,"
        " max_amount_cents, applies_to_vendedor, message)"
        " SELECT gen_random_uuid(), $1, s = 1, CASE s WHEN 2 THEN $2::uuid END, CASE s WHEN 3 THEN $3::uuid END, n,"
        "        1000000000, 1000000000, a, repeat('x', 255)"
        "   FROM generate_series(1, 3) s, generate_series(0, 999) n, (VALUES (false), (true)) v (a) LIMIT $4",
        banca, arena.ventana_id, arena.seller.id, bounds["banca_restrictions_max"].default,
    )  # fmt: skip
    policy = {"version": 1, "defaultPercent": "1.00", "rules": policy_rules(1_000)}
    await owner.execute(
        "UPDATE users SET commission_policy = $2 WHERE id IN (SELECT id FROM users WHERE banca_id = $1 AND role = 'VENDEDOR'"
        " ORDER BY id = $3 DESC LIMIT $4)",
        banca, json.dumps(policy), arena.seller.id, bounds["banca_commission_rules_max"].default // 1_000 - 2,
    )  # fmt: skip
    await owner.execute("SET session_replication_role = origin")
    await owner.execute("ANALYZE")
    # One version that has all of it.
    await owner.execute("UPDATE bancas SET default_min_bet_cents = 1 WHERE id = $1", banca)


def policy_rules(count: int) -> list[dict[str, Any]]:
    return [
        {"id": str(uuid.uuid4()), "multiplierRange": {"min": f"{n}.01", "max": f"{n}.02"}, "percent": "12.34"}
        for n in range(1, count + 1)
    ]


@dataclass(frozen=True)
class Sent:
    """A request. statuses: what it may be answered with: nothing is measured of one that does not get where it should."""

    method: str
    target: str
    body: bytes | None = None
    statuses: tuple[int, ...] = (200, 201)


def ticket(arena: Arena, jugadas: int = JUGADAS) -> dict[str, Any]:
    lines = [{"type": "NUMERO", "number": f"{n:03d}", "amount": "1.00"} for n in range(jugadas)]
    return {"sorteoId": str(arena.sorteo_id), "jugadas": lines}


def largest_legal(arena: Arena, rule_id: uuid.UUID) -> dict[str, Sent]:
    """The largest body that each operation takes which takes a large one, and edits of the fullest rulebook."""
    numbers = [f"{n:03d}" for n in range(1_000)]
    one_rule = f"{RESTRICTIONS}/{rule_id}"
    policy = {"commissionPolicyJson": {"version": 1, "defaultPercent": "1.00", "rules": policy_rules(1_000)}}
    schedule = {"frequency": "diario", "times": ["19:30"] * 96, "daysOfWeek": [1, 2, 3]}
    rules_json = {"digits": 3, "drawSchedules": [schedule] * 50}
    limits = {"globalLimit": "9.00", "numberLimits": [{"number": n, "maxAmount": "1000000.00"} for n in numbers]}
    restriction = {"bancaId": str(arena.banca_id), "appliesToDate": "2031-01-01", "maxTotal": "5.00", "number": numbers}
    taken = restriction | {"appliesToDate": None, "loteriaId": None}
    batch, rule = "/api/v1/tickets/batch", "/api/v1/restrictions"
    return {
        "a rule for each number": Sent("POST", rule, body(restriction | {"message": "y" * 255, "isActive": False})),
        "a rule for each number, all there": Sent("POST", rule, body(taken), (409,)),
        "a rule changed": Sent("PATCH", one_rule, body({"maxTotal": "77.00"})),
        "a rule switched off": Sent("DELETE", one_rule),
        "a rule switched on": Sent("POST", f"{one_rule}/restore"),
        "a policy": Sent("PUT", f"/api/v1/users/{arena.sellers[1].id}/commission-policy", body(policy)),
        "a policy again": Sent("PUT", f"/api/v1/users/{arena.sellers[1].id}/commission-policy", body(policy)),
        "a policy of the banca": Sent("PUT", f"/api/v1/bancas/{arena.banca_id}/commission-policy", body(policy)),
        "a lottery's rules": Sent("PATCH", f"/api/v1/loterias/{arena.loteria_id}", body({"rulesJson": rules_json})),
        "limits of a draw": Sent("PUT", f"/api/v1/sorteos/{arena.sorteo_id}/limits", body(limits)),
        "the limits again": Sent("PUT", f"/api/v1/sorteos/{arena.sorteo_id}/limits", body(limits)),
        "an override": Sent("PUT", f"/api/v1/multiplier-overrides/{rule_id}", body({"baseMultiplierX": "9.00"}), (404,)),
        "a ticket": Sent("POST", "/api/v1/tickets", body(ticket(arena))),
        "a batch of long tickets": Sent("POST", batch, body({"tickets": [keyed(ticket(arena)) for _ in range(LONG_TICKETS)]})),
        "a batch of many tickets": Sent("POST", batch, body({"tickets": [keyed(ticket(arena, 1)) for _ in range(TICKETS)]})),
    }  # fmt: skip


def readings(arena: Arena) -> dict[str, Sent]:
    """Every list at its largest page, and what is computed of all rules or all numbers."""
    names = {
        "sorteoId": arena.sorteo_id, "loteriaId": arena.loteria_id, "bancaId": arena.banca_id,
        "ventanaId": arena.ventana_id, "userId": arena.seller.id, "name": "daily-settlement", "date": "2026-01-15",
    }  # fmt: skip
    found: dict[str, Sent] = {}
    for operation in OPERATIONS:
        if operation.method != "GET" or operation.permission is PUBLIC:
            continue
        path = PATH_PARAMETER.sub(lambda part: str(names.get(part[1], uuid.UUID(int=1))), operation.path)
        paged = operation.query is not None and "page_size" in operation.query.model_fields
        found[f"GET {operation.path}"] = Sent(
            "GET", f"{path}?pageSize=100" if paged else path, None, (200, 400, 403, 404, 409)
        )
    draw, seller = arena.sorteo_id, arena.seller.id
    return found | {
        "balances of all numbers": Sent(
            "GET", f"/api/v1/tickets/validation/balances?sorteoId={draw}&vendedorId={seller}"
        ),
        "exposure of all numbers": Sent("GET", f"/api/v1/sorteos/{draw}/exposure?payouts=true"),
        "a schedule's preview": Sent(
            "GET", f"/api/v1/loterias/{arena.loteria_id}/preview_schedule?days=31", None, (200, 400)
        ),
    }


def garbage(operation: Operation, bytes_max: int) -> dict[str, bytes]:
    """Bodies of the largest size that are refused, each costly to look at in another way."""
    members = ",".join(f'"{n:x}":1' for n in range(bytes_max // 9))[: bytes_max - 20].rpartition(",")[0]
    tickets = '{"tickets":[' if operation.batch else '{"jugadas":['
    return {
        "unknown members": f"{{{members}}}".encode(),
        "a long list": (tickets + ",".join(["{}"] * ((bytes_max - 20) // 3)) + "]}").encode(),
        "nested lists": ('{"a":[' + ",".join(["[[[[]]]]"] * ((bytes_max - 20) // 9)) + "]}").encode(),
        "colons in a text": ('{"a":"' + ":" * (bytes_max - 10) + '"}').encode(),
        "escapes": ('{"a":"' + "\\u0000" * ((bytes_max - 10) // 6) + '"}').encode(),
        "a long number": ('{"a":' + "9" * (bytes_max - 10) + "}").encode(),
        "a long decimal": ('{"a":0.' + "9" * (bytes_max - 10) + "}").encode(),
        "not closed": ("[" * (bytes_max - 10)).encode(),
    }


async def chunks(data: bytes) -> AsyncIterator[bytes]:
    for begin in range(0, len(data), CHUNK_BYTES):
        yield data[begin : begin + CHUNK_BYTES]


def body(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def keyed(ticket: Mapping[str, Any]) -> dict[str, Any]:
    return {"idempotencyKey": new_key(), **ticket}


async def test_the_largest_of_everything_leaves_the_loop_to_others(
    settings: Settings, owner: asyncpg.Connection[asyncpg.Record]
) -> None:
    arena = await Arena.create(owner, settings, digits=3)
    await fill(arena)
    async with RunningApi(settings) as api:
        rule_id = await owner.fetchval("SELECT id FROM restriction_rules WHERE whole_banca LIMIT 1")
        sender = Sender(api, arena, await arena.add_user(Role.ADMIN, has_banca=False))
        for name, sent in {**largest_legal(arena, rule_id), **readings(arena)}.items():
            await sender.send(name, sent)
    assert sender.held == {}


async def test_whatever_is_refused_leaves_the_loop_to_others(settings: Settings, arena: Arena) -> None:
    async with RunningApi(settings) as api:
        sender = Sender(api, arena, await arena.add_user(Role.ADMIN, has_banca=False))
        for operation in OPERATIONS:
            if operation.body is not None:
                bytes_max = settings.body_batch_bytes_max if operation.batch else settings.body_single_bytes_max
                path = PATH_PARAMETER.sub(str(uuid.UUID(int=1)), operation.path)
                # What all bodies are read by is tried once each; every operation has a form of its own.
                is_typical = operation.path in {"/api/v1/tickets", "/api/v1/tickets/batch", RESTRICTIONS}
                for kind, data in garbage(operation, bytes_max).items():
                    if not is_typical and kind not in {"unknown members", "a long list"}:
                        continue
                    refused = Sent(operation.method, path, data, tuple(range(400, 500)))
                    await sender.send(f"{operation.method} {path}: {kind}", refused)
    assert sender.held == {}


async def test_what_holds_the_loop_would_be_noticed(settings: Settings, arena: Arena) -> None:
    async def hold(_context: PublicContext) -> None:
        for _ in range(2 * UNITS_MAX):
            unit_s()

    operation = Operation(
        method="GET", path="/hold", handler=hold, permission=PUBLIC, tags=("probe",), responses={204: None}
    )
    async with RunningApi(settings, operations=(operation,)) as api:
        sender = Sender(api, arena, arena.seller)
        await sender.send("it holds", Sent("GET", "/hold", None, (204,)))
    assert set(sender.held) == {"it holds"}


class Sender:
    """Sends as a user, signed where a terminal must sign. held: what held the loop longer than it may, in units."""

    def __init__(self, api: RunningApi, arena: Arena, user: Person) -> None:
        self.api, self.user, self.banca_id = api, user, arena.banca_id
        self.pos = Pos(api, arena.seller)
        self.unit_s = unit_s()
        self.held: dict[str, tuple[float, str]] = {}
        self.signed = {PATH_PARAMETER.sub("", each.path) for each in OPERATIONS if each.signed}

    async def send(self, name: str, sent: Sent) -> None:
        for is_last in (False, True):
            with metered_loop() as meter:
                answer = await self.api.send(
                    sent.method,
                    sent.target,
                    body=None if sent.body is None else chunks(sent.body),
                    headers=self._headers(sent),
                )
            assert answer.status in sent.statuses, (name, answer.status, answer.body[:300])
            if meter.longest_s <= UNITS_MAX * self.unit_s:
                return
            # The machine is slower than it was, or another process thrashes its caches? Once more, with a new measure.
            self.unit_s = max(unit_s() for _ in range(3))
            if is_last:
                self.held[name] = round(meter.longest_s / self.unit_s, 1), meter.longest

    def _headers(self, sent: Sent) -> dict[str, str]:
        target = sent.target.partition("?")[0]
        if sent.method == "POST" and UUID_TEXT.sub("", target) in self.signed:
            return self.pos.signed_headers(sent.method, sent.target, sent.body or b"", key=new_key())
        headers = {"Authorization": f"Bearer {self.user.token}", "Idempotency-Key": new_key()}
        if sent.method in {"PUT", "PATCH"}:
            headers["If-Match"] = "*"
        if self.user.role is Role.ADMIN:
            headers["X-Active-Banca-Id"] = str(self.banca_id)
        return headers if sent.body is None else {**headers, "Content-Type": "application/json"}
