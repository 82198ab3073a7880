"""What Prometheus reads of relay and worker."""

from __future__ import annotations

import asyncio
import urllib.request

import pytest
from prometheus_client import REGISTRY

from cli.ports import free_port
from tests.workers.pipeline import Pipeline, eventually
from workers.transport import BrokerUnavailableError

END_TIMEOUT_S = 30.0


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_what_is_published_and_recorded_is_counted_once(redis_pipeline: Pipeline) -> None:
    banca_id = await redis_pipeline.banca()
    relay = redis_pipeline.relay()
    names = ("relay_events_total", "audit_events_total", "audit_lag_seconds_count", "audit_poisonous_events_total")
    before = [value(names[0], cause="new"), *(value(name) for name in names[1:])]
    good = [await redis_pipeline.sale(banca_id) for _ in range(3)]
    await redis_pipeline.event(banca_id, "tickets.sold", {"at": "never"})
    await relay.run_once()
    with redis_pipeline.worker() as counted:
        await redis_pipeline.await_done(set(good))

        async def is_refused() -> bool:
            return counted.nacks > 0

        await eventually(is_refused)
    after = [value(names[0], cause="new"), *(value(name) for name in names[1:])]
    assert [now - then for now, then in zip(after, before, strict=True)] == [4, 3, 3, 1]


async def test_what_is_published_again_is_told_apart(redis_pipeline: Pipeline) -> None:
    await redis_pipeline.sale(await redis_pipeline.banca())
    relay = redis_pipeline.relay()
    await relay.run_once()
    await redis_pipeline.owner.execute("UPDATE outbox SET published_at = now() - interval '1 hour'")
    before = value("relay_events_total", cause="resent")
    assert await relay.sweep_once() == 1
    assert value("relay_events_total", cause="resent") - before == 1


@pytest.mark.parametrize(
    ("module", "name"), [("workers.relay", "relay_events_total"), ("workers", "audit_events_total")]
)
async def test_a_process_shows_its_metrics_where_it_is_told_to(
    redis_pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, module: str, name: str
) -> None:
    port = free_port()
    monkeypatch.setenv("METRICS_PORT", str(port))
    process = redis_pipeline.process("-m", module)
    try:
        text = await eventually(lambda: asyncio.to_thread(scraped, port))
        assert f"\n{name}" in text
        process.terminate()
        assert await asyncio.to_thread(process.wait, END_TIMEOUT_S) == 0
    finally:
        process.kill()
        process.communicate()


def scraped(port: int) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


async def test_a_failed_cycle_is_counted(redis_pipeline: Pipeline) -> None:
    class Away:
        async def publish(self, _: object) -> None:
            raise BrokerUnavailableError("away")

        async def close(self) -> None:
            return

    await redis_pipeline.sale(await redis_pipeline.banca())
    before, stop = value("relay_failures_total"), asyncio.Event()
    running = asyncio.create_task(redis_pipeline.relay(Away()).run(stop))

    async def has_failed() -> bool:
        return value("relay_failures_total") > before

    await eventually(has_failed)
    stop.set()
    await asyncio.wait_for(running, END_TIMEOUT_S)


@pytest.mark.parametrize("module", ["workers.relay", "workers.scheduler", "workers"])
async def test_a_process_watches_its_loop(
    redis_pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    port = free_port()
    monkeypatch.setenv("METRICS_PORT", str(port))
    process = redis_pipeline.process("-m", module)

    def look() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text: str = answer.read().decode()
            return text

    async def is_measured() -> bool:
        try:
            text = await asyncio.to_thread(look)
        except OSError:
            return False
        found = [line for line in text.splitlines() if line.startswith("event_loop_lag_seconds_count")]
        return bool(found) and float(found[0].split()[1]) > 0

    try:
        await eventually(is_measured)
    finally:
        process.terminate()
        await asyncio.to_thread(process.communicate)
