from __future__ import annotations

import asyncio
import json
import time
from random import Random
from uuid import UUID, uuid4

import asyncpg
import jwt
import pytest

from api.keys import LOGIN_DECOYS
from api.rate_limits import ADDRESS_LOGINS_FACTOR
from core.domain.permissions import Role
from core.security.passwords import parameters_of, password_hasher
from tests.arena import PASSWORD, Arena, Person
from tests.running_api import Answer, RunningApi

LOGIN = "/api/v1/auth/login"
REFRESH = "/api/v1/auth/refresh"
ME = "/api/v1/auth/me"


async def log_in(api: RunningApi, person: Person, **others: str) -> Answer:
    return await api.post(LOGIN, {"username": person.username, "password": PASSWORD, **others})


async def refresh(api: RunningApi, token: str) -> Answer:
    return await api.post(REFRESH, {"refreshToken": token})


async def age_rotations(arena: Arena, seconds: float) -> None:
    """Let all rotations so far have happened so much earlier."""
    await arena.owner.execute(
        "UPDATE replaced_refresh_tokens SET replaced_at = replaced_at - make_interval(secs => $1)", seconds
    )


async def test_a_login_gives_tokens_and_says_who_one_is(api: RunningApi, arena: Arena) -> None:
    seller = arena.seller
    answer = await log_in(api, seller)
    assert answer.status == 200
    said = answer.json()
    assert said["tokenType"] == "Bearer"
    assert said["expiresIn"] == 900
    assert said["user"] == {
        "id": str(seller.id),
        "username": seller.username,
        "name": seller.username,
        "role": "VENDEDOR",
        "bancaId": str(arena.banca_id),
        "ventanaId": str(arena.ventana_id),
    }
    claims = jwt.decode(said["accessToken"], "a" * 32, algorithms=["HS256"])
    assert {name: claims[name] for name in ("sub", "role", "ventanaId", "bancaId", "terminalId")} == {
        "sub": str(seller.id),
        "role": "VENDEDOR",
        "ventanaId": str(arena.ventana_id),
        "bancaId": str(arena.banca_id),
        "terminalId": None,
    }
    me = await api.get(ME, token=said["accessToken"])
    assert me.status == 200
    assert me.json()["ventana"]["id"] == str(arena.ventana_id)
    assert me.json()["activeBancaId"] == str(arena.banca_id)
    assert "passwordHash" not in me.json()


async def test_the_case_of_a_username_does_not_matter(api: RunningApi, arena: Arena) -> None:
    answer = await api.post(LOGIN, {"username": arena.seller.username.upper(), "password": PASSWORD})
    assert answer.status == 200


@pytest.mark.parametrize("known", [True, False], ids=["wrong password", "unknown user"])
async def test_a_wrong_password_and_an_unknown_user_look_the_same(
    api: RunningApi, arena: Arena, *, known: bool
) -> None:
    username = arena.seller.username if known else "nobody-at-all"
    answer = await api.post(LOGIN, {"username": username, "password": "guess"})
    assert (answer.status, answer.code) == (401, "INVALID_CREDENTIALS")


async def test_a_login_and_a_logout_leave_events_for_the_audit(api: RunningApi, arena: Arena) -> None:
    said = (await log_in(api, arena.seller)).json()
    await api.post("/api/v1/auth/logout", token=said["accessToken"])
    rows = await arena.owner.fetch("SELECT type, payload FROM outbox ORDER BY id")
    session_id = jwt.decode(said["accessToken"], options={"verify_signature": False})["sid"]
    mine = [
        (row["type"], payload["actorId"], payload["bancaId"])
        for row in rows
        if (payload := json.loads(row["payload"]))["sessionId"] == session_id
    ]
    seller, banca = str(arena.seller.id), str(arena.banca_id)
    assert mine == [("sessions.opened", seller, banca), ("sessions.closed", seller, banca)]


