"""Real processes that meet their end at the worst moment: `doomed.py relay` or `doomed.py worker`.

relay: killed when the broker has confirmed and nothing is marked. worker: says "recorded" when the transaction is
committed, and never acknowledges; the test kills it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Any

from workers import audit, relay, transport, worker


def doom_relay() -> None:
    def after(publish: Any) -> Any:
        async def publish_and_die(self: Any, messages: Sequence[Any]) -> None:
            await publish(self, messages)
            os.kill(os.getpid(), signal.SIGKILL)

        return publish_and_die

    for kind in (transport.RabbitTransport, transport.RedisTransport):
        kind.publish = after(kind.publish)  # type: ignore[method-assign] # that is the doom
    asyncio.run(relay.main())


def doom_worker() -> None:
    record = audit.Auditor.record

    async def record_and_hang(self: audit.Auditor, envelopes: Sequence[object]) -> None:
        await record(self, envelopes)
        sys.stdout.write("recorded\n")
        sys.stdout.flush()
        threading.Event().wait()

    audit.Auditor.record = record_and_hang  # type: ignore[method-assign] # that is the doom
    sys.exit(worker.main())


if __name__ == "__main__":
    {"relay": doom_relay, "worker": doom_worker}[sys.argv[1]]()
