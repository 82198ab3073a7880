"""The stack's queues, past its proxies: what waits in them, what is put into them, and their end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from dramatiq.common import dq_name

from workers.broker import ParkingRedisBroker, queue_declarations
from workers.consumers import AUDIT, alone, queue_name, queue_names
from workers.rabbitmq import connect
from workers.transport import Sendable, Transport, create_transport

TIMEOUT_S = 5.0
# Messages of a worker that was silent for so long go back to their queue, at the next command of ours.
WORKER_SILENT_MS = 1_500
ALL_OF_A_MILLION = 1_000_000


class Queues:
    """amqp_url: None: they are in Redis."""

    def __init__(self, instance_id: str, *, redis_url: str, amqp_url: str | None) -> None:
        self.instance_id = instance_id
        self.redis_url, self.amqp_url = redis_url, amqp_url
        self.audit = queue_name(instance_id, AUDIT)

    async def put(self, messages: Sequence[Sendable]) -> None:
        """Raises BrokerUnavailableError."""
        transport = self._transport()
        try:
            await transport.publish(messages)
        finally:
            await transport.close()

    async def waiting(self) -> int:
        """Messages that no worker has done yet. Raises OSError, redis.RedisError and aio_pika's errors."""
        if self.amqp_url is None:
            return await asyncio.to_thread(self._waiting_in_redis)
        return await self._waiting_in_rabbitmq(self.amqp_url)

    async def close(self) -> None:
        """A RabbitMQ is somebody else's: nothing of ours stays there."""
        if self.amqp_url is not None:
            connection = await connect(self.amqp_url, timeout_s=TIMEOUT_S)
            async with connection:
                channel = await connection.channel()
                for queue in queue_names(self.instance_id):
                    for name in queue_declarations(queue):
                        await channel.queue_delete(name)

    def _transport(self) -> Transport:
        return create_transport(
            instance_id=self.instance_id,
            redis_url=self.redis_url,
            amqp_url=self.amqp_url,
            queues=queue_names(self.instance_id),
        )

    def _waiting_in_redis(self) -> int:
        broker = ParkingRedisBroker(
            self.redis_url,
            instance_id=self.instance_id,
            maintenance_per_million=ALL_OF_A_MILLION,
            worker_silent_ms=WORKER_SILENT_MS,
        )
        try:
            return sum(self._count(broker, queue) for queue in self._live())
        finally:
            broker.close()

    def _count(self, broker: ParkingRedisBroker, queue: str) -> int:
        # Any command looks after the workers that died.
        broker.do_qsize(queue)
        return int(broker.client.hlen(f"{broker.namespace}:{queue}.msgs"))

    async def _waiting_in_rabbitmq(self, url: str) -> int:
        connection = await connect(url, timeout_s=TIMEOUT_S)
        async with connection:
            channel = await connection.channel()
            queues = [await channel.declare_queue(name, passive=True) for name in self._live()]
            return sum(queue.declaration_result.message_count or 0 for queue in queues)

    def _live(self) -> list[str]:
        return [name for queue in (self.audit, alone(self.audit)) for name in (queue, dq_name(queue))]
