"""Connections to RabbitMQ."""

from __future__ import annotations

import aio_pika
from aio_pika.abc import AbstractConnection
from aio_pika.connection import make_url

from workers.broker import HEARTBEAT_S

CONNECT_TIMEOUT_S = 5.0


async def connect(url: str, *, timeout_s: float = CONNECT_TIMEOUT_S) -> AbstractConnection:
    """Raises AMQPError, OSError, TimeoutError.

    One that does not come about is closed: left alone it would try that itself wherever it is collected, which may be a
    thread without a loop.
    """
    connection = aio_pika.Connection(make_url(url, heartbeat=HEARTBEAT_S))
    try:
        await connection.connect(timeout=timeout_s)
    except BaseException:
        await connection.close()
        raise
    return connection
