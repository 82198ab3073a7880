from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pydantic import ValidationError

from core.logging import Log, LogLevel, configure_logging
from core.settings import Settings
from tests.running_api import RunningApi

SETTINGS_PAGE = Path(__file__).resolve().parents[2] / "docs" / "settings.md"


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


LEVELS: tuple[LogLevel, ...] = ("debug", "info", "warning", "error")
# What is written at each level: our own lines, those of jobs among them, and libraries'.
WRITTEN = {
    "debug": ["own debug", "own info", "job info", "own warning", "own error", "library warning", "library error"],
    "info": ["own info", "job info", "own warning", "own error", "library warning", "library error"],
    "warning": ["own warning", "own error", "library warning", "library error"],
    "error": ["own error", "library error"],
}


@pytest.mark.parametrize("level", LEVELS)
def test_a_level_says_what_is_written_of_ours_and_of_libraries(
    capsys: pytest.CaptureFixture[str], level: LogLevel
) -> None:
    configure_logging(level)
    own, job, library = Log("api"), Log("job"), logging.getLogger("pika.adapters")
    own.debug("own debug")
    own.info("own info")
    job.info("job info")
    own.warning("own warning")
    own.error("own error")
    library.debug("library debug")
    library.info("library info")
    library.warning("library warning")
    library.error("library error")
    assert [line["action"] for line in written(capsys)] == WRITTEN[level]


@pytest.mark.parametrize(("level", "logged"), [("debug", 2), ("info", 1), ("warning", 0), ("error", 0)])
async def test_a_level_says_which_requests_are_written(
    settings: Settings, capsys: pytest.CaptureFixture[str], level: LogLevel, logged: int
) -> None:
    """Of an address that machines poll, and of one that people ask."""
    async with RunningApi(settings) as api:
        configure_logging(level)
        await api.get("/health/live")
        await api.get("/api/v1/sorteos")
        requests = [line for line in written(capsys) if line["action"] == "REQUEST"]
    assert len(requests) == logged


@pytest.mark.parametrize("level", ["verbose", "trace", "10"])
def test_a_level_that_there_is_not_is_refused(monkeypatch: pytest.MonkeyPatch, level: str) -> None:
    monkeypatch.setenv("LOG_LEVEL", level)
    with pytest.raises(ValidationError, match="log_level"):
        Settings(database_url="postgresql://")


@pytest.mark.parametrize("level", ["DEBUG", "Debug", "debug"])
def test_a_level_is_read_in_capitals_too(monkeypatch: pytest.MonkeyPatch, level: str) -> None:
    monkeypatch.setenv("LOG_LEVEL", level)
    assert Settings(database_url="postgresql://").log_level == "debug"


def test_the_page_of_settings_knows_all_levels() -> None:
    [row] = [line for line in SETTINGS_PAGE.read_text().splitlines() if line.startswith("| `LOG_LEVEL`")]
    assert [level for level in LEVELS if f"`{level}`" not in row] == []