async def test_an_inactive_user_may_not_log_in(api: RunningApi, arena: Arena) -> None:
    await arena.owner.execute("UPDATE users SET is_active = false WHERE id = $1", arena.seller.id)
    answer = await log_in(api, arena.seller)
    assert (answer.status, answer.code) == (403, "USER_INACTIVE")


async def test_logins_are_limited_by_user_and_address(arena: Arena) -> None:
    settings = arena.settings.model_copy(update={"rate_limit_enabled": True, "rate_limit_login_per_min": 3})
    async with RunningApi(settings) as api:
        codes = [(await api.post(LOGIN, {"username": "x", "password": "y"})).code for _ in range(4)]
        assert codes == ["INVALID_CREDENTIALS"] * 3 + ["RATE_LIMITED"]
        limited = await api.post(LOGIN, {"username": "X", "password": "y"})
        assert limited.status == 429
        assert int(limited.headers["Retry-After"]) > 0
        assert (await log_in(api, arena.seller)).status == 200


async def test_a_crowd_of_one_address_logs_in_although_it_is_more_than_the_address_may_fail(arena: Arena) -> None:
    settings = arena.settings.model_copy(update={"rate_limit_enabled": True, "rate_limit_login_per_min": 1})
    crowd = [await arena.add_user(Role.VENDEDOR) for _ in range(3 * ADDRESS_LOGINS_FACTOR)]
    async with RunningApi(settings) as api:
        answers = await asyncio.gather(*(log_in(api, person) for person in crowd))
        assert {answer.status for answer in answers} == {200}
        # One login a minute is what a name has.
        assert (await log_in(api, crowd[0])).code == "RATE_LIMITED"


async def test_a_password_is_hashed_anew_when_the_parameters_have_changed_and_no_rule_has(arena: Arena) -> None:
    """Sales go on under the rulebook's version that they were priced with."""
    stored = "SELECT password_hash FROM users WHERE id = $1"
    version = "SELECT rulebook_version FROM bancas WHERE id = $1"
    before = await arena.owner.fetchval(version, arena.banca_id)
    async with RunningApi(arena.settings.model_copy(update={"password_time_cost": 2})) as api:
        assert (await api.post(LOGIN, {"username": arena.seller.username, "password": "x"})).status == 401
        assert parameters_of(await arena.owner.fetchval(stored, arena.seller.id)) == "$argon2id$v=19$m=8,t=1,p=1"
        for _ in range(2):
            assert (await log_in(api, arena.seller)).status == 200
            rehashed = await arena.owner.fetchval(stored, arena.seller.id)
            assert parameters_of(rehashed) == "$argon2id$v=19$m=8,t=2,p=1"
    assert await arena.owner.fetchval(version, arena.banca_id) == before
    await arena.owner.execute(
        "UPDATE users SET commission_policy = NULL, is_active = false WHERE id = $1", arena.seller.id
    )
    assert await arena.owner.fetchval(version, arena.banca_id) == before + 1
    other = await Arena.create(arena.owner, arena.settings)
    versions = "SELECT array_agg(rulebook_version ORDER BY id) FROM bancas"
    earlier = await arena.owner.fetchval(versions)
    moved = "UPDATE users SET banca_id = $1, ventana_id = $2 WHERE id = $3"
    person = await arena.add_user(Role.VENDEDOR)
    earlier = await arena.owner.fetchval(versions)
    await arena.owner.execute(moved, other.banca_id, other.ventana_id, person.id)
    assert await arena.owner.fetchval(versions) == [each + 1 for each in earlier]


async def test_an_unknown_name_is_verified_with_the_parameters_of_some_user(api: RunningApi, arena: Arena) -> None:
    costly = password_hasher(memory_kib=64, time_cost=3).hash("x")
    await arena.owner.execute("UPDATE users SET password_hash = $1", costly)
    assert await api.app[LOGIN_DECOYS].parameters("nobody-at-all") == "$argon2id$v=19$m=64,t=3,p=1"


