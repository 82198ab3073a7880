"""What the text of a setting may be, in types that check it, and how a wrong one is shown: without what is secret in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any, Literal, get_args, get_origin
from urllib.parse import urlsplit

from annotated_types import Ge, Gt, Le
from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic.fields import FieldInfo

from core.domain.commission_policy import MULTIPLIER_X_MAX
from core.domain.money import AMOUNT_CENTS_MAX, format_cents, format_hundredths, parse_amount, parse_hundredths
from core.domain.text import shown
from core.logging import LogLevel

HIDDEN = "(its value is not shown)"
SHOWN_LENGTH_MAX = 120
PORT_MAX = 65_535
# Parameters of a URL that hold what a password does.
_SECRET_PARAMETER = re.compile(r"(?<=[?&])([^=&]*(?:password|secret|token)[^=&]*)=[^&]*", re.IGNORECASE)
_NO_PORT = re.compile(r"^([^:/?]*):(?![0-9]*(?:[/?]|$))[^/?]*")
# A host, IPv6 in brackets, before its port.
_PLACE = re.compile(r"^(\[[^\]]*\]|[^:]*):?")
_HOST = re.compile(r"[0-9A-Za-z_.:%-]+")


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a setting may be, in words that follow "must be"; and how a wrong value is shown."""

    words: str
    show: Callable[[str], str] = shown


def allowed_of(field: FieldInfo) -> Allowed:
    """What its type and its bounds allow."""
    rules = [*field.metadata, *_nested_rules(field.annotation)]
    if found := next((rule for rule in rules if isinstance(rule, Allowed)), None):
        return found
    kinds = [kind for kind in (field.annotation, *get_args(field.annotation)) if kind is not type(None)]
    if SecretStr in kinds:
        return Allowed("a text", lambda _: HIDDEN)
    if bool in kinds:
        return Allowed("true or false")
    if choices := next((get_args(kind) for kind in kinds if get_origin(kind) is Literal), None):
        return Allowed(f"{', '.join(choices[:-1])} or {choices[-1]}")
    if int in kinds:
        return Allowed(f"a whole number{_bounds(rules)}")
    if float in kinds:
        return Allowed(f"a number{_bounds(rules)}")
    return Allowed("a text")


def _nested_rules(annotation: Any) -> Iterator[Any]:
    yield from getattr(annotation, "__metadata__", ())
    for part in get_args(annotation):
        if part is not type(None) and get_args(part):
            yield from _nested_rules(part)


def _bounds(rules: list[Any]) -> str:
    least = next((rule for rule in rules if isinstance(rule, Ge | Gt)), None)
    most = next((rule.le for rule in rules if isinstance(rule, Le)), None)
    match least:
        case Ge():
            return f" from {least.ge} to {most}" if most is not None else f" of at least {least.ge}"
        case Gt():
            return f" greater than {least.gt}{f' and at most {most}' if most is not None else ''}"
        case _:
            return "" if most is None else f" of at most {most}"


# URLs.


def shown_url(url: str) -> str:
    """The URL without its password, however it is malformed."""
    scheme, separator, rest = url.partition("://")
    if not separator or "@" in scheme:
        scheme, separator, rest = "", "", url
    login, at, place = rest.rpartition("@")
    # Without an @ what stands for a port may be a password that was cut off.
    place = f"{login.partition(':')[0]}@{place}" if at else _NO_PORT.sub(r"\1:…", place)
    return shown(scheme + separator + _SECRET_PARAMETER.sub(r"\1=…", place))


def shown_place(url: str) -> str:
    """Scheme and host alone: the path of a webhook is a secret."""
    scheme, separator, rest = shown_url(url).partition("://")
    return f"{scheme}{separator}{rest.partition('/')[0].partition('?')[0]}/…" if separator else HIDDEN


def _url_of(*schemes: str) -> Callable[[str], str]:
    def check(url: str) -> str:
        scheme, separator, _ = url.partition("://")
        if not separator or scheme.lower() not in schemes:
            raise ValueError
        # Several places, as PostgreSQL has them, each with a port of its own.
        for place in urlsplit(url).netloc.rpartition("@")[2].split(","):
            port = _PLACE.sub("", place)
            if port and not (port.isascii() and port.isdecimal() and 0 < int(port) <= PORT_MAX):
                raise ValueError(f"its port is not from 1 to {PORT_MAX}")
        return url

    return check


def _url_words(*schemes: str) -> str:
    return f"a URL that begins with {' or '.join(f'{scheme}://' for scheme in schemes)}"


_DATABASE = ("postgresql", "postgres")
_REDIS = ("redis", "rediss", "unix")
_AMQP = ("amqp", "amqps")
_WEB = ("https", "http")
DatabaseUrl = Annotated[str, AfterValidator(_url_of(*_DATABASE)), Allowed(_url_words(*_DATABASE), shown_url)]
RedisUrl = Annotated[str, AfterValidator(_url_of(*_REDIS)), Allowed(_url_words(*_REDIS), shown_url)]
AmqpUrl = Annotated[str, AfterValidator(_url_of(*_AMQP)), Allowed(_url_words(*_AMQP), shown_url)]
WebhookUrl = Annotated[str, AfterValidator(_url_of(*_WEB)), Allowed(_url_words(*_WEB), shown_place)]


