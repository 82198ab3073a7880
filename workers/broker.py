"""Dramatiq's brokers, as relay and worker use them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import redis
from dramatiq.broker import Consumer, MessageProxy
from dramatiq.brokers.rabbitmq import DEAD_MESSAGE_TTL, RabbitmqBroker
from dramatiq.brokers.redis import RedisBroker, _RedisConsumer
from dramatiq.common import dq_name, q_name, xq_name
from dramatiq.errors import DecodeError
from dramatiq.middleware import Middleware, SkipMessage
from redis.backoff import NoBackoff
from redis.retry import Retry

from core.logging import Log
from workers.consumers import alone, is_alone

# A message that kills its worker is delivered again; after so many times it is dead.
DELIVERY_LIMIT = 20
# Messages whose retry is not due yet wait in a worker's memory, each with up to 256 kB of events; Dramatiq would take
# a thousand per thread.
DELAYED_MESSAGES_MAX = 64
SOCKET_TIMEOUT_S = 5.0
# RabbitMQ tells of a message, Redis must be asked. In the other queues nothing lies that is not late already.
REDIS_POLL_MS = 100
# Dramatiq asks again after 5 ms, then 10, 20, …: skip so many steps. Each question costs more than an event.
REDIS_STEPS_SKIPPED = 3
HEARTBEAT_S = 30
# Redis: a worker that is silent for so long is dead, and its messages go back to the queue. Maintenance, which
# does that, runs with every 25th command on a queue: a few times a minute when idle.
WORKER_SILENT_MS = 15_000
MAINTENANCE_PER_MILLION = 40_000

log = Log("broker")


def create_broker(
    *, instance_id: str, redis_url: str | None, amqp_url: str | None, middleware: Sequence[Middleware] = ()
) -> RabbitmqBroker | RedisBroker:
    """RabbitMQ when it has a URL, else Redis. Connects at its first use. Raises ValueError without any URL."""
    if amqp_url is not None:
        return QuorumRabbitmqBroker(amqp_url, middleware=middleware)
    if redis_url is not None:
        return ParkingRedisBroker(redis_url, instance_id=instance_id, middleware=middleware)
    raise ValueError("neither AMQP_URL nor REDIS_URL is set: there is no broker")


class QuorumRabbitmqBroker(RabbitmqBroker):
    """Quorum queues, whatever the virtual host's default. Overrides private methods: hence dramatiq~=2.2."""

    def __init__(self, url: str, *, middleware: Sequence[Middleware] = ()) -> None:
        # Without confirms a retry can vanish.
        super().__init__(url=url, confirm_delivery=True, middleware=list(middleware))
        parameters = self.parameters if isinstance(self.parameters, list) else [self.parameters]
        for each in parameters:
            each.heartbeat = HEARTBEAT_S
            each.blocked_connection_timeout = HEARTBEAT_S
            each.socket_timeout = SOCKET_TIMEOUT_S

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Consumer:
        return super().consume(queue_name, prefetch_of(queue_name, asked=prefetch), timeout)

    def _build_queue_arguments(self, queue_name: str) -> dict[str, Any]:
        return live_queue_arguments(queue_name)

    def _declare_xq_queue(self, queue_name: str) -> Any:
        return self.channel.queue_declare(queue=xq_name(queue_name), durable=True, arguments=dead_queue_arguments())


def is_live(queue_name: str) -> bool:
    """Whether it is where the relay puts everything: neither a queue of retries nor a quarantine."""
    return queue_name == q_name(queue_name) and not is_alone(queue_name)


def prefetch_of(queue_name: str, *, asked: int) -> int:
    """How many unacknowledged messages of the queue a worker may hold. asked: Dramatiq's number."""
    if queue_name != q_name(queue_name):
        return min(asked, DELAYED_MESSAGES_MAX)
    # Whoever kills its worker in a quarantine must have no neighbours that die with it.
    return 1 if is_alone(queue_name) else asked


def deliveries_max() -> int:
    """A quorum queue's limit counts what comes after the first delivery."""
    return DELIVERY_LIMIT + 1