async def test_a_sellers_oldest_session_gives_way(api: RunningApi, arena: Arena) -> None:
    first = (await log_in(api, arena.seller)).json()["accessToken"]
    second = (await log_in(api, arena.seller)).json()["accessToken"]
    assert (await api.get(ME, token=second)).status == 200
    answer = await api.get(ME, token=first)
    assert (answer.status, answer.code) == (401, "SESSION_REVOKED")
    reasons = await arena.owner.fetch("SELECT revoked_reason FROM sessions WHERE user_id = $1", arena.seller.id)
    assert sorted(str(row[0]) for row in reasons) == ["None", "fifo_displacement", "fifo_displacement"]


async def test_a_seller_may_be_allowed_several_sessions(api: RunningApi, arena: Arena) -> None:
    await arena.owner.execute("UPDATE users SET max_sessions_per_vendedor = 2 WHERE id = $1", arena.seller.id)
    tokens = [(await log_in(api, arena.seller)).json()["accessToken"] for _ in range(3)]
    statuses = [(await api.get(ME, token=token)).status for token in tokens]
    assert statuses == [401, 200, 200]


async def test_simultaneous_logins_never_exceed_the_number_of_sessions(api: RunningApi, arena: Arena) -> None:
    answers = await asyncio.gather(*(log_in(api, arena.seller) for _ in range(8)))
    assert {answer.status for answer in answers} == {200}
    live = "SELECT count(*) FROM sessions WHERE user_id = $1 AND revoked_at IS NULL"
    assert await arena.owner.fetchval(live, arena.seller.id) == 1


async def test_a_new_login_of_the_same_device_replaces_the_old_one(api: RunningApi, arena: Arena) -> None:
    ventana = await arena.add_user(Role.VENTANA)
    first = (await log_in(api, ventana, deviceId="till-1")).json()["accessToken"]
    other = (await log_in(api, ventana, deviceId="till-2")).json()["accessToken"]
    second = (await log_in(api, ventana, deviceId="till-1")).json()["accessToken"]
    assert [(await api.get(ME, token=token)).status for token in (first, other, second)] == [401, 200, 200]


async def test_a_refresh_token_gives_the_next_pair(api: RunningApi, arena: Arena) -> None:
    tokens = (await log_in(api, arena.seller)).json()
    following = await refresh(api, tokens["refreshToken"])
    assert following.status == 200
    assert following.json()["refreshToken"] != tokens["refreshToken"]
    assert (await api.get(ME, token=following.json()["accessToken"])).status == 200
    assert (await refresh(api, following.json()["refreshToken"])).status == 200


async def test_any_token_of_the_chain_gets_the_newest_pair_for_a_moment(api: RunningApi, arena: Arena) -> None:
    chain = [(await log_in(api, arena.seller)).json()["refreshToken"]]
    for _ in range(4):
        chain.append((await refresh(api, chain[-1])).json()["refreshToken"])
    for earlier in chain[:-1]:
        again = await refresh(api, earlier)
        assert (again.status, again.json()["refreshToken"]) == (200, chain[-1])
        assert (await api.get(ME, token=again.json()["accessToken"])).status == 200
    assert (await refresh(api, chain[-1])).status == 200


async def test_ten_tabs_that_refresh_at_once_again_and_again_all_stay(arena: Arena) -> None:
    """Each tab begins with the same token and goes on with what it was given, through two processes."""
    async with RunningApi(arena.settings) as one, RunningApi(arena.settings) as other:
        first = (await log_in(one, arena.seller)).json()["refreshToken"]

        async def tab(number: int) -> list[int]:
            api, token, statuses = (one, other)[number % 2], first, []
            for _ in range(4):
                answer = await refresh(api, token)
                statuses.append(answer.status)
                token = answer.json().get("refreshToken", token)
            return statuses

        assert await asyncio.gather(*map(tab, range(10))) == [[200] * 4] * 10


