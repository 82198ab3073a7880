"""Break the SQL functions one patch at a time, and see whether the tests notice: `python -m tests.mutations.sql_mutations`.

By hand, not part of the test run. Each patched function replaces the good one in a database that the tests then copy; no
file is changed. Arguments: parts of names, to try those patches only. `--list`: only say which patches do not fit the
functions as they are.

Exit code 0: every patch fits, and at least NOTICED_MIN of those that change behaviour are noticed.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import re
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path

import asyncpg
import pytest

from cli.postgres import EmbeddedPostgres
from core.migrations import migrate
from core.queries import SQL_ROOT
from tests.databases import allow_logins, database_of, in_server
from tests.mutations.sql_patches import PATCHES, Edit, Patch

NOTICED_MIN = 0.95
TESTS_TIMEOUT_S = 600
GOOD, MUTATED = "banca_good", "banca_mutated"
# What pytest exits with.
PASSED, FAILED, INTERNAL_ERROR = 0, 1, 3


class Fate(StrEnum):
    NOTICED = "noticed"
    SURVIVED = "SURVIVED"
    EQUAL = "changes nothing"
    UNFIT = "DOES NOT FIT"
    UNCLEAR = "UNCLEAR"


class PatchUnfitError(Exception):
    """The text that a patch replaces is not in the function, or is there more often than once."""


# What the tests import, once for all of them.
PRELOADED = ("hypothesis", "tests.after_sale.desk", "tests.api.selling", "tests.running_api", "tests.statements.office",
             "tests.workers.pipeline", "tests.workers.scheduling")  # fmt: skip


def main(arguments: Sequence[str]) -> int:
    names = [argument for argument in arguments if not argument.startswith("--")]
    patches = [patch for patch in PATCHES if not names or any(name in patch.name for name in names)]
    if "--list" in arguments:
        return _list(patches)
    for module in PRELOADED:
        importlib.import_module(module)
    with tempfile.TemporaryDirectory(prefix="banca-mutations-") as place:
        server = EmbeddedPostgres(Path(place), settings={"fsync": "off"})
        server.start()
        try:
            asyncio.run(_make_good(server.owner_url))
            fates = {}
            for number, patch in enumerate(patches, 1):
                began = time.monotonic()
                fates[patch], told = _try(patch, server.owner_url)
                took_s = time.monotonic() - began
                _say(f"{number}/{len(patches)} {fates[patch]}: {patch.name} ({took_s:.0f} s) {told}")
        finally:
            server.stop()
            server.remove()
    return _report(fates)


def _list(patches: Sequence[Patch]) -> int:
    unfit = 0
    for patch in patches:
        try:
            patched(patch)
        except PatchUnfitError as error:
            unfit += 1
            _say(f"{Fate.UNFIT}: {patch.name}: {error}")
    _say(f"{len(patches) - unfit} of {len(patches)} patches fit")
    return int(unfit > 0)


def patched(patch: Patch) -> str:
    """The text of the patch's function, broken. Raises PatchUnfitError."""
    text = (SQL_ROOT / "functions" / f"{patch.function}.sql").read_text(encoding="utf-8")
    for edit in patch.edits:
        text = _edited(text, edit)
    return text


def _edited(text: str, edit: Edit) -> str:
    found = list(re.finditer(r"\s+".join(map(re.escape, edit.old.split())), text))
    if len(found) < max(edit.nth, 1) or (edit.nth == 0 and len(found) > 1):
        raise PatchUnfitError(f"{len(found)} times: {edit.old}")
    match = found[max(edit.nth, 1) - 1]
    return text[: match.start()] + edit.new + text[match.end() :]


def _try(patch: Patch, server_url: str) -> tuple[Fate, str]:
    """What became of the patch, and the test that noticed it or what else there is to say."""
    try:
        text = patched(patch)
    except PatchUnfitError as error:
        return Fate.UNFIT, str(error)
    if patch.equal:
        return Fate.EQUAL, patch.equal
    try:
        asyncio.run(_make_mutated(server_url, text))
    except asyncpg.PostgresError as error:
        return Fate.UNCLEAR, f"{type(error).__name__}: {error}"
    return _test(patch, server_url)


async def _make_good(server_url: str) -> None:
    await in_server(server_url, f"CREATE DATABASE {GOOD}")
    url = database_of(server_url, GOOD)
    await migrate(url)
    await allow_logins(url)


async def _make_mutated(server_url: str, text: str) -> None:
    await in_server(server_url, f"DROP DATABASE IF EXISTS {MUTATED} WITH (FORCE)")
    await in_server(server_url, f"CREATE DATABASE {MUTATED} TEMPLATE {GOOD}")
    await in_server(database_of(server_url, MUTATED), text)


def _test(patch: Patch, server_url: str) -> tuple[Fate, str]:
    code, output = _run_tests(patch.tests, server_url)
    if code is None:
        return Fate.UNCLEAR, f"no end within {TESTS_TIMEOUT_S} s"
    if code == PASSED:
        return Fate.SURVIVED, " ".join(patch.tests)
    told = [line for line in output.splitlines() if line.startswith(("FAILED tests/", "ERROR tests/"))]
    # An error is the preparation's: that the tests notice anything it does not say.
    if code == FAILED and told and told[0].startswith("FAILED"):
        return Fate.NOTICED, told[0].split(" - ")[0].removeprefix("FAILED tests/")
    return Fate.UNCLEAR, told[0] if told else output[-300:]


def _run_tests(tests: Sequence[str], server_url: str) -> tuple[int | None, str]:
    """pytest's exit code (None: it was ended at its time limit) and what it wrote.

    In a fork, which has all modules already: importing them takes longer than most tests.
    """
    arguments = ["-x", "-q", "-p", "no:cacheprovider", "-rfE", *(f"tests/{test}" for test in tests)]
    # pytest would rather have imported the plugin itself.
    arguments += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    with tempfile.TemporaryFile("w+") as output:
        child = os.fork()
        if child == 0:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
            os.environ.update({"BANCA_TEST_DATABASE_URL": server_url, "BANCA_TEST_TEMPLATE": MUTATED})
            code = INTERNAL_ERROR
            try:
                code = int(pytest.main(arguments))
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                # Past all that the parent has still to tidy up.
                os._exit(code)
        status = _wait(child)
        output.seek(0)
        return status, output.read()


def _wait(child: int) -> int | None:
    """The exit code of the child, which is ended after TESTS_TIMEOUT_S: then None."""
    ends = time.monotonic() + TESTS_TIMEOUT_S
    while time.monotonic() < ends:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def _report(fates: Mapping[Patch, Fate]) -> int:
    for fate in (Fate.UNFIT, Fate.UNCLEAR, Fate.SURVIVED):
        for patch, its in fates.items():
            if its is fate:
                _say(f"{fate}: {patch.name}")
    noticed = sum(fate is Fate.NOTICED for fate in fates.values())
    survived = sum(fate is Fate.SURVIVED for fate in fates.values())
    equal = sum(fate is Fate.EQUAL for fate in fates.values())
    others = len(fates) - noticed - survived - equal
    share = noticed / max(noticed + survived, 1)
    _say(f"{noticed} noticed, {survived} not, {equal} change nothing, {others} could not be tried: {share:.1%}")
    return int(others > 0 or share < NOTICED_MIN)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
