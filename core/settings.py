"""Settings, read once by the process that starts; nothing is read at import.

What the environment lacks may be a file in SECRETS_DIRECTORY, as containers are given their secrets. Names are those of the environment. Defaults are for a laptop; what must be secret has none.
What is empty, or nothing but blanks, is unset: in the environment the file then speaks, in the file the default.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from core.domain.commission_policy import MULTIPLIER_X_MAX
from core.domain.money import parse_amount, parse_hundredths
from core.domain.rulebook import SaleCaps
from core.logging import LogLevel


def _multiplier_x(value: object) -> int | None:
    return None if value in (None, "", "0") else parse_hundredths(value, maximum=MULTIPLIER_X_MAX)


# OWASP's recommendation for argon2id: 19 MiB, two passes, one lane. 22 ms of one core where this was measured; the
# library's own default (64 MiB, three passes, four lanes) took 180 ms, so that 300 logins took a core for a minute.
MEMORY_KIB = 19_456
TIME_COST = 2


def _multiplier_max(value: object) -> int:
    hundredths = parse_hundredths(value, maximum=MULTIPLIER_X_MAX)
    if hundredths == 0:
        raise ValueError("must be greater than 0")
    return hundredths


# Cents inside; written as amounts are.
AmountSetting = Annotated[int, BeforeValidator(parse_amount)]


def _lowered(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


SECRETS_DIRECTORY = Path("/run/secrets")
# Statements that a connection keeps prepared where no pooler is in the way: the driver's own default.
STATEMENT_CACHE_SIZE = 100


def given(environment: Mapping[str, str], name: str) -> str | None:
    """The value of a variable; None when it is unset, empty or blank."""
    value = environment.get(name)
    return None if value is None or is_blank(value) else value


def is_blank(value: object) -> bool:
    return isinstance(value, str) and not value.strip()


class GivenSettings(BaseSettings):
    """Settings of which each source counts only where it says something."""

    model_config = SettingsConfigDict(env_prefix="", extra="ignore", frozen=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the library's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - there is no such file
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[Any, ...]:
        return init_settings, _without_blanks(env_settings), _without_blanks(file_secret_settings)


def _without_blanks(source: PydanticBaseSettingsSource) -> Callable[[], dict[str, Any]]:
    def read() -> dict[str, Any]:
        return {name: value for name, value in source().items() if not is_blank(value)}

    return read


class Settings(GivenSettings):
    # Where things are. An absent AMQP_URL means Dramatiq's Redis broker.
    database_url: str
    # The same database past a pooler, for what needs a session of its own (LISTEN). None: DATABASE_URL is no pooler's.
    database_direct_url: str | None = None
    migration_database_url: str | None = None
    # Statements that a connection keeps prepared; 0 behind a pooler that gives each transaction another session.
    database_statement_cache_size: Annotated[int, Field(ge=0, le=10_000)] = STATEMENT_CACHE_SIZE
    database_url_replica: str | None = None
    # How far the replica may be behind before readings do not even wait for it.
    replica_lag_max_ms: Annotated[int, Field(gt=0)] = 2_000
    redis_url: str | None = None
    amqp_url: str | None = None

    # Secrets. The master key derives every terminal's secret (HKDF).
    jwt_access_secret: SecretStr = SecretStr("")
    jwt_refresh_secret: SecretStr = SecretStr("")
    terminal_master_key: SecretStr = SecretStr("")
    terminal_master_key_id: str = "k1"
    # Master keys that were replaced: "id:key,id:key". Terminals keep theirs until they rotate.
    terminal_master_keys_retired: SecretStr = SecretStr("")

    jwt_access_expires_s: Annotated[int, Field(gt=0)] = 15 * 60
    jwt_refresh_expires_s: Annotated[int, Field(gt=0)] = 7 * 24 * 3600
    signature_window_s: Annotated[int, Field(gt=0)] = 300

    # HTTP.
    host: str = "127.0.0.1"
    port: int = 8080
    reuse_port: bool = True
    # Networks, separated by commas, whose X-Forwarded-For is believed.
    trusted_proxies: str = ""
    # Origins, separated by commas, whose pages may use the API from a browser.
    cors_origins: str = ""
    body_single_bytes_max: int = 200_000
    body_batch_bytes_max: int = 2_000_000
    # How slowly a body may come: so much on average over the longest pause.
    body_bytes_per_s_min: Annotated[int, Field(gt=0)] = 4_000
    body_silence_max_s: Annotated[float, Field(gt=0)] = 30.0
    rate_limit_enabled: bool = True
    rate_limit_tickets_per_s: float = 50.0
    rate_limit_tickets_burst: int = 200
    rate_limit_login_per_min: int = 30

    # Passwords (argon2id). What a hash costs, and how many are made at once; none: half of the processors.
    password_memory_kib: Annotated[int, Field(ge=8)] = MEMORY_KIB
    password_time_cost: Annotated[int, Field(ge=1)] = TIME_COST
    password_threads: Annotated[int | None, Field(ge=1)] = None

    # Hundredths inside: the last resort of the multiplier chain; none: a bet must then name its multiplier.
    multiplier_base_default_x: Annotated[int | None, BeforeValidator(_multiplier_x)] = None

    # What any sale may be, whatever a banca's rules say. Cents and hundredths inside.
    jugada_amount_max: AmountSetting = Field("10000000.00", validate_default=True)
    ticket_amount_max: AmountSetting = Field("100000000.00", validate_default=True)
    multiplier_max: Annotated[int, BeforeValidator(_multiplier_max)] = Field("9999.00", validate_default=True)

    # What a banca may have in force of each kind: every process of the API keeps all of it, and every edit reads it.
    banca_restrictions_max: Annotated[int, Field(ge=1)] = 5_000
    banca_overrides_max: Annotated[int, Field(ge=1)] = 10_000
    banca_multipliers_max: Annotated[int, Field(ge=1)] = 500
    banca_commission_rules_max: Annotated[int, Field(ge=1)] = 20_000
    # Of these, what a ventana may write for itself and its sellers.
    ventana_rules_percent: Annotated[int, Field(ge=1, le=100)] = 20

    # The till. Measured: a pool of 4–8 is best, 32 is worse.
    db_pool_size: Annotated[int, Field(ge=2)] = 6
    db_timeout_s: float = 10.0
    batch_tickets_max: Annotated[int, Field(ge=1)] = 256
    batch_jugadas_max: Annotated[int, Field(ge=1)] = 2_000
    till_queue_tickets_max: Annotated[int, Field(ge=1)] = 4_000
    tx_max_retries: int = 3
    tx_backoff_min_ms: int = 10
    tx_backoff_max_ms: int = 200

    # Cache. It decides nothing about money; off must work.
    cache_enabled: bool = True
    cache_timeout_ms: int = 50
    cache_balance_ttl_s: int = 60
    cache_ttl_cutoff: int = 300
    cache_ttl_restrictions: int = 300

    # After the commit.
    worker_threads: int = 4
    relay_batch_events: int = 200
    outbox_resend_after_s: int = 25

    # Jobs. How long the first pause of a warm-up is; the n-th is n times as long.
    job_warm_up_pause_s: Annotated[float, Field(ge=0)] = 2.0
    # Told what a clean-up of the audit trail deleted.
    cleanup_webhook_url: str | None = None

    # Scheduler, relay and worker: where Prometheus reads them; 0: nowhere. The API's metrics are on its own port.
    metrics_port: Annotated[int, Field(ge=0, le=65535)] = 0
    log_level: Annotated[LogLevel, BeforeValidator(_lowered)] = "info"

    @property
    def session_url(self) -> str:
        """Of the database, where a connection is a session and stays one."""
        return self.database_direct_url or self.database_url

    @property
    def sale_caps(self) -> SaleCaps:
        return SaleCaps(self.jugada_amount_max, self.ticket_amount_max, self.multiplier_max)


# The roles that hold the rights of the API and of the workers, in every banca database of a server. Processes log in as
# these, or as members of them.
API_ROLE = "banca_api"
WORKER_ROLE = "banca_worker"


def _role_name(value: str) -> str:
    # So that it needs no quotes, and the server neither cuts it nor keeps it for itself.
    if not re.fullmatch(r"(?!pg_)[a-z_][a-z0-9_]{0,62}", value):
        raise ValueError("must be a role's name: 1 to 63 of a-z, 0-9 and _, no digit first, not pg_…")
    return value


RoleName = Annotated[str, AfterValidator(_role_name)]


class OwnerSettings(GivenSettings):
    """Where commands that work as the database's owner find it."""

    database_url: str | None = None
    database_direct_url: str | None = None
    migration_database_url: str | None = None
    # What the processes log in as. Roles belong to the whole server: a second database in it needs others.
    api_database_role: RoleName = API_ROLE
    worker_database_role: RoleName = WORKER_ROLE

    @property
    def owner_url(self) -> str | None:
        return self.migration_database_url or self.database_direct_url or self.database_url

    @property
    def pooled_url(self) -> str | None:
        """Of a pooler before the database that owner_url names; None: there is none."""
        return self.database_url if self.database_direct_url is not None else None


