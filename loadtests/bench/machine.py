"""Where a run was made: figures of two machines are not to be compared, their ratios are."""

from __future__ import annotations

import asyncio
import os
import platform
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from cli.stack import Stack

CONNECT_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Machine:
    """load: processes that wanted to run in the minute before; it should have been idle."""

    processor: str
    cores: int
    memory_gb: float
    system: str
    python: str
    postgresql: str
    broker: str
    load: float


def describe_machine(stack: Stack) -> Machine:
    return Machine(
        processor=processor(),
        cores=len(os.sched_getaffinity(0)),
        memory_gb=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        postgresql=asyncio.run(server_version(stack.owner_url)),
        broker="RabbitMQ" if stack.amqp_url else "Valkey",
        load=round(os.getloadavg()[0], 2),
    )


def processor() -> str:
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        if line.startswith("model name")
    ]
    return names[0] if names else platform.machine()


async def server_version(url: str) -> str:
    connection = await asyncpg.connect(url, timeout=CONNECT_TIMEOUT_S)
    try:
        return str(connection.get_settings().server_version)
    finally:
        await connection.close()
