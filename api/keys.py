"""What the application holds, by typed keys."""

from __future__ import annotations

from aiohttp import web

from api.health import Health
from api.sessions import Sessions
from api.terminals import Terminals
from core.cache import BalanceCache
from core.database import Database
from core.security.passwords import Passwords
from core.security.terminal_secrets import MasterKeys
from core.settings import Settings

SETTINGS = web.AppKey("SETTINGS", Settings)
DATABASE = web.AppKey("DATABASE", Database)
CACHE = web.AppKey("CACHE", BalanceCache)
PASSWORDS = web.AppKey("PASSWORDS", Passwords)
MASTER_KEYS = web.AppKey("MASTER_KEYS", MasterKeys)
SESSIONS = web.AppKey("SESSIONS", Sessions)
TERMINALS = web.AppKey("TERMINALS", Terminals)
HEALTH = web.AppKey("HEALTH", Health)
