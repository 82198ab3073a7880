"""The commands that look after a stack: status, logs, psql, down, and what `up` loads."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.completion import Shell, script
from cli.data_directory import DEMO_FILE
from cli.down import run as down
from cli.logs import LogTail, chosen
from cli.postgres import EmbeddedPostgres
from cli.private_files import holder_of
from cli.process_log import LogFile
from cli.stack import LOCK_FILE, ROOT, STACK_FILE, Stack
from cli.trouble import UsageTrouble
from tests.stack.processes import descendants, wait_until
from tests.stack.up import Run, own_environment, says_ready, start_up


def banca(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "cli", *arguments]
    environment = {**own_environment(), **settings}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("commands")


@pytest.fixture(scope="module")
def up(data: Path) -> Iterator[Run]:
    with start_up(data, "--only", "api,relay", "--api", "2", "--port", "0", "--no-demo") as process:
        try:
            assert says_ready(process)
            yield process
        finally:
            process.kill()
    EmbeddedPostgres(data).remove()


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")
def test_status_tells_of_every_process_and_how_it_is(up: Run, data: Path) -> None:
    done = banca("status", "--json", "--data", str(data))
    found = json.loads(done.stdout)
    assert (done.returncode, found["ok"], found["state"]) == (0, True, "running")
    processes = {each["pid"]: each["name"] for each in found["processes"]}
    assert sorted(processes.values()) == ["api", "api", "postgres", "relay", "up", "valkey"]
    assert set(processes) <= {up.pid, *descendants(up.pid)}
    assert all(each["startedAt"] >= found["startedAt"][:16] or each["name"] for each in found["processes"])
    assert found["api"] == Stack.load(data).api_url
    assert found["health"]["checks"]["sales"]["status"] == "up"
    # No password of database or Valkey.
    assert "@127.0.0.1" not in found["redis"]
    assert Stack.load(data).owner_url not in done.stdout
    words = banca("status", "--data", str(data))
    assert words.returncode == 0
    assert words.stdout.startswith("Banca runs since ")
    assert str(data) in words.stdout


def test_psql_is_the_owners_and_takes_its_arguments(up: Run, data: Path) -> None:
    done = banca("psql", "--data", str(data), "-XAt", "-c", "SELECT current_user, count(*) FROM bancas")
    assert (done.returncode, done.stdout) == (0, "banca|0\n"), done.stderr
    assert banca("psql", "--data", str(data), "-XAt", "-c", "SELECT nonsense").returncode == 1


def test_no_demo_is_loaded_when_none_is_wanted(up: Run, data: Path) -> None:
    assert not (data / DEMO_FILE).exists()


def test_logs_are_shown_by_name(up: Run, data: Path) -> None:
    one = banca("logs", "relay", "--data", str(data))
    assert json.loads(one.stdout.splitlines()[0])["level"]
    both = banca("logs", "api", "--data", str(data)).stdout.splitlines()
    assert {line.split()[0] for line in both} == {"api-1", "api-2"}
    wrong = banca("logs", "nix", "--data", str(data))
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("banca: no log is named nix; there are api-1, api-2, ")


def test_followed_logs_go_on_through_a_new_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is renamed while it is written; nothing is lost or told twice."""
    monkeypatch.setattr("cli.process_log.LOG_BYTES_MAX", 40)
    log, tail, told = LogFile(tmp_path / "api.log"), LogTail(tmp_path / "api.log"), []
    log.write(b"line 0\nline 1\n")
    assert tail.last(1) == [b"line 1"]
    for number in range(2, 30, 2):
        log.write(f"line {number}\nline {number + 1}\n".encode())
        told += tail.new_lines()
    tail.close()
    log.close()
    assert told == [f"line {number}".encode() for number in range(2, 30)]
    assert (tmp_path / "api.1.log").exists()
    # What was is no log of its own.
    assert [path.name for path in chosen(tmp_path, None)] == ["api.log"]
    with pytest.raises(UsageTrouble):
        chosen(tmp_path, "relay")


def test_a_line_that_is_not_whole_waits_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "api.log"
    path.write_bytes(b"whole\nhal")
    tail = LogTail(path)
    assert tail.last(5) == [b"whole"]
    with path.open("ab") as file:
        file.write(b"f\n")
    assert tail.new_lines() == [b"half"]
    tail.close()


