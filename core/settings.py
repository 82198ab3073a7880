"""Settings, read once by the process that starts; nothing is read at import.

What the environment lacks may be a file in SECRETS_DIRECTORY, as containers are given their secrets. Names are those of the environment. Defaults are for a laptop; what must be secret has none.
What is empty, or nothing but blanks, is unset: in the environment the file then speaks, in the file the default.

What a setting may be stands here, in its type and its bounds, and nowhere else. All that are wrong are told at once, in
SettingsError, without their secrets; what looks like a misspelt setting is told by misspelt_settings.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from core.domain.rulebook import SaleCaps
from core.domain.text import shown
from core.setting_values import (
    HIDDEN,
    PORT_MAX,
    SHOWN_LENGTH_MAX,
    Amount,
    AmqpUrl,
    DatabaseUrl,
    Host,
    KeyId,
    Level,
    MultiplierMax,
    MultiplierX,
    Networks,
    Origins,
    Password,
    RedisUrl,
    RetiredKeys,
    RoleName,
    WebhookUrl,
    allowed_of,
)

# OWASP's recommendation for argon2id: 19 MiB, two passes, one lane. 22 ms of one core where this was measured; the
# library's own default (64 MiB, three passes, four lanes) took 180 ms, so that 300 logins took a core for a minute.
MEMORY_KIB = 19_456
TIME_COST = 2
# Of each secret that signs.
SECRET_BYTES_MIN = 32

# Of sysexits.h, EX_CONFIG: settings are wrong, and trying again does not help. Of commands and processes alike.
SETTINGS_EXIT_CODE = 78

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

    model_config = SettingsConfigDict(env_prefix="", extra="ignore", frozen=True, allow_inf_nan=False)

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


Milliseconds = Annotated[int, Field(ge=1, le=3_600_000)]
Seconds = Annotated[int, Field(ge=1, le=86_400)]
Duration = Annotated[float, Field(gt=0, le=3_600)]
Bytes = Annotated[int, Field(ge=1_000, le=1_000_000_000)]
Port = Annotated[int, Field(ge=0, le=PORT_MAX)]
RulesMax = Annotated[int, Field(ge=1, le=10_000_000)]


class Settings(GivenSettings):
    # Where things are. An absent AMQP_URL means Dramatiq's Redis broker.
    database_url: DatabaseUrl
    # The same database past a pooler, for what needs a session of its own (LISTEN). None: DATABASE_URL is no pooler's.
    database_direct_url: DatabaseUrl | None = None
    migration_database_url: DatabaseUrl | None = None
    # Statements that a connection keeps prepared; 0 behind a pooler that gives each transaction another session.
    database_statement_cache_size: Annotated[int, Field(ge=0, le=10_000)] = STATEMENT_CACHE_SIZE
    database_url_replica: DatabaseUrl | None = None
    # How far the replica may be behind before readings do not even wait for it.
    replica_lag_max_ms: Milliseconds = 2_000
    redis_url: RedisUrl | None = None
    amqp_url: AmqpUrl | None = None

    # Secrets. The master key derives every terminal's secret (HKDF).
    jwt_access_secret: SecretStr = SecretStr("")
    jwt_refresh_secret: SecretStr = SecretStr("")
    terminal_master_key: SecretStr = SecretStr("")
    terminal_master_key_id: KeyId = "k1"
    # Master keys that were replaced: "id:key,id:key". Terminals keep theirs until they rotate.
    terminal_master_keys_retired: RetiredKeys = SecretStr("")

    jwt_access_expires_s: Annotated[int, Field(ge=1, le=30 * 86_400)] = 15 * 60
    jwt_refresh_expires_s: Annotated[int, Field(ge=1, le=400 * 86_400)] = 7 * 24 * 3600
    signature_window_s: Seconds = 300

    # HTTP. Port 0: any that is free.
    host: Host = "127.0.0.1"
    port: Port = 8080
    reuse_port: bool = True
    # Networks, separated by commas, whose X-Forwarded-For is believed.
    trusted_proxies: Networks = ""
    # Origins, separated by commas, whose pages may use the API from a browser.
    cors_origins: Origins = ""
    body_single_bytes_max: Bytes = 200_000
    body_batch_bytes_max: Bytes = 2_000_000
    # How slowly a body may come: so much on average over the longest pause.
    body_bytes_per_s_min: Annotated[int, Field(ge=1, le=1_000_000_000)] = 4_000
    body_silence_max_s: Duration = 30.0
    rate_limit_enabled: bool = True
    rate_limit_tickets_per_s: Annotated[float, Field(gt=0, le=1_000_000)] = 50.0
    rate_limit_tickets_burst: Annotated[int, Field(ge=1, le=1_000_000)] = 200
    rate_limit_login_per_min: Annotated[int, Field(ge=1, le=1_000_000)] = 30

    # Passwords (argon2id). What a hash costs, and how many are made at once; none: half of the processors.
    password_memory_kib: Annotated[int, Field(ge=8, le=4_194_304)] = MEMORY_KIB
    password_time_cost: Annotated[int, Field(ge=1, le=100)] = TIME_COST
    password_threads: Annotated[int | None, Field(ge=1, le=256)] = None

    # Hundredths inside: the last resort of the multiplier chain; none: a bet must then name its multiplier.
    multiplier_base_default_x: MultiplierX = None

    # What any sale may be, whatever a banca's rules say. Cents and hundredths inside.
    jugada_amount_max: Amount = Field("10000000.00", validate_default=True)
    ticket_amount_max: Amount = Field("100000000.00", validate_default=True)
    multiplier_max: MultiplierMax = Field("9999.00", validate_default=True)

    # What a banca may have in force of each kind: every process of the API keeps all of it, and every edit reads it.
    banca_restrictions_max: RulesMax = 5_000
    banca_overrides_max: RulesMax = 10_000
    banca_multipliers_max: RulesMax = 500
    banca_commission_rules_max: RulesMax = 20_000
    # Of these, what a ventana may write for itself and its sellers.
    ventana_rules_percent: Annotated[int, Field(ge=1, le=100)] = 20

    # The till. Measured: a pool of 4–8 is best, 32 is worse.
    db_pool_size: Annotated[int, Field(ge=2, le=1_000)] = 6
    db_timeout_s: Duration = 10.0
    batch_tickets_max: Annotated[int, Field(ge=1, le=10_000)] = 256
    batch_jugadas_max: Annotated[int, Field(ge=1, le=100_000)] = 2_000
    till_queue_tickets_max: Annotated[int, Field(ge=1, le=1_000_000)] = 4_000
    tx_max_retries: Annotated[int, Field(ge=0, le=100)] = 3
    tx_backoff_min_ms: Annotated[int, Field(ge=0, le=60_000)] = 10
    tx_backoff_max_ms: Annotated[int, Field(ge=0, le=60_000)] = 200

    # Cache. It decides nothing about money; off must work.
    cache_enabled: bool = True
    cache_timeout_ms: Annotated[int, Field(ge=1, le=60_000)] = 50
    cache_balance_ttl_s: Seconds = 60
    cache_ttl_cutoff: Annotated[int, Field(ge=0, le=86_400)] = 300
    cache_ttl_restrictions: Annotated[int, Field(ge=0, le=86_400)] = 300

    # After the commit.
    worker_threads: Annotated[int, Field(ge=1, le=256)] = 4
    relay_batch_events: Annotated[int, Field(ge=1, le=10_000)] = 200
    outbox_resend_after_s: Seconds = 25

    # Jobs. How long the first pause of a warm-up is; the n-th is n times as long.
    job_warm_up_pause_s: Annotated[float, Field(ge=0, le=3_600)] = 2.0
    # Told what a clean-up of the audit trail deleted.
    cleanup_webhook_url: WebhookUrl | None = None

    # Scheduler, relay and worker: where Prometheus reads them; 0: nowhere. The API's metrics are on its own port.
    metrics_port: Port = 0
    log_level: Level = "info"

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


class OwnerSettings(GivenSettings):
    """Where commands that work as the database's owner find it."""

    database_url: DatabaseUrl | None = None
    database_direct_url: DatabaseUrl | None = None
    migration_database_url: DatabaseUrl | None = None
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

    api_database_password: Password | None = None
    worker_database_password: Password | None = None
    # Whatever sells waits behind a migration that waits for a lock, so long at most.
    migration_lock_timeout_ms: Annotated[int, Field(ge=10, le=3_600_000)] = 800
    migration_wait_max_s: Annotated[float, Field(ge=0, le=86_400)] = 120.0


