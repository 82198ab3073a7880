"""The generator against a server that answers what it is told to, over real sockets."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import repeat

import pytest

from loadtests.flow import Flow
from loadtests.generator import run_load
from loadtests.load_report import LoadReport
from loadtests.signed_requests import SignedRequest

REQUEST = SignedRequest(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", ("key-0001",), 1)


class Answers:
    """The next answer's bytes, in pieces that are sent one by one; when there are none left the connection is closed.

    held_s: how long the first answer is kept back.
    """

    def __init__(self, answers: Iterator[tuple[bytes, ...]], *, held_s: float = 0.0) -> None:
        self._answers = answers
        self._held_s = held_s

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                await asyncio.sleep(self._held_s)
                self._held_s = 0.0
                pieces = next(self._answers, None)
                if pieces is None:
                    break
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()


@contextmanager
def serving(answers: Answers) -> Iterator[tuple[str, int]]:
    loop, started = asyncio.new_event_loop(), threading.Event()
    ports: list[int] = []

    async def run() -> None:
        server = await asyncio.start_server(answers.serve, "127.0.0.1", 0)
        ports.append(server.sockets[0].getsockname()[1])
        started.set()
        async with server:
            await stop.wait()

    stop = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    assert started.wait(10)
    try:
        yield "127.0.0.1", ports[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


def answer(status: int, *headers: str, body: bytes = b"{}") -> bytes:
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def load(answers: Answers, requests: list[SignedRequest], *, seconds: float = 5.0, **options: float) -> LoadReport:
    flow = Flow(requests, connections=1, rate_per_s=options.get("rate_per_s"))
    with serving(answers) as address:
        run_load(address, [flow], seconds=seconds)
    return flow.report


def test_every_answer_is_counted_by_its_status() -> None:
    said = [
        answer(201),
        answer(409),
        answer(201, "Idempotent-Replayed: true"),
        answer(503),
        answer(503, "Retry-After: 1"),
    ]
    report = load(Answers(iter([(each,) for each in said])), [REQUEST] * 5)
    assert report.statuses == {201: 2, 409: 1, 503: 2}
    assert (report.tickets, report.answers, report.replayed) == (2, 5, 1)
    assert report.failures() == {"409": 1, "503": 2, "no Retry-After": 1}
    assert report.failures(frozenset({409, 503})) == {"no Retry-After": 1}
    assert report.samples[409] == b"{}"


def test_an_answer_may_come_in_pieces() -> None:
    whole = answer(201, body=b"x" * 1000)
    report = load(Answers(iter([(whole[:10], whole[10:60], whole[60:])])), [REQUEST])
    assert report.statuses == {201: 1}


def test_a_batch_counts_the_tickets_that_were_sold() -> None:
    body = b'{"results":[{"status":201},{"status":409},{"status":201}]}'
    batch = SignedRequest(REQUEST.wire, ("a", "b", "c"), 3)
    report = load(Answers(iter([(answer(200, body=body),)])), [batch])
    assert (report.tickets, report.unsold_in_batches) == (2, 1)
    assert report.failures() == {"unsold in batches": 1}


def test_a_connection_that_is_closed_loses_its_request() -> None:
    report = load(Answers(iter([(answer(201),)])), [REQUEST] * 3)
    assert report.lost == ["key-0001"]
    assert report.failures() == {"no answer": 1}


def test_time_counts_from_when_a_request_was_due_and_not_from_when_it_could_be_sent() -> None:
    held_s, rate_per_s = 0.3, 100.0
    answers = Answers(repeat((answer(201),)), held_s=held_s)
    report = load(answers, [REQUEST] * 60, seconds=0.6, rate_per_s=rate_per_s)
    late = [seconds for seconds in report.seconds if seconds > held_s / 3]
    # While the first was held back twenty more became due that wait for longer than a third of it.
    assert len(late) >= 15


def test_a_window_begins_after_the_lead_in() -> None:
    flow = Flow(repeat(REQUEST), connections=1)
    lead_in_s = 0.3
    with serving(Answers(repeat((answer(201),)))) as address:
        began_s = time.monotonic()
        run_load(address, [flow], seconds=0.1, lead_in_s=lead_in_s)
        took_s = time.monotonic() - began_s
    assert 0 < flow.report.answers < len(flow.report.seconds)
    # However long it took: a busy machine ends late.
    assert 0 < flow.report.window_s <= took_s - lead_in_s


def test_a_load_that_is_told_to_stop_ends() -> None:
    stop = threading.Event()
    stop.set()
    flow = Flow(repeat(REQUEST), connections=1)
    with serving(Answers(repeat((answer(201),)))) as address:
        run_load(address, [flow], seconds=60, stop=stop)
    assert flow.report.window_s < 10


def test_load_goes_to_loopback_only() -> None:
    with pytest.raises(ValueError, match="loopback only"):
        run_load(("192.0.2.1", 80), [], seconds=1)
