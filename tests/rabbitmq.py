"""The RabbitMQ of the tests: AMQP_URL's, or the one that usually is on this machine; and one of a test's own, to be ailed."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from cli.ports import free_port
from core.settings import given
from workers.rabbitmq import connect

PROGRAMS = Path("/usr/lib/rabbitmq/bin")
START_TIMEOUT_S = 180
STOP_TRIES = 100
USUAL_URL = "amqp://guest:guest@127.0.0.1:5672/"


async def reachable_rabbitmq() -> str:
    """Its URL. Where it does not answer the test is skipped, or fails when REQUIRE_RABBITMQ is 1."""
    url = given(os.environ, "AMQP_URL") or USUAL_URL
    try:
        await (await connect(url, timeout_s=3)).close()
    except OSError as error:
        if os.environ.get("REQUIRE_RABBITMQ") == "1":
            pytest.fail(f"RabbitMQ does not answer at {url}: {error}")
        pytest.skip(f"RabbitMQ does not answer at {url}: {error}")
    return url


class OwnRabbitmq:
    """A node of a test's own, in its folder and on its ports."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}/"
        plugins, configuration = folder / "plugins", folder / "rabbitmq.conf"
        plugins.write_text("[].")
        configuration.touch()
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "RABBITMQ_NODENAME": f"banca-{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
            "RABBITMQ_CONFIG_FILE": str(configuration),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "generated"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            # A daemon of its own, so that it can be ended.
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(free_port()),
        }
        self._log = folder / "rabbitmq.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [PROGRAMS / "rabbitmq-server"], env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def control(self, *arguments: str) -> None:
        subprocess.run([PROGRAMS / "rabbitmqctl", *arguments], env=self._environment, capture_output=True, check=True)

    async def until_ready(self) -> None:
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while True:
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline_s, self._log.read_text()
            with suppress(OSError, TimeoutError):
                await (await connect(self.url, timeout_s=10)).close()
                return
            await asyncio.sleep(0.2)

    def stop(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        # Its daemon goes once it has noticed that the node is gone.
        for _ in range(STOP_TRIES):
            told = subprocess.run(["epmd", "-kill"], env=self._environment, capture_output=True, check=False).stdout
            if b"Killing not allowed" not in told:
                return
            time.sleep(0.1)


@contextmanager
def own_rabbitmq(folder: Path) -> Iterator[OwnRabbitmq]:
    """Where there is none to start the test is skipped, or fails when REQUIRE_RABBITMQ is 1."""
    if not (PROGRAMS / "rabbitmq-server").exists() or shutil.which("epmd") is None:
        reason = f"no RabbitMQ in {PROGRAMS} to start one of"
        (pytest.fail if os.environ.get("REQUIRE_RABBITMQ") == "1" else pytest.skip)(reason)
    node = OwnRabbitmq(folder)
    try:
        yield node
    finally:
        node.stop()