class SecretSettings(GivenSettings):
    """What a database is worth little without: a backup keeps it."""

    jwt_access_secret: Password | None = None
    jwt_refresh_secret: Password | None = None
    terminal_master_key: Password | None = None
    api_database_password: Password | None = None
    worker_database_password: Password | None = None
    terminal_master_key_id: Password | None = None
    terminal_master_keys_retired: Password | None = None


class StackSettings(OwnerSettings):
    """Of `banca up`, which gives its processes what it finds here, or what it starts instead."""

    redis_url: RedisUrl | None = None
    amqp_url: AmqpUrl | None = None
    host: Host | None = None
    # Of the first of its processes that have none of their own; the others take the ports after it.
    metrics_port: Annotated[int, Field(ge=0, le=PORT_MAX - 2)] = 0


KINDS: tuple[type[GivenSettings], ...] = (Settings, MigrationSettings, StackSettings)
Kind = TypeVar("Kind", bound=GivenSettings)
# Who reads Settings. The API cannot do without its secrets; relay and worker need a broker.
Program = Literal["api", "scheduler", "relay", "worker"]
SIGNING_SECRETS = ("jwt_access_secret", "jwt_refresh_secret", "terminal_master_key")


# What is wrong.


@dataclass(frozen=True, slots=True)
class WrongSetting:
    """value: as it may be shown; None: it is not set. place: where it stands, unless that is the environment."""

    name: str
    value: str | None
    allowed: str
    reason: str = ""
    place: str = ""

    def __str__(self) -> str:
        allowed = f"must be {self.allowed}{f' ({self.reason})' if self.reason else ''}"
        if self.value is None:
            return f"{self.name} is not set; it {allowed}"
        given = f"{self.name} {HIDDEN}" if self.value == HIDDEN else f"{self.name}={self.value}"
        return f"{given}{f' in {self.place}' if self.place else ''}: {allowed}"


