from __future__ import annotations

import time
from typing import Any
from uuid import UUID, uuid4

import pytest

from core.domain.permissions import Role
from core.security.terminal_secrets import load_master_keys
from core.settings import Settings
from tests.arena import Arena, Person, Terminal
from tests.pos import Pos, new_key
from tests.running_api import Answer, RunningApi

TERMINALS = "/api/v1/terminals"
# Signed, and refused only after the signature was judged: the sorteo does not exist.
SALE = "/api/v1/tickets"


@pytest.fixture
async def administrator(arena: Arena) -> Person:
    return await arena.add_user(Role.BANCA)


async def create(api: RunningApi, person: Person, **document: Any) -> Answer:
    return await api.post(TERMINALS, document, token=person.token)


async def signs(api: RunningApi, arena: Arena, terminal: Terminal) -> str:
    """What the signature of a sale with this secret is worth: "accepted" or the code."""
    sale = {"sorteoId": str(uuid4()), "jugadas": []}
    answer = await Pos(api, arena.seller, terminal).post(SALE, sale, key=new_key())
    return "accepted" if answer.code == "VALIDATION_FAILED" else str(answer.code)


async def until_signs(api: RunningApi, arena: Arena, terminal: Terminal, wanted: str) -> None:
    deadline = time.monotonic() + 3
    while (found := await signs(api, arena, terminal)) != wanted:
        assert time.monotonic() < deadline, f"still {found}"


async def test_a_new_terminal_shows_its_secret_once(api: RunningApi, arena: Arena, administrator: Person) -> None:
    answer = await create(api, administrator, ventanaId=str(arena.ventana_id), name=" Counter 1 ")
    assert answer.status == 201
    made = answer.json()
    assert (made["name"], made["keyVersion"], made["isActive"]) == ("Counter 1", 1, True)
    assert len(made["secret"]) == 64
    assert set(made["secret"]) <= set("0123456789abcdef")
    assert await signs(api, arena, Terminal(UUID(made["id"]), made["secret"])) == "accepted"
    listed = (await api.get(TERMINALS, token=administrator.token)).json()["data"]
    assert made["id"] in [row["id"] for row in listed]
    assert all("secret" not in row for row in listed)


async def test_a_secret_is_stored_nowhere(api: RunningApi, arena: Arena, administrator: Person) -> None:
    secret = (await create(api, administrator, ventanaId=str(arena.ventana_id))).json()["secret"]
    rows = await arena.owner.fetch("SELECT t::text FROM terminals t")
    assert all(secret not in row[0] for row in rows)


async def test_a_terminal_stands_in_a_ventana_of_the_banca(
    api: RunningApi, arena: Arena, administrator: Person
) -> None:
    stranger = await Arena.create(arena.owner, arena.settings)
    other_ventana = await arena.add_ventana()
    table = [
        ({"ventanaId": str(stranger.ventana_id)}, "VENTANA_NOT_FOUND"),
        ({"ventanaId": str(uuid4())}, "VENTANA_NOT_FOUND"),
        ({"ventanaId": str(arena.ventana_id), "vendedorId": str(stranger.seller.id)}, "VENDEDOR_NOT_FOUND"),
        ({"ventanaId": str(other_ventana), "vendedorId": str(arena.seller.id)}, "VENDEDOR_NOT_FOUND"),
        ({"ventanaId": str(arena.ventana_id), "vendedorId": str(administrator.id)}, "VENDEDOR_NOT_FOUND"),
        ({"ventanaId": "here"}, "VALIDATION_FAILED"),
        ({}, "VALIDATION_FAILED"),
    ]
    for document, code in table:
        assert (await create(api, administrator, **document)).code == code
    bound = await create(api, administrator, ventanaId=str(arena.ventana_id), vendedorId=str(arena.seller.id))
    assert bound.status == 201


