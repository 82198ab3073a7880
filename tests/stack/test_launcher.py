"""The first start: packages come from where pip is configured to take them, through uv, or through pip where uv cannot."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from cli.pip_settings import pip_settings, uv_settings

ROOT = Path(__file__).resolve().parents[2]
END_TIMEOUT_S = 240
# A build backend of its own, so that an installation needs nothing but the index that it is given.
BACKEND = """
import os
import zipfile
METADATA = "Metadata-Version: 2.1\\nName: place\\nVersion: 0.1.0\\nRequires-Dist: onlyhere\\n"
WHEEL = "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"

def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    name = "place-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(f"{wheel_directory}/{name}", "w") as wheel:
        wheel.writestr("place-0.1.0.dist-info/METADATA", METADATA)
        wheel.writestr("place-0.1.0.dist-info/WHEEL", WHEEL)
        wheel.writestr("place-0.1.0.dist-info/RECORD", "")
        wheel.writestr("place.pth", os.getcwd())
    return name

build_wheel = build_editable
"""
PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "place"
version = "0.1.0"
dependencies = ["onlyhere"]
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A clone of something small that needs a package which only one index has."""
    place = tmp_path / "place"
    (place / "cli").mkdir(parents=True)
    for name in ("banca", "cli/pip_settings.py"):
        shutil.copy2(ROOT / name, place / name)
    (place / "cli" / "__main__.py").write_text("import onlyhere\nprint(onlyhere.WORD)\n")
    (place / "pyproject.toml").write_text(PROJECT)
    (place / "backend.py").write_text(BACKEND)
    (place / "constraints.txt").write_text("onlyhere==1.0\n")
    return place


