"""How every process of the system starts and ends: with settings that are right, and a line for what ended it."""

from __future__ import annotations

import resource
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

from core.domain.text import shown
from core.logging import Log, configure_logging
from core.settings import (
    SETTINGS_EXIT_CODE,
    Program,
    Settings,
    SettingsError,
    load_settings,
    misspelt_settings,
)

INTERRUPTED_EXIT_CODE = 130
# After it the supervisor starts the process again.
FAILED_EXIT_CODE = 1


class ProcessError(Exception):
    """What keeps a process from its work, and a person can mend: its text is one line.

    exit_code: SETTINGS_EXIT_CODE of what starting again does not mend.
    """

    exit_code = FAILED_EXIT_CODE


def run_process(program: Program, work: Callable[[Settings], int]) -> int:
    """Read the settings and work with them. Returns the exit code.

    What is wrong with the settings, and what ended the process, is told on standard error in lines for people. An
    error that nobody expected has its stack in the log alone.
    """
    try:
        settings = load_settings(program=program)
    except SettingsError as error:
        tell(program, *str(error).split("\n"))
        return SETTINGS_EXIT_CODE
    for line in misspelt_settings():
        tell(program, f"warning: {line}")
    allow_many_connections()
    configure_logging(settings.log_level)
    log = Log(program)
    threading.excepthook = lambda failed: log.error(
        "THREAD_FAILED", error=failed.exc_value, thread=failed.thread.name if failed.thread else None
    )
    try:
        return work(settings)
    except KeyboardInterrupt:
        return INTERRUPTED_EXIT_CODE
    except SettingsError as error:
        tell(program, *str(error).split("\n"))
        return SETTINGS_EXIT_CODE
    except ProcessError as error:
        log.error("PROCESS_FAILED", error=str(error))
        tell(program, str(error))
        return error.exit_code
    except Exception as error:
        log.error("PROCESS_FAILED", error=error)
        tell(program, f"{type(error).__name__}: {error}; its stack is in the log, at PROCESS_FAILED")
    return FAILED_EXIT_CODE


def allow_many_connections() -> None:
    """Take as many open files as the process may have: each connection is one, and shells and systemd begin with 1,024."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    # A kernel that has a limit of its own refuses an unlimited one.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def tell(program: Program, *lines: str) -> None:
    """Lines for people; nobody reading them is no reason to fall over."""
    try:
        for line in lines:
            sys.stderr.write(f"banca {program}: {shown(line)}\n")
        sys.stderr.flush()
    except OSError:
        return