# Names of places in the network.


def _host(text: str) -> str:
    if _HOST.fullmatch(text) is None:
        raise ValueError("no host")
    return text


def networks_of(text: str) -> list[IPv4Network | IPv6Network]:
    """Of "10.0.0.0/8, 192.168.1.7". Raises ValueError."""
    return [ip_network(part.strip()) for part in text.split(",") if part.strip()]


def origins_of(text: str) -> frozenset[str]:
    """Of "https://pos.example.com, http://localhost:5173". Raises ValueError for what is no origin; "*" and "null" are
    none that could be trusted.
    """
    return frozenset(_origin(part.strip()) for part in text.split(",") if part.strip())


def _origin(text: str) -> str:
    """As browsers send it: scheme, host and a port that is not the scheme's own, in small letters."""
    parts = urlsplit(text)
    is_origin = parts.scheme in ("http", "https") and parts.hostname and text == f"{parts.scheme}://{parts.netloc}"
    if not is_origin or "@" in parts.netloc or "*" in parts.netloc or text != text.lower():
        raise ValueError(f"{text!r} is no origin such as https://pos.example.com")
    if parts.port == {"http": 80, "https": 443}[parts.scheme]:
        raise ValueError(f"{text!r}: browsers leave out the scheme's own port")
    return text


def _checked_by(parse: Callable[[str], object]) -> AfterValidator:
    def check(text: str) -> str:
        parse(text)
        return text

    return AfterValidator(check)


Host = Annotated[str, AfterValidator(_host), Allowed("a host name or an address, as 127.0.0.1 or 0.0.0.0")]
Networks = Annotated[
    str, _checked_by(networks_of), Allowed("networks separated by commas, as 10.0.0.0/8,192.168.1.7, no host bits set")
]
Origins = Annotated[
    str, _checked_by(origins_of), Allowed("exact origins separated by commas, as https://pos.example.com, and not *")
]


# Secrets.


def retired_keys_of(text: str) -> dict[str, str]:
    """Keys by their ids, of "id:key,id:key". Raises ValueError."""
    keys = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        key_id, _, key = entry.partition(":")
        if not (key_id and key):
            raise ValueError("must read id:key,id:key")
        keys[key_id] = key
    return keys


def _retired_keys(secret: SecretStr) -> SecretStr:
    retired_keys_of(secret.get_secret_value())
    return secret


def _key_id(text: str) -> str:
    if re.search(r"[\s:,]", text):
        raise ValueError("it could not stand in TERMINAL_MASTER_KEYS_RETIRED")
    return text


RetiredKeys = Annotated[
    SecretStr, AfterValidator(_retired_keys), Allowed("id:key,id:key with each key's id before it", lambda _: HIDDEN)
]
KeyId = Annotated[str, AfterValidator(_key_id), Allowed("a name without blanks, colons and commas")]
Password = Annotated[str, Allowed("a text", lambda _: HIDDEN)]


def _role_name(text: str) -> str:
    # So that it needs no quotes, and the server neither cuts it nor keeps it for itself.
    if not re.fullmatch(r"(?!pg_)[a-z_][a-z0-9_]{0,62}", text):
        raise ValueError("no role's name")
    return text


RoleName = Annotated[
    str,
    AfterValidator(_role_name),
    Allowed("a role's name: 1 to 63 of a-z, 0-9 and _, no digit first, and not pg_…"),
]


# Amounts and multipliers: cents and hundredths inside, written as amounts are.


def _multiplier_x(value: object) -> int | None:
    return None if value in (None, "", "0") else parse_hundredths(value, maximum=MULTIPLIER_X_MAX)


def _multiplier_max(value: object) -> int:
    hundredths = parse_hundredths(value, maximum=MULTIPLIER_X_MAX)
    if hundredths == 0:
        raise ValueError("must be greater than 0")
    return hundredths


_MULTIPLIER_MOST = f"as 90 or 90.00, at most {format_hundredths(MULTIPLIER_X_MAX)}"
Amount = Annotated[
    int,
    BeforeValidator(parse_amount),
    Allowed(f"an amount greater than 0, as 500 or 500.00, at most {format_cents(AMOUNT_CENTS_MAX)}"),
]
MultiplierX = Annotated[int | None, BeforeValidator(_multiplier_x), Allowed(f"a multiplier, {_MULTIPLIER_MOST}")]
MultiplierMax = Annotated[
    int, BeforeValidator(_multiplier_max), Allowed(f"a multiplier greater than 0, {_MULTIPLIER_MOST}")
]


def _lowered(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


Level = Annotated[LogLevel, BeforeValidator(_lowered)]
