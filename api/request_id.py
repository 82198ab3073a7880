"""The id that a request has in logs, problems and events: the client's, when it is fit for that."""

from __future__ import annotations

import re
from uuid import uuid4

from aiohttp import web

REQUEST_ID = web.RequestKey("REQUEST_ID", str)
_FIT = re.compile(r"[A-Za-z0-9._-]{1,64}")


def request_id_of(sent: str | None) -> str:
    return sent if sent is not None and _FIT.fullmatch(sent) else str(uuid4())
