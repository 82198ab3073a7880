"""Operations that only tests have: signed like a sale, moving no money; and one that fails as it is told."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from api.context import PublicContext, RequestContext
from api.models.wire import AnswerModel, RequestModel, Text
from api.operations import PUBLIC, Key, Operation
from api.problems import refuse
from core.database import DatabaseUnavailableError, OutcomeUnknownError
from core.domain.permissions import Permission
from core.security.passwords import PasswordsBusyError
from tests.running_api import Answer

PROBE = "/api/v1/probe"
PATCH = "/api/v1/patch"


class Inner(RequestModel):
    amount: int


class Probe(RequestModel):
    name: Text
    inner: tuple[Inner, ...] = ()


class Seen(AnswerModel):
    name: str
    banca_id: UUID | None
    signer: UUID | None
    key_version: int | None


async def probe(context: RequestContext, body: Probe) -> Seen:
    """A signed operation that moves no money."""
    signer = context.signer
    return Seen(
        name=body.name,
        banca_id=context.active_banca_id,
        signer=signer and signer.terminal_id,
        key_version=signer and signer.key_version,
    )


async def patch(context: RequestContext, body: Probe) -> Seen:
    return await probe(context, body)


class How(RequestModel):
    how: Text


async def fail(_: PublicContext, query: How) -> None:
    errors: dict[str, Exception] = {
        "bug": RuntimeError("a secret of ours"),
        "database": DatabaseUnavailableError("host mars"),
        "unknown": OutcomeUnknownError("lost"),
        "busy": PasswordsBusyError(),
        "refusal": refuse(409, "SORTEO_CLOSED", "Closed."),
    }
    raise errors[query.how]


def signed(path: str, handler: Any) -> Operation:
    return Operation(
        method="POST",
        path=path,
        handler=handler,
        # Every role has it, so that terminals of all of them can be tried.
        permission=Permission.TICKETS_READ,
        tags=("probe",),
        body=Probe,
        responses={200: Seen},
        signed=True,
        key=Key.REQUIRED,
        ticket_rate=True,
    )


PROBES = (
    signed(PROBE, probe),
    signed(PATCH, patch),
    Operation(method="GET", path="/fail", handler=fail, query=How, permission=PUBLIC, tags=(), responses={204: None}),
)


def said(answer: Answer) -> tuple[int, str | None]:
    return answer.status, answer.code
