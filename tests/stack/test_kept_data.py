"""Nothing that is there is ever deleted: what is not whole is refused, and --fresh sets aside."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from cli import postgres_places
from cli.data_directory import THROWAWAY_FILE, set_aside, throwaway
from cli.main import app
from cli.postgres import DRAFT_MARK, DRAFT_PREFIX, EmbeddedPostgres
from cli.private_files import write_private_json
from cli.trouble import Trouble, UsageTrouble
from tests.stack.running import cli, execute, sell, started

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")

API = ("--only", "api", "--api", "1", "--port", "0")
NOTHING = ("--only", ",")


def everything(directory: Path) -> dict[str, bytes | None]:
    """Every file with its content, but what a start that is refused may touch: locks and the log of the server."""
    return {
        str(path.relative_to(directory)): path.read_bytes() if path.is_file() and not path.is_symlink() else None
        for path in directory.rglob("*")
        if not path.name.endswith((".lock", ".log")) and path.name != "log"
    }


def let_through(directory: Path) -> None:
    """Whoever the server runs as: the directories of tests are closed to others."""
    for path in (directory, *directory.parents):
        if path.stat().st_uid == os.geteuid() and not path.stat().st_mode & 0o001:
            path.chmod(path.stat().st_mode | 0o011)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data directory with a cluster in it, which holds a word."""
    data = tmp_path_factory.mktemp("made")
    let_through(data)
    with EmbeddedPostgres(data, settings={"fsync": "off"}) as server:
        execute(server.owner_url, "CREATE TABLE kept AS SELECT 'word' AS word")
    yield data
    server.remove()


@pytest.fixture
def data(made: Path) -> Iterator[Path]:
    """Afterwards whole again."""
    copy = made.with_name(f"{made.name}-copy")
    shutil.copytree(made, copy, symlinks=True)
    for path in copy.rglob("*"):
        status = (made / path.relative_to(copy)).lstat()
        os.chown(path, status.st_uid, status.st_gid, follow_symlinks=False)
    yield made
    shutil.rmtree(made)
    copy.rename(made)


def lose(*names: str) -> Callable[[Path], None]:
    def damage(data: Path) -> None:
        for name in names:
            path = data / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    damage.__name__ = "without " + " and ".join(names)
    return damage


def lose_all_but_base(data: Path) -> None:
    for path in (data / "postgres").iterdir():
        if path.name != "base":
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def write_old_version(data: Path) -> None:
    (data / "postgres" / "PG_VERSION").write_text("17\n")


def be_a_file(data: Path) -> None:
    shutil.rmtree(data / "postgres")
    (data / "postgres").write_text("?")


