"""Logs: one JSON object a line on stdout, shaped {time, level, layer, action, requestId?, payload?}."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Literal

import orjson

from core.domain.text import escaped_json

LogLevel = Literal["debug", "info", "warning", "error"]

# Libraries that tell of each try to connect in several errors, some with their stacks: a wrong password made forty lines a
# second. Whoever tried says it once.
TRIES_TO_CONNECT = (
    "aiormq.connection",
    "pika.connection",
    "pika.adapters.blocking_connection",
    "pika.adapters.utils.connection_workflow",
)

_PAYLOAD = "banca_payload"
_REQUEST = "banca_request_id"


class Log:
    """Writes what happened (`action`, in capitals) in one layer of the system (`api`, `till`, `relay`, …)."""

    __slots__ = ("_logger", "layer")

    def __init__(self, layer: str) -> None:
        self.layer = layer
        self._logger = logging.getLogger(f"banca.{layer}")

    @property
    def is_verbose(self) -> bool:
        return self._logger.isEnabledFor(logging.DEBUG)

    def debug(self, action: str, *, request_id: str | None = None, **payload: object) -> None:
        self._write(logging.DEBUG, action, request_id, payload)

    def info(self, action: str, *, request_id: str | None = None, **payload: object) -> None:
        self._write(logging.INFO, action, request_id, payload)

    def warning(self, action: str, *, request_id: str | None = None, **payload: object) -> None:
        self._write(logging.WARNING, action, request_id, payload)

    def error(
        self,
        action: str,
        *,
        request_id: str | None = None,
        error: BaseException | str | None = None,
        **payload: object,
    ) -> None:
        """error: its type, message and stack go to the log, never to a client; a text goes into the payload."""
        if isinstance(error, str):
            payload["error"], error = error, None
        self._write(logging.ERROR, action, request_id, payload, error)

    def _write(
        self,
        level: int,
        action: str,
        request_id: str | None,
        payload: dict[str, object],
        error: BaseException | None = None,
    ) -> None:
        if self._logger.isEnabledFor(level):
            extra = {_PAYLOAD: payload, _REQUEST: request_id}
            self._logger.log(level, "%s", action, extra=extra, exc_info=error)


class JsonFormatter(logging.Formatter):
    """Our own records and those of libraries, in the same shape."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, object] = {
            "time": time,
            "level": record.levelname.lower(),
            "layer": record.name.removeprefix("banca."),
            "action": record.getMessage(),
        }
        if request_id := getattr(record, _REQUEST, None):
            line["requestId"] = request_id
        if payload := getattr(record, _PAYLOAD, None):
            line["payload"] = payload
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            line["error"] = {
                "type": type(error).__name__,
                "message": str(error),
                "stack": "".join(traceback.format_exception(error)),
            }
        try:
            text = orjson.dumps(line, default=str, option=orjson.OPT_UTC_Z).decode()
        except TypeError:
            # A text from outside holds stray bytes, as halves of surrogate pairs: escaped they can be written.
            text = json.dumps({**line, "time": f"{time:%Y-%m-%dT%H:%M:%S.%fZ}"}, default=str, skipkeys=True)
        return escaped_json(text)


def configure_logging(level: LogLevel) -> None:
    """Write everything that is logged to stdout; for a process's entry point.

    level: of our own lines. Of libraries only warnings and errors are written, at "error" only errors: what they do step
    by step (pika tells every one of every connection) hides what we do.
    """
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.ERROR if level == "error" else logging.WARNING)
    logging.getLogger("banca").setLevel(level.upper())
    for name in TRIES_TO_CONNECT:
        logging.getLogger(name).setLevel(logging.CRITICAL)
