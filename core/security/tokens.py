"""Access and refresh tokens: JWT, HS256 and nothing else, each kind with a secret of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import jwt

from core.domain.permissions import Role

ALGORITHM = "HS256"
# Servers' clocks differ by less; a client's clock does not matter.
LEEWAY_S = 5


class TokenError(Exception):
    """The token is malformed, of another kind, or not signed by us."""


class TokenExpiredError(TokenError):
    """The token was ours; its time is over."""


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """Who acts. banca_id is the user's home; terminal_id, when there is one, must sign what is signed."""

    user_id: UUID
    role: Role
    ventana_id: UUID | None
    banca_id: UUID | None
    session_id: UUID
    terminal_id: UUID | None
    expires_at_s: int
    rate_limited: bool = True


@dataclass(frozen=True, slots=True)
class RefreshClaims:
    """Which session, and which of its rotations (1, 2, …)."""

    session_id: UUID
    generation: int
    expires_at_s: int


def issue_access(claims: AccessClaims, *, secret: str, issued_at_s: int) -> str:
    return jwt.encode(
        {
            "typ": "access",
            "sub": str(claims.user_id),
            "role": claims.role.value,
            "ventanaId": _text(claims.ventana_id),
            "bancaId": _text(claims.banca_id),
            "sid": str(claims.session_id),
            "terminalId": _text(claims.terminal_id),
            "rl": claims.rate_limited,
            "iat": issued_at_s,
            "exp": claims.expires_at_s,
        },
        secret,
        algorithm=ALGORITHM,
    )


def verify_access(token: str, *, secret: str) -> AccessClaims:
    """Raises TokenError, TokenExpiredError."""
    claims = _verified(token, secret=secret, kind="access")
    try:
        return AccessClaims(
            user_id=UUID(claims["sub"]),
            role=Role(claims["role"]),
            ventana_id=_uuid(claims["ventanaId"]),
            banca_id=_uuid(claims["bancaId"]),
            session_id=UUID(claims["sid"]),
            terminal_id=_uuid(claims["terminalId"]),
            expires_at_s=int(claims["exp"]),
            rate_limited=claims.get("rl") is not False,
        )
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise TokenError("the access token lacks a claim") from error


def issue_refresh(claims: RefreshClaims, *, secret: str) -> str:
    """The same claims give the same token: only its hash is stored, yet the newest one can be given again."""
    return jwt.encode(
        {"typ": "refresh", "sid": str(claims.session_id), "gen": claims.generation, "exp": claims.expires_at_s},
        secret,
        algorithm=ALGORITHM,
    )


def verify_refresh(token: str, *, secret: str) -> RefreshClaims:
    """Raises TokenError, TokenExpiredError."""
    claims = _verified(token, secret=secret, kind="refresh")
    try:
        return RefreshClaims(UUID(claims["sid"]), int(claims["gen"]), int(claims["exp"]))
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise TokenError("the refresh token lacks a claim") from error


def token_hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _verified(token: str, *, secret: str, kind: str) -> Mapping[str, Any]:
    try:
        claims: dict[str, Any] = jwt.decode(
            token, secret, algorithms=[ALGORITHM], leeway=LEEWAY_S, options={"require": ["exp"]}
        )
    except jwt.ExpiredSignatureError as error:
        raise TokenExpiredError("the token has expired") from error
    # The library lets bytes that are no text, and headers that nest too deep, through as what Python says of them.
    except (jwt.InvalidTokenError, ValueError, RecursionError) as error:
        raise TokenError("the token is not valid") from error
    if claims.get("typ") != kind:
        raise TokenError(f"this is not a token of kind {kind}")
    return claims


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)


def _uuid(value: str | None) -> UUID | None:
    return None if value is None else UUID(value)