async def test_a_rotated_terminal_signs_with_both_secrets_until_the_grace_is_over(
    api: RunningApi, arena: Arena, administrator: Person
) -> None:
    old = arena.seller.terminal
    assert await signs(api, arena, old) == "accepted"
    answer = await api.post(f"{TERMINALS}/{old.id}/rotate", {"graceS": 600}, token=administrator.token)
    assert (answer.status, answer.json()["keyVersion"]) == (200, 2)
    new = Terminal(old.id, answer.json()["secret"])
    assert new.secret != old.secret
    assert [await signs(api, arena, terminal) for terminal in (old, new)] == ["accepted", "accepted"]
    await arena.owner.execute("UPDATE terminals SET previous_valid_until = now() WHERE id = $1", old.id)
    # Another process would go on for as long as it trusts what it read; the sale looks for itself.
    ended = await api.post(f"{TERMINALS}/{old.id}/rotate", {"graceS": 0}, token=administrator.token)
    assert [await signs(api, arena, terminal) for terminal in (old, new)] == ["SIGNATURE_INVALID"] * 2
    assert await signs(api, arena, Terminal(old.id, ended.json()["secret"])) == "accepted"


async def test_a_rotation_that_another_process_made_is_noticed(
    api: RunningApi, arena: Arena, administrator: Person
) -> None:
    terminal = arena.seller.terminal
    assert await signs(api, arena, terminal) == "accepted"
    async with RunningApi(arena.settings) as other:
        answer = await other.post(f"{TERMINALS}/{terminal.id}/rotate", {"graceS": 0}, token=administrator.token)
    await until_signs(api, arena, Terminal(terminal.id, answer.json()["secret"]), "accepted")
    assert await signs(api, arena, terminal) == "SIGNATURE_INVALID"


async def test_a_disabled_terminal_signs_nothing_until_it_is_enabled(
    api: RunningApi, arena: Arena, administrator: Person
) -> None:
    terminal = arena.seller.terminal
    disabled = await api.post(f"{TERMINALS}/{terminal.id}/disable", token=administrator.token)
    assert (disabled.status, disabled.json()["isActive"]) == (200, False)
    assert await signs(api, arena, terminal) == "TERMINAL_DISABLED"
    await api.post(f"{TERMINALS}/{terminal.id}/enable", token=administrator.token)
    assert await signs(api, arena, terminal) == "accepted"


async def test_a_new_master_key_changes_nothing_until_a_terminal_rotates(arena: Arena, administrator: Person) -> None:
    terminal = arena.seller.terminal
    replaced = arena.settings.model_copy(
        update={
            "terminal_master_key_id": "k2",
            "terminal_master_key": type(arena.settings.terminal_master_key)("n" * 32),
            "terminal_master_keys_retired": type(arena.settings.terminal_master_key)("k1:" + "m" * 32),
        }
    )
    async with RunningApi(replaced) as api:
        assert await signs(api, arena, terminal) == "accepted"
        answer = await api.post(f"{TERMINALS}/{terminal.id}/rotate", {"graceS": 60}, token=administrator.token)
        new = Terminal(terminal.id, answer.json()["secret"])
        assert new.secret == load_master_keys(replaced).secret_of(terminal.id, key_version=2, master_key_id="k2")
        assert [await signs(api, arena, each) for each in (terminal, new)] == ["accepted", "accepted"]
    lost = replaced.model_copy(update={"terminal_master_keys_retired": type(arena.settings.terminal_master_key)("")})
    async with RunningApi(lost) as api:
        assert [await signs(api, arena, each) for each in (terminal, new)] == ["SIGNATURE_INVALID", "accepted"]


async def test_nobody_touches_another_bancas_terminal(api: RunningApi, arena: Arena, administrator: Person) -> None:
    stranger = await Arena.create(arena.owner, arena.settings)
    terminal_id = stranger.seller.terminal.id
    for action, document in (("rotate", {}), ("disable", None), ("enable", None)):
        answer = await api.post(f"{TERMINALS}/{terminal_id}/{action}", document, token=administrator.token)
        assert (answer.status, answer.code) == (404, "TERMINAL_NOT_FOUND")
    listed = (await api.get(TERMINALS, token=administrator.token)).json()["data"]
    assert {row["id"] for row in listed} == {str(seller.terminal.id) for seller in arena.sellers}
    row = await arena.owner.fetchrow("SELECT key_version, is_active FROM terminals WHERE id = $1", terminal_id)
    assert row is not None
    assert tuple(row) == (1, True)


