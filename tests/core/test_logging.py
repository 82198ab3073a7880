from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from core.logging import Log, configure_logging


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """The levels and handlers that a test changes belong to the whole process."""
    loggers = [logging.getLogger(), logging.getLogger("banca")]
    before = [(logger, logger.level, logger.handlers[:]) for logger in loggers]
    yield
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers


def written(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    output, errors = capsys.readouterr()
    assert not errors
    return [json.loads(line) for line in output.splitlines()]


@pytest.mark.parametrize("text", ["/\udcff", "\ud83d", "a\nb\r\x00\x1b", 2**70])
def test_a_line_is_one_json_object_whatever_it_tells_of(capsys: pytest.CaptureFixture[str], text: object) -> None:
    configure_logging("info")
    Log("api").info("REQUEST", path=text, id=uuid4())
    [line] = written(capsys)
    assert line["payload"]["path"] == text
    assert datetime.fromisoformat(str(line["time"])).tzinfo == UTC
