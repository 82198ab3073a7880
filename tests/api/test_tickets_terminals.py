"""Whose terminal signs, and with which of its secrets: judged at the door, and once more under the sale's locks."""

from __future__ import annotations

import pytest

from core.domain.permissions import Role
from core.settings import Settings
from tests.api.selling import BATCH, CANCEL, REPLAYED, SALE, Books, batch, read_books, sell, ticket
from tests.arena import Arena, Seller, Terminal
from tests.pos import Pos, new_key
from tests.running_api import Answer, RunningApi

# The door looks at a terminal once a minute; until then only the sale itself knows what another process changed.
CHANGES = {
    "a disabled terminal": ("UPDATE terminals SET is_active = false", 403, "TERMINAL_DISABLED"),
    "a terminal that was given to a colleague": (
        "UPDATE terminals SET vendedor_id = (SELECT id FROM users WHERE id <> $1 AND role = 'VENDEDOR')",
        403, "TERMINAL_MISMATCH",
    ),
    "a secret that was replaced": (
        """UPDATE terminals SET key_version = 2, previous_key_version = 1, previous_master_key_id = master_key_id,
           previous_valid_until = clock_timestamp()""", 401, "TERMINAL_KEY_REVOKED",
    ),
    "a revoked session": ("UPDATE sessions SET revoked_at = now(), revoked_reason = 'x'", 401, "SESSION_REVOKED"),
    "a disabled seller": ("UPDATE users SET is_active = false", 403, "USER_INACTIVE"),
    "a disabled ventana": ("UPDATE ventanas SET is_active = false", 403, "VENTANA_INACTIVE"),
    "a disabled banca": ("UPDATE bancas SET is_active = false", 403, "BANCA_INACTIVE"),
}  # fmt: skip


async def require_refused(arena: Arena, answer: Answer, before: Books, status: int, code: str) -> None:
    assert (answer.status, answer.code) == (status, code), answer.body
    assert await read_books(arena.owner) == before


@pytest.mark.parametrize(("change", "status", "code"), CHANGES.values(), ids=CHANGES)
async def test_what_was_taken_away_ends_sales_at_once(
    api: RunningApi, arena: Arena, change: str, status: int, code: str
) -> None:
    """Selling, selling in a batch, cancelling, and even hearing again what was sold."""
    pos, key = Pos(api, arena.seller), new_key()
    sold = await sell(pos, ticket(arena), key=key)
    await arena.owner.execute(change, *([arena.seller.id] if "$1" in change else []))
    before = await read_books(arena.owner)
    for path, document, sent_key in (
        (SALE, ticket(arena), new_key()),
        (SALE, ticket(arena), key),
        (CANCEL, {"saleKey": key}, new_key()),
        (f"{SALE}/{sold['id']}/cancel", b"", new_key()),
    ):
        await require_refused(arena, await pos.post(path, document, key=sent_key), before, status, code)
    answers = (await pos.post(BATCH, batch(ticket(arena), ticket(arena)))).json()["results"]
    assert [(result["status"], result["problem"]["code"]) for result in answers] == [(status, code)] * 2
    assert await read_books(arena.owner) == before


async def rotate(api: RunningApi, arena: Arena, terminal: Terminal, grace_s: int) -> Terminal:
    admin = await arena.add_user(Role.BANCA)
    answer = await api.post(f"/api/v1/terminals/{terminal.id}/rotate", {"graceS": grace_s}, token=admin.token)
    assert answer.status == 200, answer.body
    return Terminal(terminal.id, answer.json()["secret"])


async def test_a_replaced_secret_sells_until_its_grace_is_over(api: RunningApi, arena: Arena) -> None:
    old = Pos(api, arena.seller)
    new = Pos(api, arena.seller, await rotate(api, arena, arena.seller.terminal, 60))
    for pos in (old, new):
        await sell(pos, ticket(arena))
    # What the API itself changed, it knows at once; by another's hand it is the sale that says so.
    await arena.owner.execute(
        "UPDATE terminals SET previous_valid_until = clock_timestamp() WHERE id = $1", old.terminal.id
    )
    before = await read_books(arena.owner)
    answer = await old.post(SALE, ticket(arena), key=new_key())
    await require_refused(arena, answer, before, 401, "TERMINAL_KEY_REVOKED")
    await sell(new, ticket(arena))


