"""The RabbitMQ of the tests: AMQP_URL's, or the one that usually is on this machine."""

from __future__ import annotations

import os

import pytest

from core.settings import given
from workers.rabbitmq import connect

USUAL_URL = "amqp://guest:guest@127.0.0.1:5672/"


async def reachable_rabbitmq() -> str:
    """Its URL. Where it does not answer the test is skipped, or fails when REQUIRE_RABBITMQ is 1."""
    url = given(os.environ, "AMQP_URL") or USUAL_URL
    try:
        await (await connect(url, timeout_s=3)).close()
    except OSError as error:
        if os.environ.get("REQUIRE_RABBITMQ") == "1":
            pytest.fail(f"RabbitMQ does not answer at {url}: {error}")
        pytest.skip(f"RabbitMQ does not answer at {url}: {error}")
    return url
