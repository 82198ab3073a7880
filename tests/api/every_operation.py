"""A valid request of every operation, in a banca where each of them has something to do."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from api.conditional import IfMatch
from api.operations import PATH_PARAMETER, PUBLIC, Operation
from api.routes import OPERATIONS
from core.domain.permissions import PERMISSIONS, Role
from core.security.tokens import RefreshClaims, issue_refresh, token_hash
from tests.api.selling import batch, ticket
from tests.arena import PASSWORD, Arena, Person
from tests.pos import Pos, new_key
from tests.running_api import Answer, RunningApi

# Nothing of that id is there; what looks for it looks in the database.
NOBODY = str(uuid4())
PRESENT = 300


@dataclass(frozen=True)
class Request:
    """of: whose request it is. body: None: none."""

    operation: Operation
    target: str
    body: Any
    of: Pos | None


class EveryOperation:
    """made = await EveryOperation.create(api, arena); await made.ask(request) for request in made.requests"""

    def __init__(self, api: RunningApi, arena: Arena, requests: list[Request]) -> None:
        self.api, self.arena, self.requests = api, arena, requests

    @classmethod
    async def create(cls, api: RunningApi, arena: Arena) -> EveryOperation:
        world = await World.create(api, arena)
        bodies, ids, queries = world.bodies(), world.ids(), world.queries()
        requests = []
        for operation in OPERATIONS:
            name = (operation.method, operation.path)
            chosen = {**ids, **ids.get(name, {})}
            target = operation.path
            for parameter in PATH_PARAMETER.findall(operation.path):
                target = target.replace(f"{{{parameter}}}", chosen[parameter])
            query = queries.get(operation.path, "")
            if operation.body is not None and not operation.body_optional:
                assert name in bodies, f"{operation.method} {operation.path} has no body here: write one"
            requests.append(Request(operation, target + query, bodies.get(name), await world.user_of(operation)))
        return cls(api, arena, requests)

    async def ask(self, request: Request) -> Answer:
        operation = request.operation
        body = b"" if request.body is None else json.dumps(request.body).encode()
        headers = {"Content-Type": "application/json"} if body else {}
        if request.of is not None:
            signed = request.of.signed_headers(operation.method, request.target, body, key=new_key())
            names = signed if operation.signed else ("Authorization", "Idempotency-Key", *headers)
            headers = {name: signed[name] for name in names}
        if operation.if_match is IfMatch.REQUIRED:
            headers["If-Match"] = "*"
        return await self.api.send(operation.method, request.target, body=body or None, headers=headers)


@dataclass
class World:
    """What there is to ask for."""

    api: RunningApi
    arena: Arena
    admin: Person
    refresh_token: str
    found: dict[str, str]

    @classmethod
    async def create(cls, api: RunningApi, arena: Arena) -> World:
        admin = await arena.add_user(Role.ADMIN)
        world = cls(api, arena, admin, "", {})
        world.refresh_token = await world._refresh_token()
        await world._make_draws()
        pos = Pos(api, arena.seller)
        sold = [(await pos.post("/api/v1/tickets", ticket(arena), key=new_key())).json() for _ in range(3)]
        world.found |= {"ticket": sold[0]["id"], "cancelled": sold[1]["id"], "number": sold[0]["ticketNumber"]}
        await pos.post(f"/api/v1/tickets/{sold[1]['id']}/cancel", b"", key=new_key())
        await world._leave_cash_out(sold[2]["id"])
        await world._make("restriction", "/api/v1/restrictions", world.restriction(), "data", 0, "id")
        await world._make("override", "/api/v1/multiplier-overrides", world.override(arena.seller.id), "id")
        key = new_key()
        await world._make(
            "movement", "/api/v1/accounts/payment", world.movement(), "payment", "id", Idempotency_Key=key
        )
        return world

    async def user_of(self, operation: Operation) -> Pos | None:
        if operation.permission is PUBLIC:
            return None
        roles = PERMISSIONS[operation.permission]
        if operation.sells or operation.path == "/api/v1/accounts/me/balance":
            return Pos(self.api, self.arena.seller)
        if "auth" in operation.tags:
            # Of those some end the session.
            return Pos(self.api, await self.arena.add_user(Role.ADMIN), self.arena.seller.terminal)
        assert Role.ADMIN in roles, f"{operation.path} is not for administrators: name whose it is"
        return Pos(self.api, self.admin, self.arena.seller.terminal)

    async def _make(self, name: str, path: str, body: Mapping[str, Any], *members: str | int, **headers: str) -> None:
        """members: the way to the id in the answer."""
        answer = await self.api.post(path, body, token=self.admin.token, **headers)
        assert answer.status in (200, 201), answer.body
        found = answer.json()
        for member in members:
            found = found[member]
        self.found[name] = found

    async def _make_draws(self) -> None:
        arena = self.arena
        places: tuple[tuple[str, float, str], ...] = (
            ("scheduled", 2000, "SCHEDULED"),
            ("unsold", 2001, "OPEN"),
            ("over", -10, "CLOSED"),
            ("other", -11, "CLOSED"),
        )
        for name, minutes, status in places:
            self.found[name] = str(await arena.add_sorteo(minutes=minutes, status=status))

    async def _leave_cash_out(self, ticket_id: str) -> None:
        """What a corrected result leaves behind, without the result."""
        arena = self.arena
        await arena.owner.execute(
            "INSERT INTO ticket_payments (banca_id, business_date, ticket_id, ordinal, sorteo_id, sequence, evaluation,"
            " amount_cents, method, is_final, paid_by, paid_by_role, terminal_id, created_at)"
            " SELECT banca_id, business_date, id, 1, sorteo_id, sequence, 1, 9000, 'cash', false, vendedor_id, 'VENDEDOR',"
            " terminal_id, now() FROM tickets WHERE id = $1",
            UUID(ticket_id),
        )
        await arena.owner.execute("SELECT refresh_cash_memos($1, $2)", arena.banca_id, arena.sorteo_id)
        self.found["memo"] = ticket_id

    async def _refresh_token(self) -> str:
        """Of a session of its own."""
        settings, user = self.arena.settings, self.admin
        session_id = await self.arena.add_session(user.id, user.banca_id)
        claims = RefreshClaims(session_id, 1, int(time.time()) + PRESENT)
        token = issue_refresh(claims, secret=settings.jwt_refresh_secret.get_secret_value())
        await self.arena.owner.execute(
            "UPDATE sessions SET refresh_hash = $2 WHERE id = $1", session_id, token_hash(token)
        )
        return token

    def restriction(self) -> dict[str, Any]:
        return {"ventanaId": str(self.arena.ventana_id), "number": "01", "maxTotal": "100000.00"}

    def override(self, user_id: object) -> dict[str, Any]:
        return {
            "scope": "USER",
            "scopeId": str(user_id),
            "loteriaId": str(self.arena.loteria_id),
            "baseMultiplierX": "80.00",
        }

    def movement(self) -> dict[str, Any]:
        today = (datetime.now(UTC) - timedelta(hours=6)).date().isoformat()
        return {
            "date": today, "time": "00:00", "vendedorId": str(self.arena.seller.id), "amount": "10.00",
            "type": "payment", "method": "cash",
        }  # fmt: skip

    def ids(self) -> dict[Any, Any]:
        """By the parameter's name; where that is not enough by operation."""
        arena, found = self.arena, self.found
        scheduled, unsold = {"sorteoId": found["scheduled"]}, {"sorteoId": found["unsold"]}
        over, other = {"sorteoId": found["over"]}, {"sorteoId": found["other"]}
        usual = {
            "sorteoId": str(arena.sorteo_id),
            "loteriaId": str(arena.loteria_id),
            "terminalId": str(arena.sellers[1].terminal.id),
            "sessionId": str(arena.sellers[1].session_id),
            "multiplierId": str(arena.multiplier_id),
            "bancaId": str(arena.banca_id),
            "ventanaId": str(arena.ventana_id),
            "userId": str(arena.seller.id),
            "restrictionId": found["restriction"],
            "overrideId": found["override"],
            "letterId": NOBODY,
            "ticketId": found["memo"],
            "name": "settlement",
            "id": found["ticket"],
            "number": found["number"],
            "code": "sorteo-closed",
            "date": (datetime.now(UTC) - timedelta(hours=6)).date().isoformat(),
        }
        draws = "/api/v1/sorteos/{sorteoId}"
        return {
            **usual,
            ("POST", f"{draws}/open"): scheduled,
            ("PATCH", draws): scheduled,
            ("POST", f"{draws}/close"): unsold,
            ("POST", f"{draws}/deactivate"): unsold,
            ("POST", f"{draws}/restore"): unsold,
            ("POST", f"{draws}/force-open"): unsold,
            ("POST", f"{draws}/evaluate"): over,
            ("POST", f"{draws}/revert-evaluation"): other,
            ("POST", "/api/v1/tickets/{id}/restore"): {"id": found["cancelled"]},
            ("DELETE", "/api/v1/accounts/statement/{id}"): {
                "id": f"vendedor_{self.arena.seller.id}_{usual['date']}",
            },
        }

    def queries(self) -> dict[str, str]:
        draw = f"?sorteoId={self.arena.sorteo_id}&vendedorId={self.arena.seller.id}"
        return {
            "/api/v1/tickets/validation/balances": draw,
            "/api/v1/diagnostics/cutoff": draw,
            "/api/v1/accounts/monthly-closings": "?month=2026-01",
        }

    def bodies(self) -> dict[tuple[str, str], Any]:
        arena, found = self.arena, self.found
        policy = {"commissionPolicyJson": {"version": 1, "defaultPercent": "5.00", "rules": []}}
        lista = {"ventanaId": str(arena.ventana_id)}
        later = (datetime.now(UTC) + timedelta(days=3)).replace(microsecond=0).isoformat()
        draws = "/api/v1/sorteos"
        return {
            ("POST", "/api/v1/auth/login"): {"username": self.admin.username, "password": PASSWORD},
            ("POST", "/api/v1/auth/refresh"): {"refreshToken": self.refresh_token},
            ("POST", "/api/v1/terminals"): {"ventanaId": str(arena.ventana_id), "name": "till"},
            ("POST", "/api/v1/terminals/{terminalId}/rotate"): {"graceS": 60},
            ("PATCH", f"{draws}/auto-config"): {"autoOpenEnabled": True, "autoCreateEnabled": True},
            ("PATCH", "/api/v1/account-statements/auto-config"): {"batchSize": 7},
            ("PATCH", "/api/v1/admin/jobs/{name}"): {"batchSize": 9},
            ("POST", "/api/v1/tickets"): ticket(arena),
            ("POST", "/api/v1/tickets/batch"): batch(ticket(arena), ticket(arena)),
            ("POST", "/api/v1/tickets/cancel"): {"saleKey": new_key()},
            ("POST", "/api/v1/tickets/{id}/pay"): {"amountPaid": "10.00", "method": "cash"},
            ("POST", "/api/v1/tickets/{id}/reverse-payment"): {"reason": "wrong"},
            ("POST", "/api/v1/tickets/{id}/finalize-payment"): {},
            ("POST", f"{draws}/{{sorteoId}}/listas/exclude"): lista,
            ("POST", f"{draws}/{{sorteoId}}/listas/include"): lista,
            ("POST", "/api/v1/accounts/cash-memos/{ticketId}/settle"): {"amount": "1.00", "reason": "it came back"},
            ("POST", "/api/v1/accounts/cash-memos/{ticketId}/write-off"): {"amount": "1.00", "reason": "it is gone"},
            ("POST", "/api/v1/accounts/payment"): self.movement(),
            ("POST", "/api/v1/accounts/reverse-payment"): {"paymentId": found["movement"]},
            ("POST", "/api/v1/accounts/reset-balance"): {"vendedorId": str(arena.seller.id)},
            ("POST", "/api/v1/restrictions"): {**self.restriction(), "number": "03"},
            ("PATCH", "/api/v1/restrictions/{restrictionId}"): {"maxTotal": "200000.00"},
            ("POST", "/api/v1/multiplier-overrides"): self.override(arena.sellers[1].id),
            ("PUT", "/api/v1/multiplier-overrides/{overrideId}"): {"baseMultiplierX": "81.00"},
            ("PUT", "/api/v1/bancas/{bancaId}/commission-policy"): policy,
            ("PUT", "/api/v1/ventanas/{ventanaId}/commission-policy"): policy,
            ("PUT", "/api/v1/users/{userId}/commission-policy"): policy,
            ("PATCH", "/api/v1/bancas/{bancaId}/settings"): {"salesCutoffMinutes": 2},
            ("PUT", "/api/v1/loterias/{loteriaId}/banca-settings"): {
                "baseMultiplierX": "85.00", "maxTotalPerSorteo": None,
            },
            ("PATCH", "/api/v1/loterias/{loteriaId}"): {"name": "Another"},
            ("POST", "/api/v1/loterias/{loteriaId}/multipliers"): {"name": "More", "valueX": "95.00"},
            ("PATCH", "/api/v1/multipliers/{multiplierId}"): {"valueX": "91.00"},
            ("PUT", f"{draws}/{{sorteoId}}/limits"): {"globalLimit": "50000.00", "numberLimits": []},
            ("POST", draws): {"loteriaId": str(arena.loteria_id), "scheduledAt": later},
            ("PATCH", f"{draws}/{{sorteoId}}"): {"name": "Moved"},
            ("POST", "/api/v1/loterias/{loteriaId}/seed_sorteos"): {"scheduledDates": [later]},
            ("POST", f"{draws}/{{sorteoId}}/evaluate"): {"winningNumber": "07"},
            ("POST", f"{draws}/{{sorteoId}}/revert-evaluation"): {"reason": "a wrong number"},
            ("POST", "/api/v1/diagnostics/explain"): {},
        }  # fmt: skip