async def test_simultaneous_refreshes_agree_on_one_newest_token(api: RunningApi, arena: Arena) -> None:
    first = (await log_in(api, arena.seller)).json()["refreshToken"]
    answers = await asyncio.gather(*(refresh(api, first) for _ in range(8)))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.json()["refreshToken"] for answer in answers}) == 1


@pytest.mark.parametrize("rotations_since", [1, 3])
async def test_a_refresh_token_used_after_its_grace_ends_the_session(
    api: RunningApi, arena: Arena, rotations_since: int
) -> None:
    first = newest = (await log_in(api, arena.seller)).json()["refreshToken"]
    for _ in range(rotations_since):
        answer = (await refresh(api, newest)).json()
        newest = answer["refreshToken"]
    await age_rotations(arena, 31)
    reused = await refresh(api, first)
    assert (reused.status, reused.code) == (401, "REFRESH_REUSED")
    assert (await refresh(api, newest)).code == "REFRESH_INVALID"
    assert (await api.get(ME, token=answer["accessToken"])).code == "SESSION_REVOKED"


async def test_the_grace_begins_when_a_token_is_replaced_and_not_when_the_last_one_was(
    api: RunningApi, arena: Arena
) -> None:
    first = (await log_in(api, arena.seller)).json()["refreshToken"]
    second = (await refresh(api, first)).json()["refreshToken"]
    await age_rotations(arena, 20)
    third = (await refresh(api, second)).json()["refreshToken"]
    assert (await refresh(api, first)).json()["refreshToken"] == third
    await age_rotations(arena, 11)
    assert (await refresh(api, second)).json()["refreshToken"] == third
    assert (await refresh(api, first)).code == "REFRESH_REUSED"


class RefreshModel:
    """What the documentation promises of one session: who gets what, by tokens and their ages."""

    def __init__(self, first: str) -> None:
        self.chain = [first]
        self.replaced_at_s: dict[str, float] = {}
        self.now_s = 0.0
        self.is_over = False

    def expect(self, token: str) -> str:
        if self.is_over:
            return "REFRESH_INVALID"
        if token == self.chain[-1]:
            return "NEXT"
        if self.now_s - self.replaced_at_s[token] < 30:
            return "NEWEST"
        self.is_over = True
        return "REFRESH_REUSED"

    def replace(self, following: str) -> None:
        self.replaced_at_s[self.chain[-1]] = self.now_s
        self.chain.append(following)


@pytest.mark.parametrize("seed", range(12))
async def test_random_walks_through_a_chain_are_answered_as_promised(api: RunningApi, arena: Arena, seed: int) -> None:
    random = Random(seed)
    model = RefreshModel((await log_in(api, arena.seller)).json()["refreshToken"])
    for _ in range(25):
        if random.random() < 0.4:
            # Away from 30 s by more than the test takes.
            seconds = random.choice((8, 16))
            await age_rotations(arena, seconds)
            model.now_s += seconds
            continue
        token = random.choice(model.chain[-4:])
        expected, answer = model.expect(token), await refresh(api, token)
        if expected == "NEXT":
            following = answer.json()["refreshToken"]
            assert (answer.status, following in model.chain) == (200, False)
            model.replace(following)
        elif expected == "NEWEST":
            assert (answer.status, answer.json()["refreshToken"]) == (200, model.chain[-1])
        else:
            assert (answer.status, answer.code) == (401, expected)


async def test_replaced_tokens_are_kept_no_longer_than_their_grace(api: RunningApi, arena: Arena) -> None:
    token = (await log_in(api, arena.seller)).json()["refreshToken"]
    for _ in range(3):
        token = (await refresh(api, token)).json()["refreshToken"]
    await age_rotations(arena, 31)
    await refresh(api, token)
    assert await arena.owner.fetchval("SELECT count(*) FROM replaced_refresh_tokens") == 1