def test_down_waits_until_everything_is_gone(data: Path, tmp_path: Path) -> None:
    with start_up(tmp_path, "--only", "relay") as process:
        try:
            assert says_ready(process)
            done = banca("down", "--data", str(tmp_path))
            assert done.returncode == 0
            assert f"stopped the stack in {tmp_path}" in done.stderr
            # It was, before down came back.
            assert process.wait(1) == 0
        finally:
            process.kill()
    assert down(data=tmp_path, timeout_s=1) == 0
    stopped = banca("status", "--data", str(tmp_path))
    assert (stopped.returncode, stopped.stdout.partition(":")[0]) == (1, "Banca is stopped")
    EmbeddedPostgres(tmp_path).remove()


def test_down_stops_a_stack_that_is_still_starting(tmp_path: Path) -> None:
    with start_up(tmp_path, "--only", "relay", stderr=subprocess.PIPE) as process:
        try:
            wait_until(lambda: holder_of(tmp_path / LOCK_FILE) == process.pid)
            assert not (tmp_path / STACK_FILE).exists()
            done = banca("down", "--data", str(tmp_path))
            assert done.returncode == 0, done.stderr
            _, complained = process.communicate(timeout=60)
            # As an interrupt ends it, or the server that was just being started.
            assert process.returncode in (1, 130)
            assert "Traceback" not in complained
        finally:
            process.kill()
    assert holder_of(tmp_path / LOCK_FILE) is None
    EmbeddedPostgres(tmp_path).remove()


def test_a_backup_of_a_stack_that_does_not_run(tmp_path: Path) -> None:
    with start_up(tmp_path / "data", "--only", "relay") as process:
        try:
            assert says_ready(process)
            assert banca("down", "--data", str(tmp_path / "data")).returncode == 0
        finally:
            process.kill()
    done = banca("backup", str(tmp_path / "backup"), "--data", str(tmp_path / "data"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "backup" / "postgres.json").is_file()
    restored = banca("restore", str(tmp_path / "backup"), "--data", str(tmp_path / "new"))
    assert restored.returncode == 0, restored.stderr
    with start_up(tmp_path / "new", "--only", "relay") as process:
        try:
            assert says_ready(process)
        finally:
            process.kill()
    for name in ("data", "new"):
        EmbeddedPostgres(tmp_path / name).remove()


@pytest.mark.parametrize(("options", "is_loaded"), [((), False), (("--demo",), True), (("--no-demo",), False)])
def test_a_database_of_ones_own_gets_a_demo_only_when_asked(
    tmp_path: Path, valkey_url: str, options: tuple[str, ...], is_loaded: bool
) -> None:
    server, data = EmbeddedPostgres(tmp_path / "server", settings={"fsync": "off"}), tmp_path / "data"
    with server:
        settings = {"DATABASE_URL": server.owner_url, "REDIS_URL": valkey_url}
        with start_up(data, "--only", "relay", *options, settings=settings) as process:
            try:
                assert says_ready(process)
            finally:
                process.terminate()
                assert process.wait(60) == 0
    server.remove()
    assert (data / DEMO_FILE).exists() is is_loaded


def test_the_version_is_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    done = banca("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("banca 0.")


def test_help_is_that_of_the_command() -> None:
    for names in ((), ("job", "run"), ("verify",)):
        assert banca("help", *names).stdout.rstrip() == banca(*names, "--help").stdout.rstrip()
    assert "Run every test" in banca("help", "test").stdout
    wrong = banca("help", "nix")
    assert (wrong.returncode, wrong.stderr) == (2, "banca: there is no command nix; ./banca help lists them\n")


COMPLETING = {
    "bash": 'COMP_WORDS=(banca admin cr); COMP_CWORD=2; _banca_completion banca; printf "%s\\n" "${COMPREPLY[@]}"',
    "zsh": "compadd() { print -l -- $@ }; _arguments() { print -l -- $@ }; _describe() { print -l -- $@ };"
    " words=(banca admin cr); CURRENT=3; _banca_completion",
    "fish": "complete --do-complete 'banca admin cr'",
}


@pytest.mark.parametrize("shell", Shell)
def test_the_shell_completes_commands(shell: Shell, tmp_path: Path) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"no {shell} here to complete with")
    # -D: no file is written. Named by -d, a file is replaced, whatever it was.
    before = "autoload -Uz compinit; compinit -u -D;" if shell is Shell.zsh else ""
    # The launcher would install what is missing first.
    text = script(shell).replace(str(ROOT / "banca"), f"{sys.executable} -P -m cli")
    done = subprocess.run(
        [program, "-c", f"{before}{text}\n{COMPLETING[shell]}"],
        cwd=ROOT, env={**os.environ, "TERM": "dumb", "HOME": str(tmp_path)}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert "create" in done.stdout, done.stderr