class MigrationSettings(OwnerSettings):
    """Of `banca migrate`. Passwords, when given, let the API's and the worker's roles log in."""

    api_database_password: str | None = None
    worker_database_password: str | None = None
    # Whatever sells waits behind a migration that waits for a lock, so long at most.
    migration_lock_timeout_ms: Annotated[int, Field(ge=10)] = 800
    migration_wait_max_s: Annotated[float, Field(ge=0)] = 120.0


class SecretSettings(GivenSettings):
    """What a database is worth little without: a backup keeps it."""

    jwt_access_secret: str | None = None
    jwt_refresh_secret: str | None = None
    terminal_master_key: str | None = None
    api_database_password: str | None = None
    worker_database_password: str | None = None
    terminal_master_key_id: str | None = None
    terminal_master_keys_retired: str | None = None


class StackSettings(OwnerSettings):
    """Of `banca up`, which gives its processes what it finds here, or what it starts instead."""

    redis_url: str | None = None
    amqp_url: str | None = None
    host: str | None = None


def load_settings(secrets: Path = SECRETS_DIRECTORY) -> Settings:
    """Read the environment, and for what it lacks the files. Raises pydantic.ValidationError naming what is missing."""
    return Settings(_secrets_dir=existing(secrets))


def load_migration_settings(secrets: Path = SECRETS_DIRECTORY) -> MigrationSettings:
    return MigrationSettings(_secrets_dir=existing(secrets))


def load_owner_settings(secrets: Path = SECRETS_DIRECTORY) -> OwnerSettings:
    return OwnerSettings(_secrets_dir=existing(secrets))


def load_stack_settings(secrets: Path = SECRETS_DIRECTORY) -> StackSettings:
    return StackSettings(_secrets_dir=existing(secrets))


def load_secret_settings(secrets: Path = SECRETS_DIRECTORY) -> SecretSettings:
    return SecretSettings(_secrets_dir=existing(secrets))


def existing(directory: Path) -> Path | None:
    # Of one that is not there the library would warn.
    return directory if directory.is_dir() else None
