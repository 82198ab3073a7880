"""An operation: the one description that routing, permissions, validation and OpenAPI are made from."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from aiohttp import web
from pydantic import BaseModel

from api.conditional import IfMatch
from core.domain.permissions import PERMISSIONS, Permission

Answer = web.StreamResponse | BaseModel | None
# handler(context), or handler(context, body or query), or handler(context, body, query).
Handler = Callable[..., Awaitable[Answer]]

PATH_PARAMETER = re.compile(r"{(\w+)}")


class Public(Enum):
    """Stands where a permission would: the operation is open to everybody, and says so."""

    PUBLIC = "public"


PUBLIC: Final = Public.PUBLIC


class Key(Enum):
    """The Idempotency-Key header. OPTIONAL: signed when sent, not recorded."""

    NONE = "none"
    OPTIONAL = "optional"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """permission: a row of core/domain/permissions.py, or PUBLIC; there is no default.

    responses: the model of each status; None: no JSON. The first success is the status of a handler that
    returns a model.
    body_optional: without a body the handler gets the one that an empty object makes.
    raw_body: the handler gets the decoded JSON object and validates it itself; `body` is then documentation.
    read: makes of the body's bytes what the handler gets, raising ProblemError; `body` is then documentation.
    read_in_steps: as read, of a body that is too long to be read in one go: the loop is given back between the steps.
    signed: a terminal must sign. Signed operations are hot: the SQL function that they end in looks at the session.
    tenant: the operation works in one banca. ticket_rate: counts against the seller's limit on ticket routes.
    export_rate: counts against the user's limit on exports.
    batch: the body may have the size of a batch.
    media: what else than JSON the success may be, for clients that accept it, or where there is no model.
    may_lag: a replica may answer, with everything that was committed when the request came: nothing is decided from it. The
    handler reads from context.readings, and may be called twice.
    tagged: the answer carries the ETag of the thing that it shows. if_match: what the operation makes of If-Match; unless
    NONE its handler calls context.require_match under the lock of its write. whole_fields: members of the body that
    replace a whole: with one of them If-Match is required.
    """

    method: str
    path: str
    handler: Handler
    permission: Permission | Public
    tags: tuple[str, ...]
    responses: Mapping[int, type[BaseModel] | None]
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    body_optional: bool = False
    raw_body: bool = False
    read: Callable[[bytes], object] | None = None
    read_in_steps: Callable[[bytes], Generator[None, None, object]] | None = None
    signed: bool = False
    key: Key = Key.NONE
    tenant: bool = True
    ticket_rate: bool = False
    export_rate: bool = False
    batch: bool = False
    media: tuple[str, ...] = ()
    may_lag: bool = False
    tagged: bool = False
    if_match: IfMatch = IfMatch.NONE
    whole_fields: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.permission is not PUBLIC and not PERMISSIONS.get(self.permission):
            raise ValueError(f"{self.method} {self.path} has no row in the table of permissions")
        if self.signed and self.permission is PUBLIC:
            raise ValueError(f"{self.method} {self.path}: a signed operation needs a user")
        if self.may_lag and (self.method != "GET" or self.permission is PUBLIC):
            raise ValueError(f"{self.method} {self.path}: only a user's reading may lag")
        if self.method == "PUT" and self.if_match is not IfMatch.REQUIRED:
            raise ValueError(f"{self.method} {self.path}: what replaces a whole requires If-Match")

    @property
    def sells(self) -> bool:
        """What a terminal signs ends in the till."""
        return self.signed and self.ticket_rate

    @property
    def is_direct(self) -> bool:
        """Reached without the router: it is hot, and its address has no parts to find."""
        return self.sells and self.method == "POST" and not PATH_PARAMETER.search(self.path)

    @property
    def id(self) -> str:
        return getattr(self.handler, "__name__", self.path)

    @property
    def summary(self) -> str:
        return self._documentation()[0]

    @property
    def description(self) -> str:
        return self._documentation()[1]

    @property
    def success_status(self) -> int:
        return next(status for status in self.responses if status < 300)

    def _documentation(self) -> tuple[str, str]:
        first, _, rest = (inspect.getdoc(self.handler) or self.id).partition("\n")
        return first.rstrip("."), rest.strip()