async def test_a_refresh_follows_the_user_to_its_new_place(api: RunningApi, arena: Arena) -> None:
    tokens = (await log_in(api, arena.seller)).json()
    ventana_id = await arena.add_ventana()
    await arena.owner.execute("UPDATE users SET ventana_id = $1 WHERE id = $2", ventana_id, arena.seller.id)
    assert (await api.get(ME, token=tokens["accessToken"])).code == "TOKEN_STALE"
    following = (await refresh(api, tokens["refreshToken"])).json()
    assert (await api.get(ME, token=following["accessToken"])).json()["ventanaId"] == str(ventana_id)


async def test_an_access_token_is_no_refresh_token_and_the_other_way_round(api: RunningApi, arena: Arena) -> None:
    tokens = (await log_in(api, arena.seller)).json()
    assert (await refresh(api, tokens["accessToken"])).code == "REFRESH_INVALID"
    assert (await api.get(ME, token=tokens["refreshToken"])).code == "TOKEN_INVALID"


def forged(arena: Arena, **changes: object) -> dict[str, object]:
    claims = jwt.decode(arena.seller.token, options={"verify_signature": False})
    return {**claims, **changes}


async def test_a_token_that_is_not_ours_is_refused(api: RunningApi, arena: Arena) -> None:
    unsigned = jwt.encode(forged(arena), "", algorithm="none")
    other_algorithm = jwt.encode(forged(arena), "a" * 64, algorithm="HS512")
    other_secret = jwt.encode(forged(arena), "b" * 32, algorithm="HS256")
    expired = jwt.encode(forged(arena, exp=int(time.time()) - 60), "a" * 32, algorithm="HS256")
    no_end = {name: value for name, value in forged(arena).items() if name != "exp"}
    endless = jwt.encode(no_end, "a" * 32, algorithm="HS256")
    without_session = jwt.encode(forged(arena, sid=None), "a" * 32, algorithm="HS256")
    no_role = jwt.encode(forged(arena, role="SUPERADMIN"), "a" * 32, algorithm="HS256")
    codes = [
        (await api.get(ME, token=token)).code
        for token in (unsigned, other_algorithm, other_secret, expired, endless, without_session, no_role, "x.y.z")
    ]
    assert codes == ["TOKEN_INVALID"] * 3 + ["TOKEN_EXPIRED"] + ["TOKEN_INVALID"] * 4


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic eHg6eXk=", "token"])
async def test_without_a_bearer_token_nobody_is_known(api: RunningApi, header: str) -> None:
    answer = await api.get(ME, Authorization=header)
    assert (answer.status, answer.code) == (401, "AUTHENTICATION_REQUIRED")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_a_cached_token_still_expires(api: RunningApi, arena: Arena) -> None:
    token = arena.token_of(arena.seller, expires_in_s=1)
    assert (await api.get(ME, token=token)).status == 200
    deadline = time.monotonic() + 5
    while (answer := await api.get(ME, token=token)).status == 200:
        assert time.monotonic() < deadline, "the token never expired"
    assert answer.code == "TOKEN_EXPIRED"


async def test_logout_ends_the_session_at_once(api: RunningApi, arena: Arena) -> None:
    token = (await log_in(api, arena.seller)).json()["accessToken"]
    assert (await api.get(ME, token=token)).status == 200
    assert (await api.post("/api/v1/auth/logout", token=token)).status == 204
    assert (await api.get(ME, token=token)).code == "SESSION_REVOKED"


async def test_logout_everywhere_ends_all_of_ones_sessions(api: RunningApi, arena: Arena) -> None:
    ventana, other = await arena.add_user(Role.VENTANA), await arena.add_user(Role.VENTANA)
    tokens = [(await log_in(api, ventana)).json()["accessToken"] for _ in range(2)]
    assert (await api.post("/api/v1/auth/logout/all", token=tokens[0])).status == 204
    statuses = [(await api.get(ME, token=token)).status for token in (*tokens, ventana.token, other.token)]
    assert statuses == [401, 401, 401, 200]


