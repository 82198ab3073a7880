"""Whether a stack's API answers yet."""

from __future__ import annotations

import http.client
import time
from urllib.parse import urlsplit

from cli.ports import LOOPBACK
from cli.stack import Stack
from cli.supervisor import Supervisor
from cli.trouble import Trouble

READY_TIMEOUT_S = 60.0
READY_REQUEST_TIMEOUT_S = 2.0
READY_POLL_S = 0.05


def await_ready(stack: Stack, supervisor: Supervisor) -> None:
    """Look after the children until the API says that it is ready. Raises Trouble when it takes too long."""
    deadline_s = time.monotonic() + READY_TIMEOUT_S
    answer = "nothing"
    while time.monotonic() < deadline_s:
        supervisor.tick()
        try:
            status = get_status(stack.api_url, "/health/ready")
        except (OSError, http.client.HTTPException) as error:
            answer = str(error)
        else:
            if status == http.HTTPStatus.OK:
                return
            answer = f"HTTP {status}"
        time.sleep(READY_POLL_S)
    raise Trouble(f"the API was not ready in {READY_TIMEOUT_S:.0f} s ({answer}); see {stack.data / 'log'}")


def get_status(url: str, path: str) -> int:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or LOOPBACK, parts.port, timeout=READY_REQUEST_TIMEOUT_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()