def live_queue_arguments(queue_name: str) -> dict[str, Any]:
    return {
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": xq_name(queue_name),
    }


def dead_queue_arguments() -> dict[str, Any]:
    return {"x-queue-type": "quorum", "x-message-ttl": DEAD_MESSAGE_TTL}


def queue_declarations(queue_name: str) -> dict[str, dict[str, Any]]:
    """All queues that Dramatiq makes of one and of its quarantine, with the arguments that each declaration repeats."""
    return {
        name: arguments
        for queue in (queue_name, alone(queue_name))
        for name, arguments in (
            (queue, live_queue_arguments(queue)),
            (dq_name(queue), live_queue_arguments(queue)),
            (xq_name(queue), dead_queue_arguments()),
        )
    }


class ParkingRedisBroker(RedisBroker):
    """Its keys carry the instance; what cannot be decoded goes to the dead letters."""

    def __init__(
        self,
        url: str,
        *,
        instance_id: str,
        middleware: Sequence[Middleware] = (),
        maintenance_per_million: int = MAINTENANCE_PER_MILLION,
        worker_silent_ms: int = WORKER_SILENT_MS,
    ) -> None:
        super().__init__(  # type: ignore[no-untyped-call] # Dramatiq's
            client=redis.Redis.from_url(
                url,
                socket_timeout=SOCKET_TIMEOUT_S,
                socket_connect_timeout=SOCKET_TIMEOUT_S,
                # Once: a pooled connection may be one that the server closed long ago.
                retry=Retry(NoBackoff(), 1),
            ),
            namespace=f"banca.{instance_id}",
            middleware=[DeliveryLimit(), *middleware],
            maintenance_chance=maintenance_per_million,
            heartbeat_timeout=worker_silent_ms,
        )

    @property
    def consumer_class(self) -> type[_RedisConsumer]:
        return ParkingRedisConsumer

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Consumer:
        poll_ms = min(timeout, REDIS_POLL_MS) if is_live(queue_name) else timeout
        return super().consume(queue_name, prefetch_of(queue_name, asked=prefetch), poll_ms)

    def deliveries_key(self, queue_name: str) -> str:
        """A hash: how often the message of that id was begun."""
        return f"{self.namespace}:{queue_name}.deliveries"

    def close(self) -> None:
        self.client.close()


class DeliveryLimit(Middleware):
    """What a quorum queue does by itself: a message that was begun so often and never ended is dead.

    Counted in Redis before the work begins, because the worker may not live to count it afterwards.
    """

    def before_process_message(self, broker: Any, message: MessageProxy) -> None:
        key, message_id = broker.deliveries_key(message.queue_name), message.options["redis_message_id"]
        if broker.client.hincrby(key, message_id, 1) > deliveries_max():
            log.error("DELIVERY_LIMIT_REACHED", queue=message.queue_name, message=message.message_id)
            message.fail()
            raise SkipMessage("delivered too often")

    def after_ack(self, broker: Any, message: MessageProxy) -> None:
        broker.client.hdel(broker.deliveries_key(message.queue_name), message.options["redis_message_id"])


class ParkingRedisConsumer(_RedisConsumer):
    """Dramatiq's own stops at a message that it cannot decode, and forgets those fetched with it."""

    def __next__(self) -> Any:
        if is_live(self.queue_name):
            self.misses = max(self.misses, REDIS_STEPS_SKIPPED)
        try:
            return super().__next__()  # type: ignore[no-untyped-call] # Dramatiq's
        except DecodeError as error:
            log.error("MESSAGE_UNDECODABLE", error=error.error, queue=self.queue_name)
            self._park(error.data)
            return None

    def _park(self, undecodable: bytes) -> None:
        """It does not say its own id: look for it among the messages of its queue."""
        for message_id, data in self.broker.client.hscan_iter(f"{self.broker.namespace}:{self.queue_name}.msgs"):
            if data == undecodable:
                self.broker.do_nack(self.queue_name, message_id)
