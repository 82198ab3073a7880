"""Breakages of the lines between the parts, and of the POS themselves."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from loadtests.faults.proxy import Harm, Line
from loadtests.faults.scene import Begin, Scene

# Of the POS's requests: enough to hit many, and to let some work be done.
VANISH_ODDS = 0.3


def cut(line: str) -> Begin:
    @asynccontextmanager
    async def begin(scene: Scene, chance: random.Random) -> AsyncIterator[None]:  # noqa: ARG001 - nothing to choose
        proxy = scene.stack.lines[line]
        proxy.cut()
        try:
            yield
        finally:
            await proxy.mend()

    return begin


def hung(line: str) -> Begin:
    @asynccontextmanager
    async def begin(scene: Scene, chance: random.Random) -> AsyncIterator[None]:  # noqa: ARG001 - nothing to choose
        proxy = scene.stack.lines[line]
        proxy.freeze()
        try:
            yield
        finally:
            await proxy.mend()

    return begin


def half_open(line: str) -> Begin:
    @asynccontextmanager
    async def begin(scene: Scene, chance: random.Random) -> AsyncIterator[None]:  # noqa: ARG001 - nothing to choose
        proxy = scene.stack.lines[line]
        proxy.half_open()
        try:
            yield
        finally:
            await proxy.mend()

    return begin


def harmed(line: str, harm: Harm, *, odds: float) -> Begin:
    """odds: of the pieces that pass."""

    @asynccontextmanager
    async def begin(scene: Scene, chance: random.Random) -> AsyncIterator[None]:
        proxy = scene.stack.lines[line]
        proxy.harm(Line(harm, odds, chance))
        try:
            yield
        finally:
            await proxy.mend()

    return begin


@asynccontextmanager
async def clients_vanished(scene: Scene, chance: random.Random) -> AsyncIterator[None]:  # noqa: ARG001 - each POS has its own
    scene.driver.vanish(VANISH_ODDS)
    try:
        yield
    finally:
        scene.driver.vanish(0.0)