async def test_a_ventana_sees_its_own_terminals(api: RunningApi, arena: Arena) -> None:
    elsewhere = await arena.add_ventana()
    foreign = await arena.add_terminal(ventana_id=elsewhere)
    ventana = await arena.add_user(Role.VENTANA)
    answer = await api.get(TERMINALS, token=ventana.token)
    assert {row["ventanaId"] for row in answer.json()["data"]} == {str(arena.ventana_id)}
    answer = await api.get(f"{TERMINALS}?ventanaId={elsewhere}", token=ventana.token)
    assert answer.json()["data"] == []
    answer = await api.get(f"{TERMINALS}/{foreign.id}", token=ventana.token)
    assert (answer.status, answer.code) == (404, "TERMINAL_NOT_FOUND")
    shown = await api.get(f"{TERMINALS}/{arena.seller.terminal.id}", token=ventana.token)
    assert shown.json()["ventanaId"] == str(arena.ventana_id)


@pytest.mark.parametrize("grace", ["-1", "1.5", '"60"', "true", "99999999", "null"])
async def test_a_grace_is_whole_seconds(api: RunningApi, arena: Arena, administrator: Person, grace: str) -> None:
    answer = await api.send(
        "POST",
        f"{TERMINALS}/{arena.seller.terminal.id}/rotate",
        body=b'{"graceS": ' + grace.encode() + b"}",
        headers={"Authorization": f"Bearer {administrator.token}", "Content-Type": "application/json"},
    )
    assert (answer.status, answer.code) == (400, "VALIDATION_FAILED")


async def test_a_list_is_read_page_by_page(api: RunningApi, arena: Arena, administrator: Person) -> None:
    made = {str(seller.terminal.id) for seller in arena.sellers}
    made |= {str((await arena.add_terminal()).id) for _ in range(3)}
    seen, cursor = [], ""
    while True:
        page = (await api.get(f"{TERMINALS}?pageSize=2{cursor}", token=administrator.token)).json()
        seen += [row["id"] for row in page["data"]]
        if not page["meta"]["hasNextPage"]:
            break
        cursor = f"&cursor={page['meta']['nextCursor']}"
    assert len(seen) == len(made)
    assert set(seen) == made
    by_number = [
        row["id"]
        for number in (1, 2, 3)
        for row in (await api.get(f"{TERMINALS}?pageSize=2&page={number}", token=administrator.token)).json()["data"]
    ]
    assert by_number == seen


@pytest.mark.parametrize(
    "query", ["cursor=x", "cursor=W10=", "cursor=WyJhIiwiYiJd", "page=0", "page=1&cursor=x", "pageSize=101", "x=1",
              "page=1&page=2", "ventanaId=x", "ventanaId=%00", "ventanaId=%ED%A0%80"],
)  # fmt: skip
async def test_a_query_is_validated(api: RunningApi, administrator: Person, query: str) -> None:
    answer = await api.get(f"{TERMINALS}?{query}", token=administrator.token)
    assert (answer.status, answer.code) == (400, "VALIDATION_FAILED")


def test_secrets_differ_by_terminal_version_and_master_key(settings: Settings) -> None:
    keys = load_master_keys(settings.model_copy(update={"terminal_master_key_id": "k1"}))
    other = load_master_keys(settings.model_copy(update={"terminal_master_key_id": "k2"}))
    first, second = uuid4(), uuid4()
    secrets = {
        keys.secret_of(first, key_version=1, master_key_id="k1"),
        keys.secret_of(first, key_version=2, master_key_id="k1"),
        keys.secret_of(second, key_version=1, master_key_id="k1"),
        other.secret_of(first, key_version=1, master_key_id="k2"),
    }
    assert len(secrets) == 4