class SettingsError(Exception):
    """Settings are missing or wrong: all of them, one a line."""

    def __init__(self, wrong: Sequence[WrongSetting]) -> None:
        super().__init__("\n".join(map(str, wrong)))
        self.wrong = tuple(wrong)


def load_settings(secrets: Path = SECRETS_DIRECTORY, *, program: Program | None = None) -> Settings:
    """Read the environment, and for what it lacks the files.

    program: who reads them, and so what may not be missing; None: nothing but DATABASE_URL is needed.
    Raises SettingsError.
    """
    settings, wrong = _examined(Settings, secrets)
    if program is not None:
        wrong += _unless_told(wrong, lacks(settings, program))
    if wrong:
        raise SettingsError(wrong)
    return settings


def load_migration_settings(secrets: Path = SECRETS_DIRECTORY) -> MigrationSettings:
    """Raises SettingsError."""
    return _loaded(MigrationSettings, secrets)


def load_owner_settings(secrets: Path = SECRETS_DIRECTORY) -> OwnerSettings:
    """Raises SettingsError."""
    return _loaded(OwnerSettings, secrets)


def load_stack_settings(secrets: Path = SECRETS_DIRECTORY) -> StackSettings:
    """Raises SettingsError."""
    return _loaded(StackSettings, secrets)


def require_right_settings(secrets: Path = SECRETS_DIRECTORY) -> None:
    """Check whatever is set, for any process or command, before one of them begins; what is not set may come from `up`.

    Raises SettingsError with all that is wrong.
    """
    wrong: list[WrongSetting] = []
    for kind in KINDS:
        found, of_kind = _examined(kind, secrets)
        wrong += _unless_told(wrong, [each for each in of_kind if each.value is not None])
        if isinstance(found, Settings):
            wrong += _unless_told(wrong, contradictions(found))
    if wrong:
        raise SettingsError(wrong)


def lacks(settings: Settings, program: Program) -> list[WrongSetting]:
    """What the program cannot do without, and what does not go together."""
    missing: list[WrongSetting] = []
    if program == "api":
        missing += [_secret(name, None) for name in SIGNING_SECRETS if not getattr(settings, name).get_secret_value()]
    if program in {"relay", "worker"} and settings.amqp_url is None and settings.redis_url is None:
        allowed = allowed_of(Settings.model_fields["redis_url"]).words
        missing.append(WrongSetting("REDIS_URL", None, f"{allowed}, unless AMQP_URL is: one of them is the broker"))
    return missing + contradictions(settings)


def contradictions(settings: Settings) -> list[WrongSetting]:
    """Secrets that are set and too weak, and settings that do not go together."""
    secrets = {name: getattr(settings, name).get_secret_value() for name in SIGNING_SECRETS}
    wrong = [_secret(name, HIDDEN) for name, value in secrets.items() if 0 < len(value.encode()) < SECRET_BYTES_MIN]
    if secrets["jwt_access_secret"] == secrets["jwt_refresh_secret"] != "":
        wrong.append(WrongSetting("JWT_REFRESH_SECRET", HIDDEN, "another than JWT_ACCESS_SECRET"))
    if settings.tx_backoff_min_ms > settings.tx_backoff_max_ms:
        most = f"at most TX_BACKOFF_MAX_MS, which is {settings.tx_backoff_max_ms}"
        wrong.append(WrongSetting("TX_BACKOFF_MIN_MS", str(settings.tx_backoff_min_ms), most))
    return wrong


