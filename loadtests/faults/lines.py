"""Breakages of the lines between the parts, and of the POS themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from loadtests.faults.proxy import Harm, Line, Proxy
from loadtests.faults.scene import Begin, Scene

# Of the POS's requests: enough to hit many, and to let some work be done.
VANISH_ODDS = 0.3


def cut(line: str) -> Begin:
    return lambda scene: broken(scene.stack.lines[line], Proxy.refuse)


def hung(line: str) -> Begin:
    return lambda scene: broken(scene.stack.lines[line], Proxy.freeze)


def half_open(line: str) -> Begin:
    return lambda scene: broken(scene.stack.lines[line], Proxy.half_open)


def harmed(line: str, harm: Harm, *, odds: float) -> Begin:
    """odds: of the pieces that pass."""
    return lambda scene: broken(scene.stack.lines[line], lambda proxy: proxy.harm(Line(harm, odds, scene.chance)))


@asynccontextmanager
async def broken(proxy: Proxy, spoil: Callable[[Proxy], None]) -> AsyncIterator[None]:
    spoil(proxy)
    try:
        yield
    finally:
        await proxy.mend()


@asynccontextmanager
async def clients_vanished(scene: Scene) -> AsyncIterator[None]:
    """Each POS has a chance of its own."""
    scene.driver.vanish(VANISH_ODDS)
    try:
        yield
    finally:
        scene.driver.vanish(0.0)
