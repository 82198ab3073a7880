"""A seller's own balance, read through the cache."""

from __future__ import annotations

from uuid import UUID

from api.context import RequestContext
from api.keys import CACHE, DATABASE
from api.models.accounts import BalanceAnswer
from api.operations import Operation
from api.problems import refuse
from core.cache import Balance
from core.domain.permissions import Permission
from core.queries import sql


async def get_own_balance(context: RequestContext) -> BalanceAnswer:
    """One's own balance: with everything whose answer the client has. Prizes that workers pay may lag by moments."""
    cache, account_id = context.app[CACHE], context.principal.user_id
    look = await cache.look(context.banca_id, account_id)
    balance = look.balance
    if balance is None:
        balance = await read_balance(context, account_id)
        await cache.store(context.banca_id, account_id, balance, look=look)
    return BalanceAnswer(
        account_id=account_id,
        balance=balance.balance_cents,
        credit_limit=balance.credit_limit_cents,
        available=balance.available_cents,
        version=balance.version,
    )


async def read_balance(context: RequestContext, account_id: UUID) -> Balance:
    async with context.app[DATABASE].tenant(context.banca_id) as connection:
        row = await connection.fetchrow(sql("accounts/balance"), context.banca_id, account_id)
    if row is None:
        raise refuse(404, "ACCOUNT_NOT_FOUND", "The user has no account.")
    return Balance(
        balance_cents=row["balance_cents"],
        version=row["balance_version"],
        credit_limit_cents=row["credit_limit_cents"],
    )


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/v1/accounts/me/balance",
        handler=get_own_balance,
        permission=Permission.BALANCE_READ,
        tags=("accounts",),
        responses={200: BalanceAnswer},
    ),
)
