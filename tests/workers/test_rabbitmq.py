"""Connections to a RabbitMQ that is not there."""

from __future__ import annotations

from typing import Any

import aio_pika
import pytest
from aio_pika.exceptions import AMQPError

from cli.ports import free_port
from workers.rabbitmq import connect


async def test_a_connection_that_does_not_come_about_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[aio_pika.Connection] = []

    class Noted(aio_pika.Connection):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            made.append(self)

    monkeypatch.setattr(aio_pika, "Connection", Noted)
    with pytest.raises(AMQPError):
        await connect(f"amqp://guest:guest@127.0.0.1:{free_port()}/", timeout_s=1)
    assert [connection.is_closed for connection in made] == [True]
