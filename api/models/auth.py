from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from api.models.wire import AnswerModel, Instant, RequestModel, SecretText, Text
from core.domain.permissions import Role

# Argon2 reads all of it: a limit keeps that cheap.
PASSWORD_LENGTH_MAX = 256

DeviceText = Annotated[Text, Field(min_length=1, max_length=100)]
VersionText = Annotated[Text, Field(min_length=1, max_length=50)]


class LoginRequest(RequestModel):
    """deviceId: a later login of the same device replaces this session. terminalId: binds the token to the terminal."""

    username: Annotated[Text, Field(min_length=1, max_length=64)]
    password: Annotated[SecretText, Field(min_length=1, max_length=PASSWORD_LENGTH_MAX)]
    device_id: DeviceText | None = None
    device_name: DeviceText | None = None
    platform: VersionText | None = None
    app_version: VersionText | None = None
    terminal_id: UUID | None = None


class RefreshRequest(RequestModel):
    refresh_token: Annotated[SecretText, Field(min_length=1, max_length=4_096)]


class TokenAnswer(AnswerModel):
    """expiresIn: seconds until the access token expires."""

    access_token: str
    refresh_token: str
    token_type: str = "Bearer"  # noqa: S105 - the scheme's name
    expires_in: int


class LoginUser(AnswerModel):
    id: UUID
    username: str
    name: str
    role: Role
    banca_id: UUID | None
    ventana_id: UUID | None


class LoginAnswer(TokenAnswer):
    user: LoginUser


class Place(AnswerModel):
    id: UUID
    name: str
    code: str


class VentanaPlace(Place):
    settings: dict[str, Any]


class ProfileAnswer(AnswerModel):
    """bancas: those that an ADMIN or BANCA user may choose with X-Active-Banca-Id."""

    id: UUID
    username: str
    name: str
    role: Role
    email: str | None
    phone: str | None
    code: str | None
    banca_id: UUID | None
    ventana_id: UUID | None
    banca: Place | None
    ventana: VentanaPlace | None
    bancas: list[Place]
    active_banca_id: UUID | None
    settings: dict[str, Any]
    is_active: bool


class SessionAnswer(AnswerModel):
    """isCurrent: the session of the token that asks."""

    id: UUID
    terminal_id: UUID | None
    device_id: str | None
    device_name: str | None
    platform: str | None
    app_version: str | None
    user_agent: str | None
    ip_address: str | None
    created_at: Instant
    last_used_at: Instant
    expires_at: Instant
    is_current: bool


class SessionList(AnswerModel):
    data: list[SessionAnswer]