async def until_refused(api: RunningApi, token: str) -> Answer:
    """Other processes notice within a second; so does this one when it did not do it itself."""
    deadline = time.monotonic() + 3
    while (answer := await api.get(ME, token=token)).status == 200:
        assert time.monotonic() < deadline, "the change was never noticed"
    return answer


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("UPDATE sessions SET revoked_at = now(), revoked_reason = 'test'", "SESSION_REVOKED"),
        ("UPDATE users SET is_active = false", "USER_INACTIVE"),
        ("UPDATE ventanas SET is_active = false", "VENTANA_INACTIVE"),
        ("UPDATE bancas SET is_active = false", "BANCA_INACTIVE"),
        ("UPDATE sessions SET expires_at = now()", "SESSION_REVOKED"),
    ],
)
async def test_what_ends_a_session_is_noticed_within_a_second(
    api: RunningApi, arena: Arena, change: str, code: str
) -> None:
    assert (await api.get(ME, token=arena.seller.token)).status == 200
    await arena.owner.execute(change)
    assert (await until_refused(api, arena.seller.token)).code == code


async def test_one_sees_and_ends_ones_own_sessions_only(api: RunningApi, arena: Arena) -> None:
    first, second = arena.sellers
    listed = (await api.get("/api/v1/auth/sessions", token=first.token)).json()["data"]
    assert [(UUID(session["id"]), session["isCurrent"]) for session in listed] == [(first.session_id, True)]
    target = f"/api/v1/auth/sessions/{second.session_id}"
    assert (await api.delete(target, token=first.token)).code == "SESSION_NOT_FOUND"
    assert (await api.get(ME, token=second.token)).status == 200
    admin = await arena.add_user(Role.ADMIN, has_banca=False)
    assert (await api.delete(target, token=admin.token)).status == 204
    assert (await api.get(ME, token=second.token)).code == "SESSION_REVOKED"


async def test_a_login_may_be_bound_to_a_terminal(api: RunningApi, arena: Arena) -> None:
    answer = await log_in(api, arena.seller, terminalId=str(arena.seller.terminal.id))
    claims = jwt.decode(answer.json()["accessToken"], options={"verify_signature": False})
    assert claims["terminalId"] == str(arena.seller.terminal.id)
    following = (await refresh(api, answer.json()["refreshToken"])).json()["accessToken"]
    assert jwt.decode(following, options={"verify_signature": False})["terminalId"] == claims["terminalId"]


async def test_a_login_with_a_terminal_that_is_not_ones_own_is_refused(api: RunningApi, arena: Arena) -> None:
    stranger = await Arena.create(arena.owner, arena.settings)
    elsewhere = await arena.add_terminal(ventana_id=await arena.add_ventana())
    colleagues = await arena.add_terminal(vendedor_id=arena.sellers[1].id)
    disabled = await arena.add_terminal()
    await arena.owner.execute("UPDATE terminals SET is_active = false WHERE id = $1", disabled.id)
    terminals = [stranger.seller.terminal.id, elsewhere.id, colleagues.id, disabled.id, uuid4()]
    codes = [(await log_in(api, arena.seller, terminalId=str(terminal))).code for terminal in terminals]
    assert codes == ["TERMINAL_MISMATCH"] * 3 + ["TERMINAL_DISABLED", "TERMINAL_UNKNOWN"]


async def test_the_api_role_reads_no_password_and_no_session(arena: Arena, database_url: str) -> None:
    connection = await asyncpg.connect(arena.settings.database_url)
    try:
        for statement in ("SELECT password_hash FROM users", "SELECT * FROM sessions"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch(statement)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("SELECT record_session_event('a.b', NULL, NULL, NULL, NULL, NULL)")
    finally:
        await connection.close()
