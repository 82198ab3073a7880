"""A supervisor that a test kills: PostgreSQL, Valkey and a child that forks. Says "ready", then waits."""

from __future__ import annotations

import sys
from pathlib import Path

from cli.postgres import EmbeddedPostgres
from cli.process import BoundProcess
from cli.signals import Signals
from cli.supervisor import Child, Supervisor
from cli.valkey import EmbeddedValkey

# Its descendants ignore what can be ignored.
FAMILY = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.fork(), os.fork()
print("here", flush=True)
while True: time.sleep(1)
"""


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def main(data: Path) -> None:
    with Signals() as signals, EmbeddedPostgres(data) as postgres, EmbeddedValkey(data) as valkey:
        family = Child("family", lambda: BoundProcess([sys.executable, "-c", FAMILY], env={}, log=data / "family.log"))
        supervisor = Supervisor(
            [[family]],
            servers=[
                Child("postgres", postgres.launch, process=postgres.process),
                Child("valkey", valkey.launch, process=valkey.process),
            ],
            report=say,
        )
        supervisor.tick()
        say("ready", postgres.owner_url, postgres.cluster)
        signals.patient()
        while not signals.requests:
            signals.wait(supervisor.tick())
        supervisor.stop(hurry=lambda: True)
    say("stopped")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
