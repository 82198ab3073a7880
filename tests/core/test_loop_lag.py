"""What holds the event loop is measured, in every process."""

from __future__ import annotations

import asyncio
import time

import pytest
from prometheus_client import REGISTRY

from core import loop_lag
from core.loop_lag import watched_loop
from tests.running_api import RunningApi
from tests.workers.pipeline import eventually

HELD_S = 0.3


def waits_longer_than(seconds: str) -> float:
    count = REGISTRY.get_sample_value("event_loop_lag_seconds_count") or 0.0
    return count - (REGISTRY.get_sample_value("event_loop_lag_seconds_bucket", {"le": seconds}) or 0.0)


async def test_a_loop_that_was_held_shows_how_long(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(loop_lag, "LOOK_EVERY_S", 0.001)
    monkeypatch.setattr(loop_lag, "TOLD_FROM_S", HELD_S / 2)

    async def is_told() -> bool:
        return "LOOP_HELD" in caplog.text

    async with watched_loop():
        await asyncio.sleep(0)
        before = waits_longer_than("0.25")
        hold(HELD_S)
        await eventually(is_told)
    assert waits_longer_than("0.25") > before


def hold(seconds: float) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        pass


async def test_an_api_watches_its_loop(api: RunningApi) -> None:
    before = REGISTRY.get_sample_value("event_loop_lag_seconds_count") or 0.0

    async def is_measured() -> bool:
        return (REGISTRY.get_sample_value("event_loop_lag_seconds_count") or 0.0) > before

    await eventually(is_measured)
    assert "event_loop_lag_seconds_bucket" in (await api.get("/metrics")).body.decode()
