"""The option --data, the same in every command: a directory that is there, or could be."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Annotated

import typer

from cli.trouble import UsageTrouble

# PostgreSQL takes paths of up to 1,024 bytes, those of the files in its cluster included.
PATH_BYTES_MAX = 800
SHOWN_MAX = 60


def data_directory(value: str | Path) -> Path:
    """The path, as it was given. Raises UsageTrouble when no directory can be there."""
    if not str(value).strip():
        raise UsageTrouble("--data is empty: name a directory")
    path = Path(value)
    if len(os.fsencode(path.absolute())) > PATH_BYTES_MAX:
        raise UsageTrouble(
            f"--data {str(path)[:SHOWN_MAX]}… is longer than {PATH_BYTES_MAX} bytes: take a shorter path"
        )
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if path.is_symlink():
            raise UsageTrouble(f"--data {path} is a link to {path.readlink()}, which is not there") from None
        return path
    except OSError as error:
        raise UsageTrouble(f"--data {path} cannot be used: {error.strerror}") from None
    if not stat.S_ISDIR(mode):
        raise UsageTrouble(f"--data {path} is no directory")
    return path


Data = Annotated[
    Path,
    typer.Option(
        "--data", help="Where the stack keeps its data.", show_default=".banca", metavar="PATH", parser=data_directory
    ),
]