@pytest.fixture
def index(tmp_path: Path) -> str:
    """The URL of an index with one package."""
    folder = tmp_path / "index" / "onlyhere"
    folder.mkdir(parents=True)
    name = "onlyhere-1.0-py3-none-any.whl"
    with zipfile.ZipFile(folder / name, "w") as wheel:
        wheel.writestr("onlyhere.py", "WORD = 'found'\n")
        wheel.writestr("onlyhere-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: onlyhere\nVersion: 1.0\n")
        wheel.writestr(
            "onlyhere-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        wheel.writestr("onlyhere-1.0.dist-info/RECORD", "")
    (folder / "index.html").write_text(f'<!DOCTYPE html><a href="{name}">{name}</a>')
    return folder.parent.as_uri()


def launch(place: Path, *folders: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """./banca with programs of these folders first, and nothing said to uv or pip but in `environment`."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("UV_", "PIP_"))}
    path = os.pathsep.join([*map(str, folders), os.environ["PATH"]])
    settings = {"HOME": str(place.parent), "PATH": path, "BANCA_PYTHON": sys.base_prefix + "/bin/python3"}
    return subprocess.run(
        [place / "banca", "verify"],
        env={**inherited, **settings, **environment}, capture_output=True, text=True, timeout=END_TIMEOUT_S, check=False,
    )  # fmt: skip


def program(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)
    return folder


def configured(tmp_path: Path, index: str) -> Path:
    """A file of pip's, where a user has it."""
    file = tmp_path / ".config" / "pip" / "pip.conf"
    file.parent.mkdir(parents=True)
    file.write_text(f"[global]\nindex-url = {index}\n")
    return file


def test_uv_takes_packages_from_the_index_that_pip_knows(place: Path, index: str, tmp_path: Path) -> None:
    uv = shutil.which("uv") or shutil.which("uv", path=str(ROOT / ".boot" / "bin"))
    if uv is None:
        pytest.skip("no uv: ./banca has found another way")
    configured(tmp_path, index)
    folder = program(tmp_path / "bin", "uv", f'exec "{uv}" "$@"')
    done = launch(place, folder, UV_CACHE_DIR=str(tmp_path / "cache"), XDG_CONFIG_HOME="")
    assert (done.returncode, done.stdout) == (0, "found\n"), done.stderr
    assert "pip tries" not in done.stderr


def test_pip_takes_over_where_uv_cannot(place: Path, index: str, tmp_path: Path) -> None:
    configured(tmp_path, index)
    folder = program(
        tmp_path / "bin", "uv",
        'case "$*" in *--help*) echo "--group"; exit;; esac; echo "uv does not like it here" >&2; exit 2',
    )  # fmt: skip
    done = launch(place, folder, XDG_CONFIG_HOME="")
    assert (done.returncode, done.stdout) == (0, "found\n"), done.stderr
    assert "banca: uv could not install it; pip tries" in done.stderr.splitlines()


def test_what_neither_can_install_is_told_and_is_not_taken_for_ready(place: Path, tmp_path: Path) -> None:
    configured(tmp_path, (tmp_path / "nothing").as_uri())
    folder = program(tmp_path / "bin", "uv", 'case "$*" in *--help*) echo "--group"; exit;; esac; exit 2')
    for _ in range(2):
        done = launch(place, folder, XDG_CONFIG_HOME="")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.splitlines()[-1] == "banca: the installation failed"
        assert "Traceback" not in done.stderr


def test_the_python_that_is_named_is_taken_or_refused(place: Path, index: str, tmp_path: Path) -> None:
    """Also where .venv was made with another one."""
    configured(tmp_path, index)
    refused = launch(place, BANCA_PYTHON="/nosuch/python")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "banca: BANCA_PYTHON=/nosuch/python is no python >= 3.11\n"
    first = launch(place)
    assert first.stdout == "found\n", first.stderr
    other = tmp_path / "other"
    other.mkdir()
    (other / "python3").symlink_to(sys.base_prefix + "/bin/python3")
    made = launch(place, BANCA_PYTHON=str(other / "python3"))
    assert f"banca: making .venv with {other / 'python3'}\n" in made.stderr
    assert made.stdout == "found\n"
    assert launch(place, BANCA_PYTHON=str(other / "python3")).stderr == ""
    # Nothing is named: what is there will do.
    assert launch(place, BANCA_PYTHON="").stderr == ""


def test_a_folder_that_may_not_be_written_is_told_in_a_line(place: Path) -> None:
    # Also root cannot make a folder where a file is.
    (place / ".boot").write_text("")
    refused = launch(place)
    assert (refused.returncode, refused.stdout) == (1, "")
    [line] = refused.stderr.splitlines()
    assert line.startswith(f"banca: cannot set up in {place}, where we may not write: ")


def test_uv_itself_says_where_it_finds_packages_when_it_is_told_so(place: Path, tmp_path: Path) -> None:
    configured(tmp_path, "https://of-pip.example/simple")
    said = tmp_path / "said"
    folder = program(
        tmp_path / "bin", "uv",
        f'case "$*" in *--help*) echo "--group"; exit;; "-q venv "*) exec "{sys.base_prefix}/bin/python3" -m venv --without-pip'
        f' "{place}/.venv";; esac; env | grep ^UV_ > "{said}"; exit 2',
    )  # fmt: skip
    launch(
        place,
        folder,
        XDG_CONFIG_HOME="",
        UV_DEFAULT_INDEX="https://of-uv.example/simple",
        PIP_NO_INDEX="1",
        PIP_TIMEOUT="7",
    )
    assert {"UV_DEFAULT_INDEX=https://of-uv.example/simple", "UV_HTTP_TIMEOUT=7"} <= set(said.read_text().split())


PIP = {
    "PIP_INDEX_URL": "https://one.example/simple",
    "PIP_EXTRA_INDEX_URL": "https://two.example/simple\nhttps://three.example/simple",
    "PIP_TRUSTED_HOST": "one.example two.example:8443",
    "PIP_CLIENT_CERT": "/certs/me.pem",
    "PIP_PROXY": "user:word@proxy.example:3128",
    "PIP_FIND_LINKS": "/wheels https://four.example/wheels",
    "PIP_DEFAULT_TIMEOUT": "90",
    "PIP_CERT": "/certs/ours.pem",
}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, {}),
        (
            PIP,
            {
                "UV_DEFAULT_INDEX": "https://one.example/simple",
                "UV_INDEX": "https://two.example/simple https://three.example/simple",
                "UV_INDEX_STRATEGY": "unsafe-best-match",
                "UV_INSECURE_HOST": "one.example two.example:8443",
                "SSL_CLIENT_CERT": "/certs/me.pem",
                "SSL_CERT_FILE": "/certs/ours.pem",
                "HTTP_PROXY": "http://user:word@proxy.example:3128",
                "HTTPS_PROXY": "http://user:word@proxy.example:3128",
                "UV_FIND_LINKS": "/wheels,https://four.example/wheels",
                "UV_HTTP_TIMEOUT": "90",
            },
        ),
        ({"PIP_INDEX_URL": "https://one.example", "UV_INDEX_URL": "https://uv.example"}, {}),
        ({"PIP_PROXY": "http://proxy.example:1", "https_proxy": "http://other:2", "http_proxy": "http://other:2"}, {}),
        ({"PIP_CERT": "/certs", "SSL_CERT_DIR": "/other"}, {}),
        ({"PIP_CERT": "/usr"}, {"SSL_CERT_DIR": "/usr"}),
        ({"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/wheels"}, {"UV_OFFLINE": "1", "UV_FIND_LINKS": "/wheels"}),
        ({"PIP_INDEX_URL": "https://one.example", "UV_CONFIG_FILE": "/uv.toml"}, {}),
    ],
)
def test_what_pip_is_told_uv_is_told(environment: Mapping[str, str], expected: Mapping[str, str]) -> None:
    environment = {"PIP_CONFIG_FILE": os.devnull, **environment}
    found = uv_settings(pip_settings(environment), environment)
    assert found == expected


def test_of_pips_files_the_nearest_wins_and_the_environment_over_all(tmp_path: Path) -> None:
    user, named = tmp_path / "config" / "pip" / "pip.conf", tmp_path / "named.conf"
    user.parent.mkdir(parents=True)
    user.write_text("[global]\nindex-url = https://user.example\ncert = /of/user\ntimeout = 3\n")
    named.write_text(
        "[install]\nindex_url = https://named.example/%20x\nextra-index-url =\n  https://a.example\n  https://b.example\n"
    )
    environment = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "PIP_CONFIG_FILE": str(named), "PIP_TIMEOUT": "5"}
    found = pip_settings(environment)
    assert found["index-url"] == "https://named.example/%20x"
    assert found["extra-index-url"].split() == ["https://a.example", "https://b.example"]
    assert (found["cert"], found["timeout"]) == ("/of/user", "5")


def test_a_file_of_pips_that_is_damaged_is_passed_over(tmp_path: Path) -> None:
    named = tmp_path / "pip.conf"
    named.write_bytes(b"no section\n\xff")
    assert "index-url" not in pip_settings({"PIP_CONFIG_FILE": str(named), "XDG_CONFIG_DIRS": str(tmp_path)})
