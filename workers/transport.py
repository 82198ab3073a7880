"""From the relay to the broker: the seam between RabbitMQ and Redis."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import aio_pika
import redis
from aio_pika.abc import AbstractConnection, AbstractExchange
from aio_pika.exceptions import AMQPError, ChannelInvalidStateError
from dramatiq import Message

from workers.broker import ParkingRedisBroker, queue_declarations
from workers.rabbitmq import CONNECT_TIMEOUT_S, connect

PUBLISH_TIMEOUT_S = 10.0
CLOSE_TIMEOUT_S = 1.0


class BrokerUnavailableError(Exception):
    """The broker did not confirm every message; some may have arrived. Publish all of them again."""


@dataclass(frozen=True, slots=True)
class RawMessage:
    """Bytes for a queue, whatever they are."""

    queue_name: str
    data: bytes

    def encode(self) -> bytes:
        return self.data


Sendable = Message[None] | RawMessage


class Transport(Protocol):
    async def publish(self, messages: Sequence[Sendable]) -> None:
        """Return once the broker has confirmed every message; bounded in time. Raises BrokerUnavailableError."""

    async def close(self) -> None: ...


class RabbitTransport:
    """Persistent, mandatory, confirmed; confirms are pipelined. Connects, and connects again, when it is used."""

    def __init__(self, url: str, *, queues: Sequence[str]) -> None:
        self.url = url
        self.queues = queues
        self._connection: AbstractConnection | None = None
        self._exchange: AbstractExchange | None = None

    async def publish(self, messages: Sequence[Sendable]) -> None:
        try:
            exchange = await asyncio.wait_for(self._connected(), CONNECT_TIMEOUT_S)
            # All are awaited, whatever becomes of one: a confirm may end as a CancelledError when its channel closes.
            results = await asyncio.wait_for(
                asyncio.gather(*(publish_one(exchange, message) for message in messages), return_exceptions=True),
                PUBLISH_TIMEOUT_S + CLOSE_TIMEOUT_S,
            )
        except (AMQPError, ChannelInvalidStateError, OSError, TimeoutError) as error:
            await self.close()
            raise BrokerUnavailableError(f"RabbitMQ: {type(error).__name__}: {error}") from error
        except asyncio.CancelledError:
            await self.close()
            raise
        if failures := [result for result in results if isinstance(result, BaseException)]:
            await self.close()
            raise BrokerUnavailableError(
                f"RabbitMQ: {len(failures)} of {len(messages)} messages not confirmed: {failures[0]!r}"
            ) from failures[0]

    async def close(self) -> None:
        """Without a word to the broker when it does not listen any more."""
        connection, self._connection, self._exchange = self._connection, None, None
        if connection is not None:
            await asyncio.wait({asyncio.ensure_future(connection.close())}, timeout=CLOSE_TIMEOUT_S)

    async def _connected(self) -> AbstractExchange:
        if self._connection is not None and self._exchange is not None and not self._connection.is_closed:
            return self._exchange
        await self.close()
        self._connection = await connect(self.url)
        channel = self._connection.channel(publisher_confirms=True, on_return_raises=True)
        await channel.initialize(timeout=CONNECT_TIMEOUT_S)
        for queue in self.queues:
            for name, arguments in queue_declarations(queue).items():
                await channel.declare_queue(name, durable=True, arguments=arguments, timeout=CONNECT_TIMEOUT_S)
        self._exchange = channel.default_exchange
        return self._exchange


async def publish_one(exchange: AbstractExchange, message: Sendable) -> None:
    await exchange.publish(
        aio_pika.Message(message.encode(), delivery_mode=aio_pika.DeliveryMode.PERSISTENT),
        message.queue_name,
        mandatory=True,
        # It waits for ever while disconnected.
        timeout=PUBLISH_TIMEOUT_S,
    )


class RedisTransport:
    """Dramatiq's own way into Redis; its client is synchronous and has timeouts of its own."""

    def __init__(self, broker: ParkingRedisBroker) -> None:
        self.broker = broker

    async def publish(self, messages: Sequence[Sendable]) -> None:
        try:
            await asyncio.to_thread(self._enqueue, messages)
        except redis.RedisError as error:
            raise BrokerUnavailableError(f"Redis: {type(error).__name__}: {error}") from error

    async def close(self) -> None:
        self.broker.close()

    def _enqueue(self, messages: Sequence[Sendable]) -> None:
        for message in messages:
            if isinstance(message, RawMessage):
                self.broker.do_enqueue(message.queue_name, str(uuid.uuid4()), message.data)
            else:
                self.broker.enqueue(message)


def create_transport(
    *, instance_id: str, redis_url: str | None, amqp_url: str | None, queues: Sequence[str]
) -> Transport:
    """RabbitMQ when it has a URL, else Redis. Raises ValueError without any URL."""
    if amqp_url is not None:
        return RabbitTransport(amqp_url, queues=queues)
    if redis_url is not None:
        return RedisTransport(ParkingRedisBroker(redis_url, instance_id=instance_id))
    raise ValueError("neither AMQP_URL nor REDIS_URL is set: there is no broker")
