"""Real processes that meet their end at the worst moment: `doomed.py relay`, `worker`, `poisoned`, `evaluator <seed>` or
`jobs <seed>`.

relay: killed when the broker has confirmed and nothing is marked. worker: says "recorded" when the transaction is
committed, and never acknowledges; the test kills it. poisoned: a worker that dies at once of an event of the type
`poison.swallowed`, and of any message for the actor `poison`; it allows few deliveries. evaluator: a worker that is
killed, ticket by ticket, somewhere in one of its first steps of an evaluation. jobs: likewise, draw by draw, of a job.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Any
from unittest.mock import patch
from uuid import UUID

import dramatiq

from workers import audit, broker, cleanup_jobs, evaluations, jobs, relay, sorteo_jobs, transport, worker

# Each costs the start of a process.
FEW_DELIVERIES = 1
POISON = "poison.swallowed"
# How far an evaluator gets, and how long a step of one ticket may take on a busy machine.
STEPS_MAX = 4
STEP_S = 0.02


def doom_relay() -> None:
    def after(publish: Any) -> Any:
        async def publish_and_die(self: Any, messages: Sequence[Any]) -> None:
            await publish(self, messages)
            os.kill(os.getpid(), signal.SIGKILL)

        return publish_and_die

    for kind in (transport.RabbitTransport, transport.RedisTransport):
        kind.publish = after(kind.publish)  # type: ignore[method-assign] # that is the doom
    sys.exit(relay.main())


def doom_worker() -> None:
    record = audit.Auditor.record

    async def record_and_hang(self: audit.Auditor, envelopes: Sequence[object]) -> None:
        await record(self, envelopes)
        sys.stdout.write("recorded\n")
        sys.stdout.flush()
        threading.Event().wait()

    audit.Auditor.record = record_and_hang  # type: ignore[method-assign] # that is the doom
    sys.exit(worker.main())


def doom_by_poison() -> None:
    broker.DELIVERY_LIMIT = FEW_DELIVERIES
    # So that a dead worker's messages come back at once.
    defaults: Any = broker.ParkingRedisBroker.__init__.__kwdefaults__
    defaults.update(maintenance_per_million=1_000_000, worker_silent_ms=1_000)
    program: Any = worker
    record, declare = audit.Auditor.record, program.declare_audit

    async def record_or_die(self: audit.Auditor, envelopes: Sequence[Any]) -> None:
        if any(envelope["type"] == POISON for envelope in envelopes):
            os._exit(1)
        await record(self, envelopes)

    def die() -> None:
        os._exit(1)

    def declare_poison(the_broker: dramatiq.Broker, *arguments: Any, instance_id: str, **others: Any) -> Any:
        queue = f"banca.{instance_id}.audit"
        dramatiq.actor(broker=the_broker, actor_name="poison", queue_name=queue)(die)
        return declare(the_broker, *arguments, instance_id=instance_id, **others)

    patch.object(audit.Auditor, "record", record_or_die).start()
    program.declare_audit = declare_poison
    sys.exit(worker.main())


def doom_evaluator() -> None:
    chance = random.Random(int(sys.argv[2]))
    steps_left = chance.randint(1, STEPS_MAX)
    step = evaluations.Evaluations._step

    async def step_or_die(self: evaluations.Evaluations, banca_id: UUID, sorteo_id: UUID, tickets: int) -> str:
        nonlocal steps_left
        steps_left -= 1
        if steps_left == 0:
            # Before its statement, in it, or between its commit and its answer.
            threading.Timer(chance.uniform(0, STEP_S), os.kill, (os.getpid(), signal.SIGKILL)).start()
        return await step(self, banca_id, sorteo_id, tickets)

    defaults: Any = evaluations.Evaluations.__init__.__kwdefaults__
    defaults["step_tickets"] = 1
    patch.object(evaluations.Evaluations, "_step", step_or_die).start()
    sys.exit(worker.main())


def doom_jobs() -> None:
    chance = random.Random(int(sys.argv[2]))
    steps_left = chance.randint(1, STEPS_MAX)
    step = jobs.Jobs._step

    async def step_or_die(self: jobs.Jobs, *arguments: Any) -> int:
        nonlocal steps_left
        steps_left -= 1
        if steps_left == 0:
            threading.Timer(chance.uniform(0, STEP_S), os.kill, (os.getpid(), signal.SIGKILL)).start()
        return await step(self, *arguments)

    sorteo_jobs.SORTEOS_PER_STEP = 1
    cleanup_jobs.ROWS_PER_STEP = 1
    program: Any = jobs.Jobs
    program._step = step_or_die
    sys.exit(worker.main())


DOOMS = {
    "relay": doom_relay,
    "worker": doom_worker,
    "poisoned": doom_by_poison,
    "evaluator": doom_evaluator,
    "jobs": doom_jobs,
}

if __name__ == "__main__":
    DOOMS[sys.argv[1]]()
