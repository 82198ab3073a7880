"""The id that a request has in logs, problems and events: the client's, when it is fit for that."""

from __future__ import annotations

import itertools
import re
import secrets

from aiohttp import web

REQUEST_ID = web.RequestKey("REQUEST_ID", str)
_FIT = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestIds:
    """Its own ones are this process's random name and a count: unique, and cheaper than a UUID each."""

    def __init__(self) -> None:
        self._name = secrets.token_hex(8)
        self._count = itertools.count(1)

    def choose(self, sent: str | None) -> str:
        """What the client sent, if it may be repeated as it is; else a new one."""
        return sent if sent is not None and _FIT.fullmatch(sent) else f"{self._name}-{next(self._count):x}"
