"""The table of operations: every address of the API, except the documentation's."""

from __future__ import annotations

from api.operations import Operation
from api.routes.accounts import OPERATIONS as ACCOUNTS
from api.routes.activity import OPERATIONS as ACTIVITY
from api.routes.auth import OPERATIONS as AUTH
from api.routes.banca_settings import OPERATIONS as BANCA_SETTINGS
from api.routes.cash_memos import OPERATIONS as CASH_MEMOS
from api.routes.commission_policies import OPERATIONS as COMMISSION_POLICIES
from api.routes.dead_letters import OPERATIONS as DEAD_LETTERS
from api.routes.diagnostics import OPERATIONS as DIAGNOSTICS
from api.routes.evaluations import OPERATIONS as EVALUATIONS
from api.routes.front import OPERATIONS as FRONT
from api.routes.health import OPERATIONS as HEALTH
from api.routes.job_addresses import OPERATIONS as JOB_ADDRESSES
from api.routes.jobs import OPERATIONS as JOBS
from api.routes.limits import OPERATIONS as LIMITS
from api.routes.lista_exclusions import OPERATIONS as LISTA_EXCLUSIONS
from api.routes.listas import OPERATIONS as LISTAS
from api.routes.loteria_changes import OPERATIONS as LOTERIA_CHANGES
from api.routes.loterias import OPERATIONS as LOTERIAS
from api.routes.movements import OPERATIONS as MOVEMENTS
from api.routes.multiplier_overrides import OPERATIONS as MULTIPLIER_OVERRIDES
from api.routes.restriction_changes import OPERATIONS as RESTRICTION_CHANGES
from api.routes.restrictions import OPERATIONS as RESTRICTIONS
from api.routes.results import OPERATIONS as RESULTS
from api.routes.sessions import OPERATIONS as SESSIONS
from api.routes.sorteo_changes import OPERATIONS as SORTEO_CHANGES
from api.routes.sorteo_limits import OPERATIONS as SORTEO_LIMITS
from api.routes.sorteo_schedules import OPERATIONS as SORTEO_SCHEDULES
from api.routes.sorteo_states import OPERATIONS as SORTEO_STATES
from api.routes.sorteos import OPERATIONS as SORTEOS
from api.routes.statement_changes import OPERATIONS as STATEMENT_CHANGES
from api.routes.statement_exports import OPERATIONS as STATEMENT_EXPORTS
from api.routes.statement_lists import OPERATIONS as STATEMENT_LISTS
from api.routes.statements import OPERATIONS as STATEMENTS
from api.routes.terminals import OPERATIONS as TERMINALS
from api.routes.ticket_cancels import OPERATIONS as TICKET_CANCELS
from api.routes.ticket_payments import OPERATIONS as TICKET_PAYMENTS
from api.routes.ticket_restores import OPERATIONS as TICKET_RESTORES
from api.routes.ticket_sales import OPERATIONS as TICKET_SALES
from api.routes.tickets import OPERATIONS as TICKETS
from api.routes.winners import OPERATIONS as WINNERS

OPERATIONS: tuple[Operation, ...] = (
    *AUTH,
    *SESSIONS,
    *TERMINALS,
    *LOTERIAS,
    # Before the draws and the rules: a name is found before a place for an id is.
    *RESULTS,
    *JOB_ADDRESSES,
    *SORTEOS,
    *TICKET_SALES,
    *TICKET_CANCELS,
    *TICKET_RESTORES,
    *TICKET_PAYMENTS,
    *LISTAS,
    *LISTA_EXCLUSIONS,
    *TICKETS,
    *LIMITS,
    *ACCOUNTS,
    *MOVEMENTS,
    *CASH_MEMOS,
    *STATEMENTS,
    *STATEMENT_CHANGES,
    *STATEMENT_LISTS,
    *STATEMENT_EXPORTS,
    *RESTRICTIONS,
    *RESTRICTION_CHANGES,
    *MULTIPLIER_OVERRIDES,
    *COMMISSION_POLICIES,
    *BANCA_SETTINGS,
    *LOTERIA_CHANGES,
    *SORTEO_LIMITS,
    *SORTEO_CHANGES,
    *SORTEO_STATES,
    *SORTEO_SCHEDULES,
    *EVALUATIONS,
    *WINNERS,
    *DIAGNOSTICS,
    *ACTIVITY,
    *JOBS,
    *DEAD_LETTERS,
    *HEALTH,
    *FRONT,
)
