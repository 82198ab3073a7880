"""A backup as it lies in a folder: what is in it, and whether it is whole.

DIR/database.dump is a dump of the database (pg_dump's custom format), the JSON files beside it are those of the data
directory, manifest.json tells of all of them. The folder gets its name when everything is in it: what has no manifest is
no backup.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from cli.private_files import write_private_text
from cli.trouble import Trouble

MANIFEST_FILE = "manifest.json"
DUMP_FILE = "database.dump"
READ_BYTES = 1_048_576


class Part(BaseModel):
    """A file of a backup."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bytes: int = Field(ge=0)
    sha256: str


class Grantee(BaseModel):
    """A role with rights in the database: its settings, each "name=value", and what it is a member of."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    name: str
    settings: list[str]
    member_of: list[str]


class Belonging(BaseModel):
    """What another role than the database's owner owns; kind and identity as ALTER takes them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str = Field(pattern="^[a-z ]+$")
    identity: str
    owner: str


class Manifest(BaseModel):
    """What a backup holds.

    taken_at: by the database's clock; everything that was committed by then is in it, and nothing else.
    migrations: each one's name and checksum, in their order.
    roles: all that own something or may do something there; belongings: of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    kind: Literal["banca backup"] = "banca backup"
    form: Literal[1] = 1
    version: str
    taken_at: datetime
    duration_s: float
    database: str
    database_bytes: int
    server_version: str
    instance: str
    history: str
    migrations: dict[str, str]
    roles: list[Grantee]
    belongings: list[Belonging]
    files: dict[str, Part]


def part_of(path: Path) -> Part:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(READ_BYTES):
            digest.update(chunk)
    return Part(bytes=path.stat().st_size, sha256=digest.hexdigest())


def finish(draft: Path, target: Path, manifest: Manifest) -> None:
    """Write the manifest, and give the folder its name once all of it is on the disk."""
    write_private_text(draft / MANIFEST_FILE, manifest.model_dump_json(by_alias=True, indent=2) + "\n")
    for path in (*draft.iterdir(), draft):
        sync(path)
    # An empty folder is replaced; one with something in it, made meanwhile, is not.
    draft.rename(target)
    sync(target.parent)


def sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_backup(directory: Path) -> Manifest:
    """The manifest of a backup that is whole. Raises Trouble that says what is missing or damaged."""
    if not directory.is_dir():
        raise Trouble(f"{directory} is no folder: name the one that `./banca backup` made")
    path = directory / MANIFEST_FILE
    if not path.exists():
        raise Trouble(f"{directory} is no backup, or one that was cut off: it has no {MANIFEST_FILE}")
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise Trouble(f"{path} is damaged or of another release ({place}: {first['msg']})") from None
    if faults := faults_of(directory, manifest):
        raise Trouble(f"the backup in {directory} is damaged: {'; '.join(faults)}")
    return manifest


def faults_of(directory: Path, manifest: Manifest) -> Sequence[str]:
    faults = [f"{DUMP_FILE} is not in the manifest"] if DUMP_FILE not in manifest.files else []
    for name, part in manifest.files.items():
        path = directory / name
        if Path(name).name != name or not path.is_file():
            faults.append(f"{name} is missing")
        elif path.stat().st_size != part.bytes:
            faults.append(f"{name} has {path.stat().st_size} bytes instead of {part.bytes}")
        elif part_of(path).sha256 != part.sha256:
            faults.append(f"{name} has another checksum")
    return faults


def size_text(size_bytes: int) -> str:
    """As 12.3 MB."""
    size, units = float(size_bytes), iter(("bytes", "kB", "MB", "GB", "TB"))
    unit = next(units)
    for larger in units:
        if size < 1_000:
            break
        size, unit = size / 1_000, larger
    return f"{size_bytes} bytes" if unit == "bytes" else f"{size:.1f} {unit}"