async def test_a_secret_that_was_replaced_without_grace_signs_nothing(api: RunningApi, arena: Arena) -> None:
    old = Pos(api, arena.seller)
    await sell(old, ticket(arena))
    new = Pos(api, arena.seller, await rotate(api, arena, arena.seller.terminal, 0))
    before = await read_books(arena.owner)
    answer = await old.post(SALE, ticket(arena), key=new_key())
    await require_refused(arena, answer, before, 401, "SIGNATURE_INVALID")
    await sell(new, ticket(arena))


async def test_the_secret_of_before_the_last_rotation_is_gone_whatever_the_grace(api: RunningApi, arena: Arena) -> None:
    first = Pos(api, arena.seller)
    for _ in range(2):
        terminal = await rotate(api, arena, arena.seller.terminal, 3_600)
    before = await read_books(arena.owner)
    answer = await first.post(SALE, ticket(arena), key=new_key())
    await require_refused(arena, answer, before, 401, "SIGNATURE_INVALID")
    await sell(Pos(api, arena.seller, terminal), ticket(arena))


async def test_only_a_terminal_of_ones_own_place_signs(api: RunningApi, arena: Arena) -> None:
    stranger = await Arena.create(arena.owner, arena.settings)
    elsewhere = await arena.add_terminal(ventana_id=await arena.add_ventana())
    colleagues = await arena.add_terminal(vendedor_id=arena.sellers[1].id)
    disabled = await arena.add_terminal()
    await arena.owner.execute("UPDATE terminals SET is_active = false WHERE id = $1", disabled.id)
    before = await read_books(arena.owner)
    for terminal, code in (
        (stranger.seller.terminal, "TERMINAL_MISMATCH"),
        (elsewhere, "TERMINAL_MISMATCH"),
        (colleagues, "TERMINAL_MISMATCH"),
        (disabled, "TERMINAL_DISABLED"),
    ):
        for path, document in ((SALE, ticket(arena)), (BATCH, batch(ticket(arena))), (CANCEL, {"saleKey": new_key()})):
            answer = await Pos(api, arena.seller, terminal).post(path, document, key=new_key())
            await require_refused(arena, answer, before, 403, code)
    # A terminal that is nobody's own is every seller's of its ventana.
    await sell(Pos(api, arena.seller, await arena.add_terminal()), ticket(arena))


async def test_a_request_that_another_terminal_signed_is_not_ones_own(api: RunningApi, arena: Arena) -> None:
    before, other = await read_books(arena.owner), arena.sellers[1].terminal
    pos = Pos(api, arena.seller)
    for changes in ({"secret": other.secret}, {"terminal": str(other.id)}, {"signs": {"terminal": str(other.id)}}):
        answer = await pos.post(SALE, ticket(arena), key=new_key(), **changes)
        await require_refused(arena, answer, before, 401, "SIGNATURE_INVALID")


async def test_a_token_of_one_terminal_does_not_sell_from_another(api: RunningApi, arena: Arena) -> None:
    seller: Seller = arena.seller
    bound = arena.token_of(seller, terminal_id=seller.terminal.id)
    other = Pos(api, seller, await arena.add_terminal())
    before = await read_books(arena.owner)
    answer = await other.post(SALE, ticket(arena), key=new_key(), token=bound)
    await require_refused(arena, answer, before, 403, "TERMINAL_MISMATCH")
    assert (await Pos(api, seller).post(SALE, ticket(arena), key=new_key(), token=bound)).status == 201


async def test_a_token_of_somebody_else_names_the_seller(api: RunningApi, arena: Arena) -> None:
    """The signature tells the terminal, the token the seller: whoever holds both sells in the token's name."""
    shared = await arena.add_terminal()
    tickets = [await sell(Pos(api, seller, shared), ticket(arena)) for seller in arena.sellers]
    assert [sold["vendedorId"] for sold in tickets] == [str(seller.id) for seller in arena.sellers]


async def test_a_seller_who_asks_too_often_is_told_when_to_come_again(arena: Arena, settings: Settings) -> None:
    limits = {"rate_limit_enabled": True, "rate_limit_tickets_per_s": 0.01, "rate_limit_tickets_burst": 2}
    async with RunningApi(settings.model_copy(update=limits)) as api:
        pos, key = Pos(api, arena.seller), new_key()
        answers = [await pos.post(SALE, ticket(arena), key=key) for _ in range(3)]
        assert [(answer.status, answer.code) for answer in answers] == [(201, None), (201, None), (429, "RATE_LIMITED")]
        assert answers[1].headers[REPLAYED] == "true"
        assert int(answers[2].headers["Retry-After"]) > 0
        await sell(Pos(api, arena.sellers[1]), ticket(arena))
