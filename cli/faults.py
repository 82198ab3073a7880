"""`./banca faults`: break everything while tickets are sold, and see whether the books, the keys and the history hold."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path

from cli.data_directory import require_usable
from core.settings import load_stack_settings
from loadtests.faults.rounds import run_rounds

SEED_MAX = 1_000_000


def run(*, rounds: int, seed: int | None, data: Path) -> int:
    """1 when a round had a finding. A round has the seed of the one before, and one more."""
    require_usable(data)
    first = secrets.randbelow(SEED_MAX) if seed is None else seed
    bad = asyncio.run(
        run_rounds(
            range(first, first + rounds),
            data,
            amqp_url=load_stack_settings().amqp_url,
            say=lambda line: print(line, flush=True),
        )
    )
    print(f"{rounds} rounds, {bad} with findings")
    return 1 if bad else 0
