"""From the Authorization header to who acts."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from api.problems import refuse
from core.security.tokens import AccessClaims, TokenError, TokenExpiredError, verify_access

# Verified claims are kept by token, so that a busy seller's token is verified once.
TOKENS_MAX = 20_000
TOKEN_LENGTH_MAX = 4_096

# Who acts is what the verified token says; sessions.py tells whether it still holds.
Principal = AccessClaims


class Authentication:
    def __init__(self, *, secret: str, clock: Callable[[], float] = time.time) -> None:
        self._secret = secret
        self._clock = clock
        self._verified: OrderedDict[str, Principal] = OrderedDict()

    def principal(self, authorization: str | None) -> Principal:
        """Raises ProblemError 401: AUTHENTICATION_REQUIRED, TOKEN_INVALID, TOKEN_EXPIRED."""
        if authorization is None:
            raise refuse(401, "AUTHENTICATION_REQUIRED", "Send an access token: Authorization: Bearer <token>.")
        principal = self._verified.get(authorization)
        if principal is None:
            principal = self._verify(authorization)
            self._verified[authorization] = principal
            if len(self._verified) > TOKENS_MAX:
                self._verified.popitem(last=False)
        if principal.expires_at_s <= self._clock():
            self._verified.pop(authorization, None)
            raise refuse(401, "TOKEN_EXPIRED", "The access token has expired; refresh it.")
        return principal

    def _verify(self, authorization: str) -> Principal:
        scheme, _, token = authorization.partition(" ")
        token = token.strip(" ")
        if scheme.lower() != "bearer" or not token or len(token) > TOKEN_LENGTH_MAX:
            raise refuse(401, "AUTHENTICATION_REQUIRED", "Send an access token: Authorization: Bearer <token>.")
        try:
            return verify_access(token, secret=self._secret)
        except TokenExpiredError:
            raise refuse(401, "TOKEN_EXPIRED", "The access token has expired; refresh it.") from None
        except TokenError:
            raise refuse(401, "TOKEN_INVALID", "The access token is not valid.") from None
