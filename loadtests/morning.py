"""The morning: all sellers log in within a second while others sell, perhaps beside somebody who guesses names.

    ./banca demo --sellers 300 --json > morning.json
    python -m loadtests.morning morning.json [--guessers 48] [--sales-per-s 40] [--seconds 60]

All come from one address. Prints when the last was in, how often they were sent away, and how long sales took.
Traffic goes to this machine only.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import secrets
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loadtests.generator import LOOPBACK
from loadtests.signed_requests import Workload

LOGIN_PATH = "/api/v1/auth/login"
COME_WITHIN_S = 1.0
SALES_CONNECTIONS = 8
# Sales before the crowd comes, so that the till and the cache are warm.
WARM_S = 2.0
ANSWER_TIMEOUT_S = 60.0


class Morning:
    def __init__(self, demo: Mapping[str, Any]) -> None:
        self._workload = Workload(demo, jugadas_max=3)
        self._address = self._workload.address
        if self._address[0] not in LOOPBACK:
            raise ValueError(f"load goes to loopback only, not to {self._address[0]}")
        self._sellers = demo["sellers"]
        self.logged_in_s: list[float] = []
        self.refusals: Counter[str] = Counter()
        self.guesses: Counter[str] = Counter()
        self.sales_ms: list[float] = []
        self.failed_sales: Counter[int] = Counter()
        self._ended = asyncio.Event()

    async def run(self, *, guessers: int, sales_per_s: float, seconds: float) -> None:
        sales = asyncio.create_task(self._sell(sales_per_s, seconds))
        await asyncio.sleep(WARM_S)
        guessing = [asyncio.create_task(self._guess()) for _ in range(guessers)]
        began_s = time.monotonic()
        try:
            async with asyncio.timeout(seconds):
                await asyncio.gather(*(self._log_in(seller, began_s) for seller in self._sellers))
        except TimeoutError:
            pass
        finally:
            self._ended.set()
            await asyncio.gather(sales, *guessing)

    async def _log_in(self, seller: Mapping[str, str], began_s: float) -> None:
        await asyncio.sleep(random.uniform(0, COME_WITHIN_S))
        while True:
            status, headers, body = await self._ask(seller["username"], seller["password"])
            if status == 200:
                self.logged_in_s.append(time.monotonic() - began_s)
                return
            self.refusals[json.loads(body)["code"]] += 1
            await asyncio.sleep(float(headers.get("retry-after", "1")))

    async def _guess(self) -> None:
        """A name that nobody has, then at once the next one."""
        while not self._ended.is_set():
            status, _, _ = await self._ask(f"invented-{secrets.token_hex(4)}", "guess")
            self.guesses[str(status)] += 1

    async def _ask(self, username: str, password: str) -> tuple[int, dict[str, str], bytes]:
        body = json.dumps({"username": username, "password": password}).encode()
        head = (
            f"POST {LOGIN_PATH} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(*self._address)
            writer.write(head.encode() + body)
            answer = await reader.read()
            writer.close()
        return parse(answer)

    async def _sell(self, per_s: float, seconds: float) -> None:
        """At a fixed rate, whatever becomes of the earlier ones; a sale's time counts from when it was due."""
        requests = self._workload.sales(int(per_s * (seconds + WARM_S)))
        connections = [await asyncio.open_connection(*self._address) for _ in range(SALES_CONNECTIONS)]
        began_s = time.monotonic()

        async def sell(place: int) -> None:
            reader, writer = connections[place]
            for number in range(place, len(requests), SALES_CONNECTIONS):
                due_s = began_s + number / per_s
                await asyncio.sleep(max(0.0, due_s - time.monotonic()))
                if self._ended.is_set():
                    break
                writer.write(requests[number].wire)
                status, headers, _ = parse(await reader.readuntil(b"\r\n\r\n"))
                await reader.readexactly(int(headers["content-length"]))
                if due_s - began_s > WARM_S:
                    self.sales_ms.append((time.monotonic() - due_s) * 1000)
                if status != 201:
                    self.failed_sales[status] += 1
            writer.close()

        await asyncio.gather(*map(sell, range(SALES_CONNECTIONS)))

    def report(self) -> str:
        sales = sorted(self.sales_ms) or [0.0]
        logins = sorted(self.logged_in_s) or [0.0]

        def share(values: list[float], part: float) -> float:
            return values[min(len(values) - 1, int(len(values) * part))]

        return (
            f"Logins   {len(self.logged_in_s)} of {len(self._sellers)}; half after {share(logins, 0.5):.1f} s,"
            f" the last after {logins[-1]:.1f} s; sent away: {dict(self.refusals) or 'nobody'}\n"
            f"Guesses  {dict(self.guesses) or 'none'}\n"
            f"Sales    {len(sales)}; p50 {share(sales, 0.5):.1f} ms, p99 {share(sales, 0.99):.1f} ms,"
            f" max {sales[-1]:.1f} ms; refused: {dict(self.failed_sales) or 'none'}"
        )


def parse(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return int(status.split(" ")[1]), {name.lower(): value for name, value in headers.items()}, body


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m loadtests.morning")
    parser.add_argument("demo", type=Path, help="what ./banca demo --json printed")
    parser.add_argument("--guessers", type=int, default=0, help="connections that try invented names")
    parser.add_argument("--sales-per-s", type=float, default=40.0)
    parser.add_argument("--seconds", type=float, default=120.0, help="to wait for the last login at most")
    options = parser.parse_args()
    morning = Morning(json.loads(options.demo.read_text(encoding="utf-8")))
    asyncio.run(morning.run(guessers=options.guessers, sales_per_s=options.sales_per_s, seconds=options.seconds))
    print(morning.report())  # noqa: T201 - it is what the command is for


if __name__ == "__main__":
    main()
