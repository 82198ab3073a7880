"""What verifying the password of an unknown user costs: what it would cost if the user existed.

Hashes are verified with the parameters that they were made with. After those have changed, users differ in what their
log-in costs, until each has logged in once; were unknown users all alike, the others would be known by their cost. So an
unknown name gets the parameters of some user, always the same for the name, as often as users have them.
"""

from __future__ import annotations

import bisect
import hmac
import itertools

from core.database import Database
from core.fresh import Fresh
from core.queries import sql
from core.security.passwords import parameters_of

COSTS_AGE_MAX_S = 600.0
QUERY_TIMEOUT_S = 2.0


class LoginDecoys:
    def __init__(self, database: Database, *, secret: str) -> None:
        self._database = database
        self._secret = secret.encode()
        self._costs: Fresh[None, list[tuple[str, int]]] = Fresh(self._read, entries_max=1)

    async def parameters(self, username: str) -> str | None:
        """Of the hash that a user of that name could have; None where no user has a password."""
        return choose(await self._costs.get(None, max_age_s=COSTS_AGE_MAX_S), username, secret=self._secret)

    async def close(self) -> None:
        await self._costs.close()

    async def _read(self, _: None) -> list[tuple[str, int]]:
        async with self._database.connection() as connection:
            rows = await connection.fetch(sql("auth/password_costs"), timeout=QUERY_TIMEOUT_S)
        return [(row["parameters"], row["users"]) for row in rows if parameters_of(row["parameters"] or "")]


def choose(costs: list[tuple[str, int]], username: str, *, secret: bytes) -> str | None:
    """costs: parameters, and how many users have them. The choice is the name's, and only who has the secret foresees it."""
    if not costs:
        return None
    ends = list(itertools.accumulate(users for _, users in costs))
    drawn = int.from_bytes(hmac.digest(secret, username.lower().encode("utf-8", "replace"), "sha256")) % ends[-1]
    return costs[bisect.bisect_right(ends, drawn)][0]
