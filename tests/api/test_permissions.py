from __future__ import annotations

from uuid import uuid4

import pytest
from pydantic import BaseModel

from api.operations import PUBLIC, Operation
from api.routes import OPERATIONS
from core.domain.permissions import PERMISSIONS, Permission, Role
from tests.api.probes import fail, said
from tests.arena import Arena
from tests.pos import Pos, new_key
from tests.running_api import RunningApi


class TestPermissions:
    def test_an_operation_without_a_row_in_the_table_cannot_be_made(self) -> None:
        class Forgotten(BaseModel):
            pass

        with pytest.raises(ValueError, match="no row in the table of permissions"):
            Operation(
                method="GET",
                path="/forgotten",
                handler=fail,
                permission="forgotten",  # type: ignore[arg-type] # the mistake itself
                tags=(),
                responses={200: Forgotten},
            )

    def test_every_permission_is_in_the_table(self) -> None:
        assert set(PERMISSIONS) == set(Permission)
        assert all(PERMISSIONS.values())

    def test_only_login_health_metrics_and_pages_for_people_are_public(self) -> None:
        public = {operation.path for operation in OPERATIONS if operation.permission is PUBLIC}
        health = {"/health", "/health/live", "/health/ready", "/metrics"}
        pages = {"/", "/problems", "/problems/{code}"}
        assert public == {"/api/v1/auth/login", "/api/v1/auth/refresh", *health, *pages}

    def test_everything_that_moves_a_ticket_is_signed(self) -> None:
        moving = {
            Permission.TICKETS_SELL,
            Permission.TICKETS_CANCEL,
            Permission.TICKETS_RESTORE,
            Permission.TICKETS_PAY,
            Permission.PAYMENTS_REVERSE,
        }
        assert all(operation.signed for operation in OPERATIONS if operation.permission in moving)

    async def test_every_operation_admits_exactly_the_roles_of_the_table(
        self, probe_api: RunningApi, arena: Arena
    ) -> None:
        terminal = await arena.add_terminal()
        for operation in OPERATIONS:
            if operation.permission is PUBLIC:
                continue
            for role in Role:
                person = await arena.add_user(role)
                allowed = role in PERMISSIONS[operation.permission]
                path = operation.path.replace("{", "").replace("}", "")
                # A body that is no JSON ends an admitted request before it does anything; so does a bad id.
                target = path if operation.method == "GET" else path + "?x=y"
                headers = Pos(probe_api, person, terminal).signed_headers(operation.method, target, b"-", key=new_key())
                answer = await probe_api.send(operation.method, target, body=b"-", headers=headers)
                assert (answer.code != "FORBIDDEN") == allowed, f"{role} {operation.method} {operation.path}"
                assert answer.status < 500


class TestTenancy:
    async def test_sellers_and_ventanas_stay_in_their_banca(self, probe_api: RunningApi, arena: Arena) -> None:
        stranger = await Arena.create(arena.owner, arena.settings)
        for person in (arena.seller, await arena.add_user(Role.VENTANA)):
            answer = await probe_api.get(
                "/api/v1/sorteos", token=person.token, X_Active_Banca_Id=str(stranger.banca_id)
            )
            assert [row["id"] for row in answer.json()["data"]] == [str(arena.sorteo_id)]
            other = await probe_api.get(f"/api/v1/sorteos/{stranger.sorteo_id}", token=person.token)
            assert said(other) == (404, "SORTEO_NOT_FOUND")

    async def test_an_admin_names_the_banca_to_work_in(self, probe_api: RunningApi, arena: Arena) -> None:
        stranger = await Arena.create(arena.owner, arena.settings)
        admin = await arena.add_user(Role.ADMIN, has_banca=False)
        at_home = await arena.add_user(Role.ADMIN)
        assert said(await probe_api.get("/api/v1/sorteos", token=admin.token)) == (400, "BANCA_CONTEXT_REQUIRED")
        for token, banca, sorteo_id in (
            (admin.token, arena.banca_id, arena.sorteo_id),
            (admin.token, stranger.banca_id, stranger.sorteo_id),
            (at_home.token, None, arena.sorteo_id),
        ):
            headers = {} if banca is None else {"X_Active_Banca_Id": str(banca)}
            answer = await probe_api.get("/api/v1/sorteos", token=token, **headers)
            assert [row["id"] for row in answer.json()["data"]] == [str(sorteo_id)]
        for unknown in (str(uuid4()), "nonsense", ""):
            answer = await probe_api.get("/api/v1/sorteos", token=admin.token, X_Active_Banca_Id=unknown)
            assert said(answer) == (404, "BANCA_NOT_FOUND")

    async def test_a_banca_user_chooses_among_its_own(self, probe_api: RunningApi, arena: Arena) -> None:
        assigned = await Arena.create(arena.owner, arena.settings)
        foreign = await Arena.create(arena.owner, arena.settings)
        user = await arena.add_user(Role.BANCA)
        await arena.owner.execute(
            "INSERT INTO user_bancas (banca_id, user_id) VALUES ($1, $2)", assigned.banca_id, user.id
        )
        chosen = await probe_api.get("/api/v1/sorteos", token=user.token, X_Active_Banca_Id=str(assigned.banca_id))
        assert [row["id"] for row in chosen.json()["data"]] == [str(assigned.sorteo_id)]
        refused = await probe_api.get("/api/v1/sorteos", token=user.token, X_Active_Banca_Id=str(foreign.banca_id))
        assert said(refused) == (404, "BANCA_NOT_FOUND")