def be_a_link_to_nothing(data: Path) -> None:
    shutil.rmtree(data / "postgres")
    (data / "postgres").symlink_to(data / "not mounted")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lose("postgres/PG_VERSION"), "lacks PG_VERSION"),
        (lose("postgres/PG_VERSION", "postgres.json"), "lacks PG_VERSION"),
        (lose("postgres/global/pg_control"), "lacks global/pg_control"),
        (lose("postgres/pg_wal"), "lacks pg_wal"),
        (lose_all_but_base, "it has base, and lacks PG_VERSION"),
        (write_old_version, "is of PostgreSQL 17"),
        (lose("postgres"), "tells of a cluster in"),
        (lose("postgres.json"), "make a new password with ./banca postgres-password"),
        (be_a_file, "is no whole cluster"),
        (be_a_link_to_nothing, "is no whole cluster"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_cluster_that_is_not_whole_is_refused_and_stays_as_it_is(
    data: Path, damage: Callable[[Path], None], words: str
) -> None:
    damage(data)
    before = everything(data)
    with pytest.raises(Trouble) as refused:
        EmbeddedPostgres(data).start()
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    assert everything(data) == before


def test_a_start_deletes_only_the_drafts_that_a_start_made(tmp_path: Path) -> None:
    let_through(tmp_path)
    draft, unmarked, older = (tmp_path / name for name in (f"{DRAFT_PREFIX}one", f"{DRAFT_PREFIX}two", "postgres.new"))
    for path in (draft, unmarked, older):
        (path / "postgres").mkdir(parents=True)
        (path / "postgres" / "thesis.txt").touch()
    (draft / DRAFT_MARK).touch()
    with EmbeddedPostgres(tmp_path, settings={"fsync": "off"}) as server:
        assert not draft.exists()
    assert (unmarked / "postgres" / "thesis.txt").exists()
    assert (older / "postgres" / "thesis.txt").exists()
    server.remove()


def test_a_first_start_that_was_cut_off_before_its_cluster_was_there_begins_again(tmp_path: Path) -> None:
    """The password is written down first."""
    write_private_json(tmp_path / "postgres.json", {"port": 0, "password": "x", "made": False})
    with EmbeddedPostgres(tmp_path, settings={"fsync": "off"}) as server:
        assert json.loads((tmp_path / "postgres.json").read_text())["made"]
    server.remove()


def test_a_cluster_that_cannot_be_made_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    let_through(tmp_path)
    monkeypatch.setattr("cli.postgres.LOCALE", ("--no-such-option",))
    with pytest.raises(Trouble, match="initdb failed"):
        EmbeddedPostgres(tmp_path).start()
    assert {path.name for path in tmp_path.iterdir()} == {"postgres.lock"}


@pytest.fixture
def unreachable(tmp_path: Path) -> Iterator[Path]:
    """A data directory that the server's user cannot enter, so that its cluster is in a place elsewhere."""
    if os.geteuid() != 0:
        pytest.skip("only root's server runs as another user")
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    data = home / "data"
    with EmbeddedPostgres(data) as server:
        execute(server.owner_url, "CREATE TABLE kept AS SELECT 'word' AS word")
    if server.cluster.parent == data:
        server.remove()
        pytest.skip("this machine's server runs in a user namespace, and gets everywhere")
    yield data
    for place in postgres_places.our_places():
        if str(postgres_places.owner_of(place)).startswith(str(tmp_path)):
            shutil.rmtree(place)


def test_a_cluster_elsewhere_is_found_again_when_its_file_is_lost(unreachable: Path) -> None:
    (unreachable / "postgres.json").unlink()
    [place] = postgres_places.places_of(unreachable)
    with pytest.raises(Trouble, match=f"{place} has this stack's data.*postgres-password"):
        EmbeddedPostgres(unreachable).start()
    EmbeddedPostgres(unreachable).renew_password()
    with EmbeddedPostgres(unreachable) as server:
        execute(server.owner_url, "DROP TABLE kept")


def test_clusters_of_data_directories_that_are_gone_stay(
    unreachable: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    [place] = postgres_places.places_of(unreachable)
    # Others of this machine are not looked at: one of them may be named first.
    monkeypatch.setattr(postgres_places, "our_places", lambda: [place])
    moved = unreachable.rename(unreachable.with_name("unmounted"))
    postgres_places.remove_abandoned_places()
    assert (place / "postgres" / "PG_VERSION").exists()
    assert str(place) in capsys.readouterr().err
    moved.rename(unreachable)
    with EmbeddedPostgres(unreachable) as server:
        execute(server.owner_url, "DROP TABLE kept")
    (place / postgres_places.THROWAWAY_FILE).touch()
    unreachable.rename(unreachable.with_name("deleted"))
    postgres_places.remove_abandoned_places()
    assert not place.exists()


def test_a_cluster_elsewhere_is_set_aside_where_it_is(unreachable: Path) -> None:
    (unreachable / "stack.lock").touch()
    [place] = postgres_places.places_of(unreachable)
    aside = set_aside(unreachable)
    assert aside is not None
    assert aside.elsewhere == (place,)
    with EmbeddedPostgres(unreachable) as fresh:
        assert fresh.cluster.parent != place
    fresh.remove()
    with EmbeddedPostgres(aside.directory) as former:
        assert former.cluster.parent == place
        execute(former.owner_url, "DROP TABLE kept")


def test_fresh_sets_a_stack_aside_that_still_sells(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with started(data, *API):
        assert sell(data).returncode == 0
        key = json.loads((data / "secrets.json").read_text())["terminalMasterKey"]
    run = cli(data, "up", "--fresh", "--port", "80000")
    assert run.returncode == 2, "a command line that is wrong sets nothing aside"
    with started(data, "--fresh", *API):
        assert json.loads((data / "secrets.json").read_text())["terminalMasterKey"] != key
        assert sell(data).returncode == 0
    [old] = data.glob("old-*")
    assert json.loads((old / "secrets.json").read_text())["terminalMasterKey"] == key
    with started(old, *API):
        assert sell(old).returncode == 0
    EmbeddedPostgres(old).remove()
    EmbeddedPostgres(data).remove()


def test_fresh_says_where_it_went_and_how_much_it_is(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from cli.up import begin_anew

    (data / "thesis.txt").write_text("mine")
    for name in ("secrets.json", "postgres.json"):
        (data / name).write_text("{")
    begin_anew(data)
    said = capsys.readouterr().err
    [old] = data.glob("old-*")
    assert f"set aside what was there: {old} (" in said
    assert " MB)" in said
    assert (data / "thesis.txt").read_text() == "mine"
    assert (old / "postgres" / "PG_VERSION").exists()
    begin_anew(data)
    assert list(data.glob("old-*")) == [old]


def test_fresh_is_refused_where_it_would_not_make_an_empty_database(tmp_path: Path) -> None:
    run = cli(tmp_path / "data", "up", "--fresh", settings={"DATABASE_URL": "postgresql://x@127.0.0.1:1/x"})
    assert run.returncode == 1
    assert "--fresh begins with an empty database, and DATABASE_URL names one" in run.stderr


def test_only_what_was_made_to_be_thrown_away_is_emptied(data: Path) -> None:
    with pytest.raises(Trouble, match="was not made to be thrown away"), throwaway(data):
        pass
    assert (data / "postgres" / "PG_VERSION").exists()


def test_a_throw_away_directory_is_emptied_each_time(tmp_path: Path) -> None:
    for _ in range(2):
        with throwaway(tmp_path):
            assert not (tmp_path / "secrets.json").exists()
        (tmp_path / "secrets.json").touch()
    assert (tmp_path / THROWAWAY_FILE).exists()


def test_a_benchmark_refuses_a_stacks_directory(data: Path) -> None:
    before = everything(data)
    run = cli(data, "bench", "--quick", "--rows", "P1")
    assert run.returncode == 1
    assert "was not made to be thrown away" in run.stderr
    assert everything(data) == before


COMMANDS = (
    *("up", "migrate", "api", "relay", "worker", "scheduler", "verify", "restored", "demo", "bench", "faults"),
    *(
        "postgres-password",
        "sell 07 500",
        "load rush",
        "dead list",
        "dead show x",
        "dead replay x",
        "dead drop x",
        "job list",
        "job run x",
        "status",
        "psql",
        "logs",
        "down",
        "backup there",
        "restore there",
        "admin create --username somebody",
        "admin list",
        "admin reset-password somebody",
    ),
)


@pytest.fixture
def wrong(tmp_path: Path) -> Iterator[list[tuple[Path | str, str]]]:
    """Paths where no data directory can be, and what is said of each. Afterwards nothing was written."""
    (tmp_path / "file").write_text("mine")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "nowhere").symlink_to("not there")
    before = everything(tmp_path)
    yield [
        ("", "--data is empty"),
        ("  ", "--data is empty"),
        (tmp_path / "file", "is no directory"),
        (tmp_path / "file" / "below", "Not a directory"),
        (tmp_path / "loop", "Too many levels of symbolic links"),
        (tmp_path / "nowhere", "is a link to not there, which is not there"),
        (tmp_path / ("n" * 300), "File name too long"),
        (tmp_path / "/".join(["n" * 200] * 5), "is longer than"),
    ]
    assert everything(tmp_path) == before


@pytest.mark.parametrize("command", COMMANDS)
def test_a_data_directory_that_cannot_be_one_is_refused_by_every_command(
    wrong: list[tuple[Path | str, str]], command: str
) -> None:
    for data, words in wrong:
        with pytest.raises(UsageTrouble) as refusal:
            app([*command.split(), "--data", str(data)], standalone_mode=False)
        assert words in str(refusal.value)
        assert "\n" not in str(refusal.value)


def test_every_command_that_takes_a_data_directory_is_tried() -> None:
    taking = {
        " ".join(path)
        for path, command in commands(get_command(app))
        if any("--data" in each.opts for each in command.params)
    }
    assert taking <= {" ".join(command.split()[: len(path.split())]) for command in COMMANDS for path in taking}


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, each in getattr(command, "commands", {}).items():
        yield from commands(each, (*path, name))
    if not hasattr(command, "commands"):
        yield path, command


def test_a_command_line_that_is_wrong_is_one_line_and_exit_code_2(wrong: list[tuple[Path | str, str]]) -> None:
    for data, words in wrong[:3]:
        run = cli(data, "up")
        assert (run.returncode, run.stdout) == (2, "")
        assert words in run.stderr
        assert run.stderr.count("\n") == 1


def refused(run: subprocess.CompletedProcess[str], *words: str) -> None:
    assert run.returncode == 1, run.stderr
    last = run.stderr.splitlines()[-1]
    assert last.startswith("banca: ")
    for word in words:
        assert word in last
    assert "Traceback" not in run.stderr


def test_a_stack_of_another_user_is_refused(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may give files away")
    data = tmp_path / "data"
    data.mkdir()
    (data / "stack.lock").touch()
    for path in (data / "stack.lock", data):
        os.chown(path, 65534, 65534)
    before = everything(data)
    for command in ("up", "postgres-password"):
        refused(cli(data, command), "is of user nobody")
    assert everything(data) == before


def as_nobody() -> tuple[str, ...]:
    if os.geteuid() != 0:
        pytest.skip("only root becomes another user")
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("no setpriv here")
    launcher = (setpriv, "--reuid", "65534", "--regid", "65534", "--clear-groups")
    reaches = subprocess.run([*launcher, sys.executable, "-c", "import typer"], capture_output=True, check=False)
    if reaches.returncode:
        pytest.skip("another user does not get at this Python")
    return launcher


@pytest.mark.parametrize("command", ["up", "postgres-password", "verify", "sell 07 500"])
def test_a_directory_that_one_may_not_use_is_refused(tmp_path: Path, command: str) -> None:
    launcher = as_nobody()
    data = tmp_path / "data"
    data.mkdir(mode=0o711)
    (data / "stack.lock").touch(mode=0o600)
    let_through(tmp_path)
    run = cli(data, *command.split(), launcher=launcher)
    refused(run, str(data))
    assert run.stderr.count("\n") == 1


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """A file system of its own with the options; unmounted afterwards."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root mounts file systems")
    places: list[Path] = []

    def mount(options: str) -> Path:
        place = tmp_path / f"mount{len(places)}"
        place.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
        places.append(place)
        return place

    yield mount
    for place in places:
        subprocess.run(["umount", str(place)], check=True)


def test_a_read_only_disk_is_refused(mounted: Callable[[str], Path]) -> None:
    place = mounted("ro,size=1m")
    refused(cli(place / "data", "up"), "its disk is read-only")


@pytest.mark.parametrize("size", ["64k", "8m"])
def test_a_disk_that_is_full_is_found_before_anything_is_written(mounted: Callable[[str], Path], size: str) -> None:
    place = mounted(f"size={size},mode=0755")
    refused(cli(place / "data", "up"), "is full", "MB are free")
    assert list(place.iterdir()) == []


def test_a_new_cluster_needs_more_room_than_a_start(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_through(tmp_path)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage._replace(free=100_000_000))
    with pytest.raises(Trouble, match="100 MB are free, and a start needs 256 MB"):
        EmbeddedPostgres(tmp_path).start()
    assert {path.name for path in tmp_path.iterdir()} == {"postgres.lock"}
    with EmbeddedPostgres(data, settings={"fsync": "off"}):
        pass
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage._replace(free=1_000_000))
    with pytest.raises(Trouble, match="1 MB are free, and a start needs 48 MB"):
        EmbeddedPostgres(data).start()
