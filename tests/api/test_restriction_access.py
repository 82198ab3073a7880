"""Whose restriction rules somebody may write and see: by role, by place, by banca."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest

from core.domain.permissions import Role
from tests.api.ruling import RESTRICTIONS, Ruler, ruler, stored_rules
from tests.arena import Arena, Seller
from tests.running_api import RunningApi


@dataclass(frozen=True)
class World:
    """One banca with two ventanas, a stranger's banca, and somebody of every role in the first ventana."""

    arena: Arena
    stranger: Arena
    other_ventana: UUID
    other_seller: Seller
    by_role: dict[Role, Ruler]

    def scope(self, name: str) -> dict[str, Any]:
        ids = {
            "banca": ("bancaId", self.arena.banca_id),
            "ventana": ("ventanaId", self.arena.ventana_id),
            "seller": ("userId", self.arena.seller.id),
            "other ventana": ("ventanaId", self.other_ventana),
            "other seller": ("userId", self.other_seller.id),
            "foreign banca": ("bancaId", self.stranger.banca_id),
            "foreign ventana": ("ventanaId", self.stranger.ventana_id),
            "foreign seller": ("userId", self.stranger.seller.id),
            "unknown seller": ("userId", uuid4()),
            "unknown banca": ("bancaId", uuid4()),
        }
        if name == "none":
            return {"loteriaId": str(self.arena.loteria_id), "multiplierId": str(self.arena.multiplier_id)}
        member, value = ids[name]
        return {member: str(value)}


@pytest.fixture
async def world(api: RunningApi, arena: Arena) -> World:
    other_ventana = await arena.add_ventana()
    by_role: dict[Role, Ruler] = {Role.VENDEDOR: Ruler(api, arena.seller)}
    for role in (Role.ADMIN, Role.BANCA, Role.VENTANA):
        by_role[role] = await ruler(api, arena, role)
    other_seller = await arena.add_seller(ventana_id=other_ventana)
    return World(arena, await Arena.create(arena.owner, arena.settings), other_ventana, other_seller, by_role)


FORBIDDEN, GONE = (403, "RESTRICTION_SCOPE_FORBIDDEN"), (404, "SELLER_NOT_FOUND")
NO_VENTANA = (404, "VENTANA_NOT_FOUND")
OF_THE_BANCA = (403, "RULE_OF_THE_BANCA")
DONE = (201, None)
# Who writes a limit for whom, and what comes of it: ADMIN, BANCA, VENTANA.
WRITES: dict[str, tuple[tuple[int, str | None], ...]] = {
    "banca": (DONE, DONE, FORBIDDEN),
    "ventana": (DONE, DONE, DONE),
    "seller": (DONE, DONE, DONE),
    "other ventana": (DONE, DONE, FORBIDDEN),
    "other seller": (DONE, DONE, FORBIDDEN),
    "foreign banca": (FORBIDDEN, FORBIDDEN, FORBIDDEN),
    "foreign ventana": (NO_VENTANA, NO_VENTANA, NO_VENTANA),
    "foreign seller": (GONE, GONE, GONE),
    "unknown seller": (GONE, GONE, GONE),
    "unknown banca": (FORBIDDEN, FORBIDDEN, FORBIDDEN),
}


async def test_who_may_limit_whom(world: World) -> None:
    for place, outcomes in WRITES.items():
        for number, (role, wanted) in enumerate(zip(Role, outcomes, strict=False)):
            before = await stored_rules(world.arena.owner)
            document = {**world.scope(place), "number": number, "maxTotal": "5.00"}
            answer = await world.by_role[role].send("POST", RESTRICTIONS, document)
            assert (answer.status, answer.code) == wanted, (place, role)
            assert (await stored_rules(world.arena.owner) == before) == (answer.status != 201), (place, role)


async def test_a_strangers_id_is_refused_in_the_words_of_an_unknown_one(world: World) -> None:
    for role in (Role.ADMIN, Role.BANCA, Role.VENTANA):
        for foreign, unknown in (("foreign seller", "unknown seller"), ("foreign banca", "unknown banca")):
            refused = [
                (await world.by_role[role].send("POST", RESTRICTIONS, {**world.scope(name), "maxTotal": 1})).json()
                for name in (foreign, unknown)
            ]
            for document in refused:
                document.pop("instance")
            assert refused[0] == refused[1], (role, foreign)


async def test_a_ventana_sets_no_cutoff_and_its_rules_without_a_scope_are_its_own(world: World) -> None:
    ventana = world.by_role[Role.VENTANA]
    answer = await ventana.send("POST", RESTRICTIONS, {**world.scope("ventana"), "salesCutoffMinutes": 0})
    assert (answer.status, answer.code) == (403, "RESTRICTION_SCOPE_FORBIDDEN")
    rule = await ventana.restrict(**world.scope("none"))
    assert rule["ventanaId"] == str(world.arena.ventana_id)
    assert (await world.by_role[Role.BANCA].restrict(**world.scope("none")))["ventanaId"] is None


