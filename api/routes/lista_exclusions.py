"""Lists that were not handed in: excluded from a draw, and brought back."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

from aiohttp import web

from api.context import RequestContext
from api.fingerprints import fingerprint_of
from api.keys import AFTER_SALE, CACHE
from api.models.listas import ListaExclusionIn, ListaIn, ListaMovedOut
from api.operations import Key, Operation
from api.problems import ProblemError, refuse
from api.ticket_answers import json_response, problem_of_trouble
from core.domain.money import format_cents
from core.domain.permissions import Permission
from core.till.later_refusals import instant_text
from core.till.listas import ListaAnswer, ListaMoved, ListaRefused, ListaRequest
from core.till.sales import TROUBLE

# Of what sql/functions/exclude_lista.sql says no to.
REFUSALS: Mapping[str, tuple[int, str]] = MappingProxyType(
    {
        "MISMATCH": (422, "This key was used for another request; use a new key."),
        "SORTEO_NOT_FOUND": (404, "There is no such sorteo."),
        "VENTANA_NOT_FOUND": (404, "There is no such ventana."),
        "VENDEDOR_NOT_FOUND": (404, "There is no such vendedor."),
        "MULTIPLIER_NOT_FOUND": (404, "The draw's lottery has no such multiplier."),
        "VENDEDOR_NOT_IN_VENTANA": (400, "The seller does not belong to this ventana, and sold nothing there."),
        "SORTEO_NOT_OPEN": (409, "This draw is not open yet: it has no lists."),
        "SORTEO_EVALUATED": (409, "This draw has a result; revert it before its lists are changed."),
        "EXCLUSION_NOT_FOUND": (404, "This list is not excluded."),
    }
)


async def exclude_lista(context: RequestContext, body: ListaExclusionIn) -> web.StreamResponse:
    """Exclude a list from a draw: its bets do not count.

    Their money goes back, their limits are free again, and nothing more is sold of them. A list that is excluded already
    stays so.
    """
    request = request_of(context, "exclude", body)
    try:
        answer = await context.app[AFTER_SALE].listas.exclude(request, reason=body.reason)
    except TROUBLE as error:
        raise ProblemError(problem_of_trouble(error)) from error
    await until_hidden(context, answer)
    return response_of(answer, is_excluded=True)


async def include_lista(context: RequestContext, body: ListaIn) -> web.StreamResponse:
    """Bring an excluded list back into its draw.

    Its bets count again as they were sold, whatever the limits are now; what another exclusion covers stays excluded.
    """
    request = request_of(context, "include", body)
    try:
        answer = await context.app[AFTER_SALE].listas.include(request)
    except TROUBLE as error:
        raise ProblemError(problem_of_trouble(error)) from error
    await until_hidden(context, answer)
    return response_of(answer, is_excluded=False)


async def until_hidden(context: RequestContext, answer: ListaAnswer) -> None:
    if isinstance(answer, ListaMoved):
        await context.app[CACHE].until_hidden(context.banca_id, answer.seller_ids)


def request_of(context: RequestContext, action: str, body: ListaIn) -> ListaRequest:
    sorteo_id = context.path_id("sorteoId")
    return ListaRequest(
        context.banca_id,
        context.principal.user_id,
        context.idempotency_key or "",
        fingerprint_of(f"/sorteos/{sorteo_id}/listas/{action}", body.model_dump(mode="json")),
        context.request_id,
        sorteo_id,
        body.ventana_id,
        body.vendedor_id,
        body.multiplier_id,
    )


def response_of(answer: ListaAnswer, *, is_excluded: bool) -> web.StreamResponse:
    if isinstance(answer, ListaRefused):
        status, detail = REFUSALS[answer.code]
        code = "IDEMPOTENCY_PAYLOAD_MISMATCH" if answer.code == "MISMATCH" else answer.code
        raise refuse(status, code, detail)
    facts = answer.facts
    document = {
        **{name: facts[name] for name in ("exclusionId", "sorteoId", "ventanaId", "vendedorId", "multiplierId")},
        "reason": facts["reason"],
        "isExcluded": is_excluded,
        "at": instant_text(facts["at"]),
        "by": facts["by"],
        "tickets": facts["tickets"],
        "jugadas": facts["jugadas"],
        "amount": format_cents(facts["amountCents"]),
    }
    return json_response(document, replayed=answer.replayed)


EXCLUDING = partial(
    Operation,
    method="POST",
    permission=Permission.LISTAS_ADMINISTER,
    tags=("listas",),
    responses={200: ListaMovedOut},
    key=Key.REQUIRED,
)
OPERATIONS = (
    EXCLUDING(path="/api/v1/sorteos/{sorteoId}/listas/exclude", handler=exclude_lista, body=ListaExclusionIn),
    EXCLUDING(path="/api/v1/sorteos/{sorteoId}/listas/include", handler=include_lista, body=ListaIn),
)
