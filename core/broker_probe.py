"""Whether a broker can be used: a login, and a write that it takes and confirms. Not whether something listens there."""

from __future__ import annotations

import asyncio
from typing import Any

import aiormq
from aiormq.exceptions import (
    AMQPError,
    AuthenticationError,
    ChannelAccessRefused,
    ConnectionNotAllowed,
    InvalidFrameError,
    ProbableAuthenticationError,
)
from redis.exceptions import AuthenticationError as RedisAuthenticationError
from redis.exceptions import NoPermissionError, ResponseError

from core.database import DatabaseTrouble

REFUSED, AWAY, TIMEOUT = DatabaseTrouble.REFUSED.value, DatabaseTrouble.AWAY.value, DatabaseTrouble.TIMEOUT.value
# RabbitMQ takes nothing while it lacks memory, or room on a disk.
ALARM = "alarm"
# A Valkey without memory or disk, or a replica.
WRITES_REFUSED = "writes_refused"
# A queue of the probe's connection alone, which goes with it. It keeps one message, for so long.
QUEUE_ARGUMENTS: dict[str, Any] = {"x-max-length": 1, "x-message-ttl": 1_000}
CLOSE_TIMEOUT_S = 1.0

_REFUSALS = (AuthenticationError, ProbableAuthenticationError, ConnectionNotAllowed, ChannelAccessRefused)


class BrokerUnusableError(Exception):
    """The broker takes no messages. reason: away, timeout, refused, alarm or writes_refused."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class RabbitProbe:
    """Publishes a message of its own when it is asked, and has it confirmed.

    One look at a time, over one connection that stays, so that there is never more than one. It stays while RabbitMQ has
    an alarm, too: over it RabbitMQ says when that ends, and meanwhile nothing is sent.
    """

    def __init__(self, url: str, *, timeout_s: float) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._connection: aiormq.Connection | None = None
        self._channel: aiormq.abc.AbstractChannel | None = None
        self._queue = ""
        self._ending: asyncio.Task[None] | None = None

    async def look(self) -> None:
        """Raises BrokerUnusableError."""
        if self._ending is not None and not self._ending.done():
            raise BrokerUnusableError(TIMEOUT, "the connection before does not end")
        if await self._has_alarm():
            raise _alarm()
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._publish()
        except TimeoutError as error:
            if await self._has_alarm():
                raise _alarm() from error
            self._drop()
            raise BrokerUnusableError(TIMEOUT, "no confirmation in time") from error
        except _REFUSALS as error:
            self._drop()
            raise BrokerUnusableError(REFUSED, str(error)) from error
        except InvalidFrameError as error:
            self._drop()
            raise BrokerUnusableError(REFUSED, "the server ended it at once: is there such a virtual host?") from error
        except (AMQPError, OSError, RuntimeError) as error:
            self._drop()
            raise BrokerUnusableError(AWAY, f"{type(error).__name__}: {error}") from error
        except asyncio.CancelledError:
            # Also how the library tells waiters that a connection closed.
            self._drop()
            raise

    async def close(self) -> None:
        self._drop()
        if self._ending is not None:
            await asyncio.wait([self._ending], timeout=CLOSE_TIMEOUT_S)
            self._ending.cancel()

    async def _publish(self) -> None:
        channel = await self._opened()
        confirmation = await channel.basic_publish(b"", routing_key=self._queue, mandatory=True)
        if isinstance(confirmation, aiormq.spec.Basic.Nack):
            raise BrokerUnusableError(WRITES_REFUSED, "RabbitMQ did not take a message")

    async def _opened(self) -> aiormq.abc.AbstractChannel:
        connection, channel = self._connection, self._channel
        if connection is not None and channel is not None and not connection.is_closed and not channel.is_closed:
            return channel
        self._drop()
        self._connection = connection = aiormq.Connection(self._url)
        await connection.connect(client_properties={"connection_name": "banca health"})
        channel = await connection.channel(publisher_confirms=True)
        declared = await channel.queue_declare(exclusive=True, auto_delete=True, arguments=QUEUE_ARGUMENTS)
        self._queue = str(declared.queue)
        self._channel = channel
        return channel

    def _drop(self) -> None:
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            self._ending = asyncio.create_task(_closed(connection), name="end of the broker's probe")

    async def _has_alarm(self) -> bool:
        """Whether RabbitMQ said that it blocks this connection, and did not take it back."""
        connection = self._connection
        if connection is None or connection.is_closed or self._channel is None:
            return False
        # It ends at once unless the connection is blocked.
        ready = asyncio.ensure_future(connection.ready())
        for _ in range(3):
            await asyncio.sleep(0)
        if ready.done():
            return False
        ready.cancel()
        await asyncio.wait([ready])
        return True


def _alarm() -> BrokerUnusableError:
    return BrokerUnusableError(ALARM, "RabbitMQ has an alarm: it lacks memory, or room on its disk")


async def _closed(connection: aiormq.Connection) -> None:
    try:
        await connection.close()
    except (AMQPError, OSError, RuntimeError, AttributeError):
        # It never was one, or is gone already.
        return


def redis_reason(error: BaseException | None) -> str:
    """Why Valkey did not take a write, in a word."""
    match error:
        case RedisAuthenticationError() | NoPermissionError():
            return REFUSED
        case ResponseError():
            return WRITES_REFUSED
        case TimeoutError():
            return TIMEOUT
        case _:
            return AWAY
