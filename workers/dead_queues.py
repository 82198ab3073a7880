"""Where brokers put what died: read from there, and removed only when it is copied."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Protocol

import redis
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from aio_pika.exceptions import AMQPError, ChannelInvalidStateError
from dramatiq.common import dq_name, xq_name

from workers.broker import ParkingRedisBroker, deliveries_max, queue_declarations
from workers.consumers import alone
from workers.letters import DeadMessage, decode_message
from workers.rabbitmq import connect
from workers.transport import CLOSE_TIMEOUT_S, BrokerUnavailableError

TAKE_TIMEOUT_S = 10.0


class DeadQueues(Protocol):
    async def take(self, limit: int) -> list[DeadMessage]:
        """The oldest dead messages, bounded in number and time. Raises BrokerUnavailableError."""

    async def forget(self, messages: Sequence[DeadMessage]) -> None:
        """They are copied. Raises BrokerUnavailableError: then they come again."""

    async def release(self) -> None:
        """Give back what was taken; it comes again."""


class RabbitDeadQueues:
    def __init__(self, url: str, *, queues: Sequence[str]) -> None:
        self.url = url
        self.queues = queues
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None

    async def take(self, limit: int) -> list[DeadMessage]:
        try:
            async with asyncio.timeout(TAKE_TIMEOUT_S):
                return await self._take(limit)
        except (AMQPError, ChannelInvalidStateError, OSError, TimeoutError) as error:
            await self.release()
            raise BrokerUnavailableError(f"RabbitMQ: {type(error).__name__}: {error}") from error

    async def forget(self, messages: Sequence[DeadMessage]) -> None:
        try:
            async with asyncio.timeout(TAKE_TIMEOUT_S):
                for message in messages:
                    await message.handle.ack()
        except (AMQPError, ChannelInvalidStateError, OSError, TimeoutError) as error:
            await self.release()
            raise BrokerUnavailableError(f"RabbitMQ: {type(error).__name__}: {error}") from error

    async def release(self) -> None:
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            await asyncio.wait({asyncio.ensure_future(connection.close())}, timeout=CLOSE_TIMEOUT_S)

    async def _take(self, limit: int) -> list[DeadMessage]:
        channel = await self._connected()
        found: list[DeadMessage] = []
        for name in with_quarantines(self.queues):
            queue = await channel.get_queue(xq_name(name), ensure=False)
            while len(found) < limit:
                message = await queue.get(no_ack=False, fail=False)
                if message is None:
                    break
                found.append(dead_of_rabbit(name, message))
        return found

    async def _connected(self) -> AbstractChannel:
        if self._connection is not None and self._channel is not None and not self._channel.is_closed:
            return self._channel
        await self.release()
        self._connection = await connect(self.url)
        self._channel = await self._connection.channel()
        for queue in self.queues:
            for name, arguments in queue_declarations(queue).items():
                await self._channel.declare_queue(name, durable=True, arguments=arguments)
        return self._channel


def dead_of_rabbit(queue: str, message: AbstractIncomingMessage) -> DeadMessage:
    deaths: Any = message.headers.get("x-death")
    death = str(deaths[0].get("reason", "")) if isinstance(deaths, list) and deaths else "rejected"
    deliveries = deliveries_max() if death == "delivery_limit" else 1
    return DeadMessage(queue, message.body, death, deliveries, message)


class RedisDeadQueues:
    """Nothing is taken away before it is forgotten, so that there is nothing to give back."""

    def __init__(self, redis_broker: ParkingRedisBroker) -> None:
        self.broker = redis_broker

    async def take(self, limit: int) -> list[DeadMessage]:
        taken: list[DeadMessage] = await self._in_thread(self._take, limit)
        return taken

    async def forget(self, messages: Sequence[DeadMessage]) -> None:
        await self._in_thread(self._forget, messages)

    async def release(self) -> None:
        self.broker.close()

    async def _in_thread(self, work: Any, *arguments: Any) -> Any:
        try:
            return await asyncio.to_thread(work, *arguments)
        except redis.RedisError as error:
            raise BrokerUnavailableError(f"Redis: {type(error).__name__}: {error}") from error

    def _take(self, limit: int) -> list[DeadMessage]:
        found: list[DeadMessage] = []
        for name in with_quarantines(self.broker_queues()):
            if len(found) < limit:
                found += self._take_from(name, limit - len(found))
        return found

    def broker_queues(self) -> list[str]:
        return sorted(self.broker.get_declared_queues())

    def _take_from(self, name: str, limit: int) -> Iterator[DeadMessage]:
        client, key = self.broker.client, f"{self.broker.namespace}:{xq_name(name)}"
        ids: list[Any] = client.zrange(key, 0, limit - 1)
        for message_id, data in zip(ids, client.hmget(f"{key}.msgs", ids) if ids else (), strict=True):
            if data is None:
                client.zrem(key, message_id)
                continue
            begun = self._begun(name, data)
            # Those beyond were refused.
            death = "delivery_limit" if begun > deliveries_max() else "rejected"
            yield DeadMessage(name, data, death, min(begun, deliveries_max()), message_id)

    def _begun(self, name: str, data: bytes) -> int:
        message = decode_message(data)
        if message is None:
            return 1
        key = self.broker.deliveries_key(name)
        return int(self.broker.client.hget(key, str(message.options.get("redis_message_id"))) or 1)

    def _forget(self, messages: Sequence[DeadMessage]) -> None:
        for name, group in groupby(messages, key=lambda message: message.queue):
            ids = [message.handle for message in group]
            key = f"{self.broker.namespace}:{xq_name(name)}"
            with self.broker.client.pipeline(transaction=True) as pipeline:
                pipeline.zrem(key, *ids)
                pipeline.hdel(f"{key}.msgs", *ids)
                pipeline.hdel(self.broker.deliveries_key(name), *ids)
                pipeline.hdel(self.broker.deliveries_key(dq_name(name)), *ids)
                pipeline.execute()


def with_quarantines(queues: Sequence[str]) -> list[str]:
    return [name for queue in queues for name in dict.fromkeys((queue, alone(queue)))]


def create_dead_queues(
    *, instance_id: str, redis_url: str | None, amqp_url: str | None, queues: Sequence[str]
) -> DeadQueues:
    """As the transport beside it: RabbitMQ when it has a URL, else Redis. Raises ValueError without any URL."""
    if amqp_url is not None:
        return RabbitDeadQueues(amqp_url, queues=queues)
    if redis_url is not None:
        redis_broker = ParkingRedisBroker(redis_url, instance_id=instance_id)
        for queue in queues:
            redis_broker.declare_queue(queue)
        return RedisDeadQueues(redis_broker)
    raise ValueError("neither AMQP_URL nor REDIS_URL is set: there is no broker")
