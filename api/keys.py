"""What the application holds, by typed keys."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from aiohttp import web

from api.admission import Admission
from api.dispatch import Handler
from api.health import Health
from api.login_decoys import LoginDecoys
from api.login_queue import LoginQueue
from api.rate_limits import LoginBuckets
from api.readings import Readings
from api.sessions import Sessions
from api.signed_requests import Signatures
from api.terminals import Terminals
from core.balance_resets import BalanceResets
from core.cache import BalanceCache
from core.cash_memos import CashMemos
from core.database import Database
from core.movements import Movements
from core.rulebooks import RulebookStore
from core.security.passwords import Passwords
from core.security.terminal_secrets import MasterKeys
from core.settings import Settings
from core.till.after_sale import AfterSale
from core.till.cancels import Canceller
from core.till.sales import Counter

SETTINGS = web.AppKey("SETTINGS", Settings)
DATABASE = web.AppKey("DATABASE", Database)
READINGS = web.AppKey("READINGS", Readings)
CACHE = web.AppKey("CACHE", BalanceCache)
PASSWORDS = web.AppKey("PASSWORDS", Passwords)
MASTER_KEYS = web.AppKey("MASTER_KEYS", MasterKeys)
# Gets a MisfitError when the process finds out only after it began that it must not run on this database.
MISFIT = web.AppKey("MISFIT", asyncio.Future[None])
SESSIONS = web.AppKey("SESSIONS", Sessions)
TERMINALS = web.AppKey("TERMINALS", Terminals)
RULEBOOKS = web.AppKey("RULEBOOKS", RulebookStore)
# Whose turn it is to sum over all jugadas of a draw.
SUM_TURNS = web.AppKey("SUM_TURNS", asyncio.Semaphore)
# Whose turn it is to make a file of a statement.
EXPORT_TURNS = web.AppKey("EXPORT_TURNS", asyncio.Semaphore)
COUNTER = web.AppKey("COUNTER", Counter)
CANCELLER = web.AppKey("CANCELLER", Canceller)
AFTER_SALE = web.AppKey("AFTER_SALE", AfterSale)
MOVEMENTS = web.AppKey("MOVEMENTS", Movements)
CASH_MEMOS = web.AppKey("CASH_MEMOS", CashMemos)
BALANCE_RESETS = web.AppKey("BALANCE_RESETS", BalanceResets)
HEALTH = web.AppKey("HEALTH", Health)
SIGNATURES = web.AppKey("SIGNATURES", Signatures)
ADMISSION = web.AppKey("ADMISSION", Admission)
LOGIN_QUEUE = web.AppKey("LOGIN_QUEUE", LoginQueue)
LOGIN_DECOYS = web.AppKey("LOGIN_DECOYS", LoginDecoys)
# What this process allows of logins; None: no limits.
LOGIN_BUCKETS = web.AppKey[LoginBuckets | None]("LOGIN_BUCKETS")
# By address: the endpoints of POSTs that are reached without the router.
DIRECT = web.AppKey[Mapping[str, Handler]]("DIRECT")
# Answers requests whose Expect header asks for what we do not do.
UNEXPECTED = web.AppKey[Handler]("UNEXPECTED")
