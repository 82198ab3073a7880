"""The client's address: the peer's, unless a proxy of ours says whom it heard."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from api.app import create_app
from api.trusted_proxies import TrustedProxies
from core.settings import Settings, SettingsError
from tests.arena import PASSWORD, Arena
from tests.running_api import RunningApi

OURS = "10.0.0.0/8, 2001:db8::/32"


@pytest.mark.parametrize(
    ("networks", "peer", "forwarded", "client"),
    [
        ("", "10.0.0.1", ["203.0.113.9"], "10.0.0.1"),
        (OURS, "10.0.0.1", [], "10.0.0.1"),
        (OURS, "10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        (OURS, "::ffff:10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        (OURS, "10.0.0.1", ["198.51.100.1, 203.0.113.9"], "203.0.113.9"),
        (OURS, "10.0.0.1", ["198.51.100.1", "203.0.113.9, 10.2.3.4"], "203.0.113.9"),
        (OURS, "10.0.0.1", ["2001:db9::7, 2001:db8::1"], "2001:db9::7"),
        (OURS, "10.0.0.1", ["10.9.9.9"], "10.0.0.1"),
        (OURS, "10.0.0.1", ["203.0.113.9, nonsense"], "10.0.0.1"),
        *(
            (OURS, "10.0.0.1", [sent], "203.0.113.9")
            for sent in (
                *("203.0.113.9:4711", '"203.0.113.9"', '"203.0.113.9:4711"', "  203.0.113.9  ", "\t203.0.113.9:1 "),
                *(
                    "198.51.100.1,203.0.113.9:80,10.2.3.4:81",
                    "203.0.113.9, , 10.2.3.4,",
                    "203.0.113.9,[2001:db8::1]:443",
                ),
                *("::ffff:203.0.113.9", "[::ffff:203.0.113.9]:4711", '" 203.0.113.9 "'),
            )
        ),
        *(
            (OURS, "10.0.0.1", [sent], "2001:db9::7")
            for sent in (
                *("2001:db9::7", "[2001:db9::7]", "[2001:db9::7]:4711", '"[2001:db9::7]:4711"', '"2001:db9::7"'),
                *(
                    "2001:DB9:0:0::7",
                    "2001:db9::7%eth0",
                    "[2001:db9::7%eth0]:1",
                    "198.51.100.1, [2001:db9::7] , 10.2.3.4",
                ),
            )
        ),
        *(
            # Nothing that is an address to one reader and another to the next.
            (OURS, "10.0.0.1", [sent], "10.0.0.1")
            for sent in (
                *(
                    "203.0.113.9:",
                    "203.0.113.9:x",
                    "203.0.113.9:123456",
                    "[203.0.113.9]",
                    "[2001:db9::7",
                    "2001:db9::7]",
                ),
                *(
                    '"203.0.113.9',
                    "203.0.113.009",
                    "203.0.113",
                    "unknown",
                    "_hidden",
                    "for=203.0.113.9",
                    "[]",
                    '""',
                    '"',
                ),
            )
        ),
        (OURS, "203.0.113.7", ["198.51.100.1"], "203.0.113.7"),
    ],
)
def test_only_a_proxy_of_ours_is_believed(networks: str, peer: str, forwarded: list[str], client: str) -> None:
    headers = CIMultiDict([("X-Forwarded-For", line) for line in forwarded])
    request = make_mocked_request("GET", "/", headers=headers).clone(remote=peer)
    assert TrustedProxies(networks).seen_through(request).remote == client


def test_networks_that_are_none_keep_the_api_from_starting(settings: Settings) -> None:
    with pytest.raises(SettingsError, match="TRUSTED_PROXIES"):
        create_app(settings.model_copy(update={"trusted_proxies": "10.0.0.0/99"}))


async def test_a_session_knows_the_address_behind_the_proxy(arena: Arena) -> None:
    settings = arena.settings.model_copy(update={"trusted_proxies": "127.0.0.0/8"})
    async with RunningApi(settings) as api:
        body = f'{{"username": "{arena.seller.username}", "password": "{PASSWORD}"}}'.encode()
        headers = {"Content-Type": "application/json", "X-Forwarded-For": "203.0.113.9"}
        answer = await api.send("POST", "/api/v1/auth/login", body=body, headers=headers)
        assert answer.status == 200, answer.body
    assert await arena.owner.fetchval("SELECT count(*) FROM sessions WHERE ip_address = '203.0.113.9'") == 1
