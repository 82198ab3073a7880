"""What a person is told when a command cannot do its work: lines, never a traceback."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import suppress

from core.domain.text import shown

INTERRUPTED = 130
# As the shell says of a program that SIGPIPE ended: nobody reads any more, and nothing is said of the work.
PIPE_CLOSED = 141


class Trouble(Exception):  # noqa: N818 - it names what it is: trouble a person can mend, not a defect
    """Expected trouble: its text is the one line that a person sees, without a traceback."""

    exit_code = 1


class UsageTrouble(Trouble):
    """The command line asks for something that does not exist."""

    exit_code = 2


def told(error: Exception) -> tuple[str, int]:
    """What a person is told of an error that ended a command, and the exit code."""
    from core.settings import SETTINGS_EXIT_CODE, SettingsError

    if isinstance(error, Trouble):
        return str(error), error.exit_code
    if isinstance(error, SettingsError):
        return str(error), SETTINGS_EXIT_CODE
    words = words_of(error)
    return shown(defect(error) if words is None else words), 1


def words_of(error: BaseException) -> str | None:
    """Trouble with the world around us, in a line; None: a defect of ours."""
    if (words := database_words(error)) is not None:
        return words
    match error:
        case ConnectionRefusedError():
            return "connection refused: nothing listens there"
        case TimeoutError():
            return f"no answer in time{f' ({error})' if str(error) else ''}"
        case OSError():
            return system_words(error)
        case _ if _is_of(error, "redis.exceptions", "RedisError"):
            return f"Redis: {error}"
        case _ if _is_of(error, "http.client", "HTTPException"):
            return f"the API's answer was cut off ({type(error).__name__})"
        case _:
            return None


def system_words(error: OSError) -> str:
    """What the operating system says, without its number."""
    if error.errno is None or error.strerror is None:
        return str(error) or type(error).__name__
    # asyncio's words name the address already.
    places = [str(name) for name in (error.filename, error.filename2) if name is not None]
    return ": ".join([*places, error.strerror])


def database_words(error: BaseException) -> str | None:
    """What PostgreSQL or its driver says; None: it is not theirs."""
    if "asyncpg" not in sys.modules:
        return None
    import asyncpg

    match error:
        case (
            asyncpg.InvalidAuthorizationSpecificationError()
            | asyncpg.InvalidCatalogNameError()
            | asyncpg.InsufficientPrivilegeError()
        ):
            return f"the database refuses: {error}"
        case (
            asyncpg.UndefinedTableError()
            | asyncpg.UndefinedFunctionError()
            | asyncpg.UndefinedColumnError()
            | asyncpg.InvalidSchemaNameError()
        ):
            return f"the database is not migrated for this version ({error}): run ./banca migrate"
        case asyncpg.PostgresConnectionError() | asyncpg.CannotConnectNowError() | asyncpg.AdminShutdownError():
            return f"the database went away, or does not take connections: {error}"
        case asyncpg.PostgresError():
            return f"the database refuses: {error}"
        case asyncpg.InterfaceError() | asyncpg.InternalClientError():
            return f"the connection to the database: {error}"
        case _:
            return None


def defect(error: Exception) -> str:
    """A line that says where the stack is, which is written into a file of its user's own."""
    stack = "".join(traceback.format_exception(error))
    name = f"a defect: {type(error).__name__}: {error}"
    try:
        # mkstemp gives mode 0600.
        handle, path = tempfile.mkstemp(prefix="banca-defect-", suffix=".log")
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(stack)
    except OSError:
        return f"{name}; set LOG_LEVEL=debug to see its stack"
    return f"{name}; its stack is in {path}"


def complain(error: Exception) -> int:
    """Tell the person, on standard error. With LOG_LEVEL=debug the stack, too. Returns the exit code."""
    text, code = told(error)
    with suppress(OSError):
        sys.stderr.writelines(f"banca: {line}\n" for line in shown_lines(text))
        if is_debugged():
            traceback.print_exception(error)
        sys.stderr.flush()
    return code


def is_debugged() -> bool:
    return os.environ.get("LOG_LEVEL", "").strip().lower() == "debug"


def shown_lines(text: str) -> Iterator[str]:
    return map(shown, text.split("\n"))


def _is_of(error: BaseException, module: str, name: str) -> bool:
    """Whether the error is of that class, which is not imported for this: an error of it has been."""
    kind = getattr(sys.modules.get(module), name, None)
    return kind is not None and isinstance(error, kind)
