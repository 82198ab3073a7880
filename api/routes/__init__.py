"""The table of operations: every address of the API, except the documentation's."""

from __future__ import annotations

from api.operations import Operation
from api.routes.accounts import OPERATIONS as ACCOUNTS
from api.routes.auth import OPERATIONS as AUTH
from api.routes.health import OPERATIONS as HEALTH
from api.routes.loterias import OPERATIONS as LOTERIAS
from api.routes.sessions import OPERATIONS as SESSIONS
from api.routes.sorteos import OPERATIONS as SORTEOS
from api.routes.terminals import OPERATIONS as TERMINALS
from api.routes.tickets import OPERATIONS as TICKETS

OPERATIONS: tuple[Operation, ...] = (
    *AUTH,
    *SESSIONS,
    *TERMINALS,
    *LOTERIAS,
    *SORTEOS,
    *TICKETS,
    *ACCOUNTS,
    *HEALTH,
)