async def test_a_ventana_changes_its_own_rules_and_no_others(world: World) -> None:
    banca, ventana = world.by_role[Role.BANCA], world.by_role[Role.VENTANA]
    done, forbidden, gone = (200, None), FORBIDDEN, (404, "RESTRICTION_NOT_FOUND")
    # Who wrote it; what; what comes of a change by the ventana.
    table: list[tuple[Ruler, dict[str, Any], tuple[int, str | None]]] = [
        (ventana, world.scope("ventana") | {"number": 1, "maxTotal": 1}, done),
        (ventana, world.scope("seller") | {"number": 1, "maxTotal": 1}, done),
        (banca, world.scope("ventana") | {"maxTotal": 1}, OF_THE_BANCA),
        (banca, world.scope("seller") | {"maxTotal": 1}, OF_THE_BANCA),
        (banca, world.scope("banca") | {"maxTotal": 1}, forbidden),
        (banca, world.scope("none"), forbidden),
        (banca, world.scope("ventana") | {"salesCutoffMinutes": 9}, forbidden),
        (banca, world.scope("other ventana") | {"maxTotal": 1}, gone),
        (banca, world.scope("other seller") | {"maxTotal": 1}, gone),
    ]
    for author, document, wanted in table:
        one = f"{RESTRICTIONS}/{(await author.restrict(**document))['id']}"
        for method, target, body in (
            ("PATCH", one, {"message": "mine"}),
            ("DELETE", one, None),
            ("POST", f"{one}/restore", None),
        ):
            before = await stored_rules(world.arena.owner)
            answer = await ventana.send(method, target, body)
            assert (answer.status, answer.code) == wanted, (document, method)
            assert answer.status == 200 or await stored_rules(world.arena.owner) == before


async def test_a_ventana_takes_over_no_rule_and_gives_none_away(world: World) -> None:
    ventana = world.by_role[Role.VENTANA]
    rule = await ventana.restrict(**world.scope("ventana"), maxTotal=1)
    before = await stored_rules(world.arena.owner)
    for place in ("banca", "other ventana", "other seller"):
        change = {"ventanaId": None} | world.scope(place)
        answer = await ventana.send("PATCH", f"{RESTRICTIONS}/{rule['id']}", change)
        assert (answer.status, answer.code) == (403, "RESTRICTION_SCOPE_FORBIDDEN"), place
    assert await stored_rules(world.arena.owner) == before


async def test_everybody_sees_the_rules_of_their_place(world: World) -> None:
    admin = world.by_role[Role.ADMIN]
    colleague = {"userId": str(world.arena.sellers[1].id)}
    places = {
        name: await admin.restrict(**(colleague if name == "colleague" else world.scope(name)), maxAmount=1)
        for name in ("banca", "ventana", "seller", "colleague", "other ventana", "other seller", "none")
    }
    seen = {
        Role.ADMIN: set(places),
        Role.BANCA: set(places),
        Role.VENTANA: {"banca", "ventana", "seller", "colleague", "none"},
        Role.VENDEDOR: {"banca", "ventana", "seller", "none"},
    }
    for role, wanted in seen.items():
        who = world.by_role[role]
        listed = {row["id"] for row in (await who.get(RESTRICTIONS))["data"]}
        assert listed == {places[name]["id"] for name in wanted}, role
        for name, rule in places.items():
            answer = await who.send("GET", f"{RESTRICTIONS}/{rule['id']}")
            assert (answer.status == 200) == (name in wanted), (role, name)
            assert answer.code in (None, "RESTRICTION_NOT_FOUND")


async def test_another_bancas_rules_do_not_exist(api: RunningApi, world: World) -> None:
    foreign = await (await ruler(api, world.stranger)).restrict(bancaId=str(world.stranger.banca_id), maxTotal=1)
    one = f"{RESTRICTIONS}/{foreign['id']}"
    before = await stored_rules(world.arena.owner)
    for role, who in world.by_role.items():
        assert (await who.get(RESTRICTIONS))["data"] == []
        for method, target, body in (
            ("GET", one, None),
            ("PATCH", one, {"maxTotal": 5}),
            ("DELETE", one, None),
            ("POST", f"{one}/restore", None),
        ):
            answer = await who.send(method, target, body)
            wanted = (403, "FORBIDDEN") if role is Role.VENDEDOR and method != "GET" else (404, "RESTRICTION_NOT_FOUND")
            assert (answer.status, answer.code) == wanted, (role, method)
    assert await stored_rules(world.arena.owner) == before


async def test_an_administrator_writes_in_the_banca_that_it_names(api: RunningApi, world: World) -> None:
    admin = await world.arena.add_user(Role.ADMIN, has_banca=False)
    document = {"bancaId": str(world.stranger.banca_id), "maxTotal": 1}
    unnamed = await Ruler(api, admin).send("POST", RESTRICTIONS, document)
    assert (unnamed.status, unnamed.code) == (400, "BANCA_CONTEXT_REQUIRED")
    await Ruler(api, admin, world.stranger.banca_id).restrict(**document)
    refused = await Ruler(api, admin, world.arena.banca_id).send("POST", RESTRICTIONS, document)
    assert (refused.status, refused.code) == (403, "RESTRICTION_SCOPE_FORBIDDEN")