def _secret(name: str, value: str | None) -> WrongSetting:
    return WrongSetting(name.upper(), value, f"at least {SECRET_BYTES_MIN} bytes long")


def wrong_setting(kind: type[GivenSettings], name: str, value: object, *, reason: str = "") -> WrongSetting:
    """name: of the field."""
    allowed = allowed_of(kind.model_fields[name])
    text = allowed.show(str(value))
    return WrongSetting(
        name.upper(),
        text if len(text) <= SHOWN_LENGTH_MAX else f"{text[:SHOWN_LENGTH_MAX]}…",
        allowed.words,
        "" if text == HIDDEN else shown(reason),
    )


def _loaded(kind: type[Kind], secrets: Path) -> Kind:
    found, wrong = _examined(kind, secrets)
    if wrong:
        raise SettingsError(wrong)
    return found


def _examined(kind: type[Kind], secrets: Path) -> tuple[Kind, list[WrongSetting]]:
    """The settings, with the defaults in place of those that are wrong; and these."""
    try:
        return kind(_secrets_dir=existing(secrets)), []
    except ValidationError as error:
        wrong = [_of_error(kind, dict(each), secrets) for each in error.errors(include_url=False)]
        # Required are only URLs of a database.
        repaired: dict[str, Any] = {
            each.name.lower(): "postgresql://" if (field := kind.model_fields[each.name.lower()]).is_required()
            else field.get_default()
            for each in wrong
        }  # fmt: skip
        return kind(_secrets_dir=existing(secrets), **repaired), wrong
    except (OSError, ValueError) as error:
        path = getattr(error, "filename", None) or secrets
        raise SettingsError(
            [WrongSetting(str(path), "", "files that can be read as text", shown(str(error)))]
        ) from None


def _of_error(kind: type[GivenSettings], error: Mapping[str, Any], secrets: Path) -> WrongSetting:
    name = str(error["loc"][0])
    if error["type"] == "missing":
        return WrongSetting(name.upper(), None, allowed_of(kind.model_fields[name]).words)
    value = error["input"].get_secret_value() if isinstance(error["input"], SecretStr) else error["input"]
    wrong = wrong_setting(kind, name, value, reason=str(error.get("ctx", {}).get("error", "")))
    is_of_environment = any(given(os.environ, each) for each in os.environ if each.lower() == name)
    place = "" if is_of_environment else str(secrets / name)
    return WrongSetting(wrong.name, wrong.value, wrong.allowed, wrong.reason, place)


def _unless_told(told: Sequence[WrongSetting], found: Sequence[WrongSetting]) -> list[WrongSetting]:
    """Those that nothing was said of yet."""
    names = {each.name for each in told}
    return [each for each in found if each.name not in names]


def load_secret_settings(secrets: Path = SECRETS_DIRECTORY) -> SecretSettings:
    """Raises SettingsError."""
    return _loaded(SecretSettings, secrets)


def existing(directory: Path) -> Path | None:
    # Of one that is not there the library would warn.
    return directory if directory.is_dir() else None


# What looks like a setting.

SETTING_NAMES = frozenset(name.upper() for kind in KINDS for name in kind.model_fields)
# What others read of the environment: the launcher, the tests, Compose, Locust.
OTHER_NAMES = frozenset(
    (
        *("BANCA_PYTHON", "BANCA_PG_BIN", "BANCA_TEST_DATABASE_URL", "BANCA_TEST_TEMPLATE"),
        *("BANCA_PORT", "BANCA_VERSION", "BANCA_LOAD_PLAN", "BANCA_LOAD_FOLDER"),
        "PROMETHEUS_MULTIPROC_DIR",
    )
)
PREFIX = "BANCA_"
# Of two names' letters so many, in this order, are the same. Lower, HOSTNAME would be taken for HOST.
ALIKE_FROM = 0.85


def misspelt_settings(environment: Mapping[str, str] = os.environ) -> list[str]:
    """A line for each variable that begins as ours do or nearly has a setting's name, and is none."""
    return list(_misspelt(environment))


def _misspelt(environment: Mapping[str, str]) -> Iterator[str]:
    known = SETTING_NAMES | OTHER_NAMES
    for name in environment:
        if name.upper() in known or given(environment, name) is None:
            continue
        bare = name.upper().removeprefix(PREFIX)
        is_ours = name.upper().startswith(PREFIX)
        alike = [bare] if bare in known else difflib.get_close_matches(name.upper(), known, n=1, cutoff=ALIKE_FROM)
        if alike:
            yield f"{shown(name)} is no setting and is not read; is {alike[0]} meant?"
        elif is_ours:
            yield f"{shown(name)} is no setting and is not read; docs/settings.md lists them"
