"""What pip is configured with, in the environment variables that uv reads; the launcher runs it before there is anything.

Prints `export NAME='value'` lines for a shell. What the environment says to uv itself, or a configuration file of uv's,
stands. A program of its own, of the standard library only (run with -I).
"""

from __future__ import annotations

import configparser
import os
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

# Sections of pip's files, the last wins.
SECTIONS = ("global", "install")


def main() -> None:
    for name, value in uv_settings(pip_settings(os.environ), os.environ).items():
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")


def pip_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """pip's own settings by their names, as `pip config list` puts them together: files, then the environment."""
    found: dict[str, str] = {}
    for section in SECTIONS:
        for path in pip_files(environment):
            found |= section_of(path, section)
    for name, value in environment.items():
        if name.startswith("PIP_") and value.strip():
            found[name.removeprefix("PIP_").lower().replace("_", "-")] = value
    return found


def pip_files(environment: Mapping[str, str]) -> Iterator[Path]:
    """The machine's, the user's, the interpreter's, the one that is named; the last wins."""
    named = environment.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:
        return
    home = Path(environment.get("HOME") or "/nonexistent")
    if sys.platform == "darwin":
        yield Path("/Library/Application Support/pip/pip.conf")
    for folder in reversed((environment.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")):
        yield Path(folder, "pip/pip.conf")
    yield Path("/etc/pip.conf")
    yield home / ".pip/pip.conf"
    if sys.platform == "darwin":
        yield home / "Library/Application Support/pip/pip.conf"
    yield Path(environment.get("XDG_CONFIG_HOME") or home / ".config", "pip/pip.conf")
    yield Path(sys.prefix, "pip.conf")
    if named:
        yield Path(named)


def section_of(path: Path, section: str) -> dict[str, str]:
    """Empty when the file is not there, or none of pip's."""
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
        return {name.replace("_", "-"): value for name, value in parser.items(section) if value.strip()}
    except (OSError, UnicodeDecodeError, configparser.Error):
        return {}


def uv_settings(pip: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """What uv must be told of it, and is not told yet."""
    said = {name: "" for name in environment if environment[name]}
    if has_own_configuration(environment):
        said |= dict.fromkeys(("UV_DEFAULT_INDEX", "UV_INDEX", "UV_FIND_LINKS"), "")
    found: dict[str, str] = {}

    def tell(value: str | None, *names: str, unless: Iterable[str] = ()) -> None:
        for name in names:
            if value and name not in said and not any(each in said for each in unless):
                found[name] = value

    tell(pip.get("index-url"), "UV_DEFAULT_INDEX", unless=["UV_INDEX_URL"])
    extra = " ".join(pip.get("extra-index-url", "").split())
    tell(extra, "UV_INDEX", unless=["UV_EXTRA_INDEX_URL"])
    if "UV_INDEX" in found:
        # pip takes the best of all indexes; uv would only look into the first that has the name.
        tell("unsafe-best-match", "UV_INDEX_STRATEGY")
    if pip.get("no-index", "").strip().lower() in {"1", "true", "yes", "on"}:
        tell("1", "UV_OFFLINE")
    tell(",".join(pip.get("find-links", "").split()), "UV_FIND_LINKS")
    tell(" ".join(pip.get("trusted-host", "").split()), "UV_INSECURE_HOST")
    tell(pip.get("timeout") or pip.get("default-timeout"), "UV_HTTP_TIMEOUT")
    certificates = pip.get("cert")
    if certificates:
        is_folder = Path(certificates).is_dir()
        tell(certificates, "SSL_CERT_DIR" if is_folder else "SSL_CERT_FILE", unless=["SSL_CERT_FILE", "SSL_CERT_DIR"])
    tell(pip.get("client-cert"), "SSL_CLIENT_CERT")
    proxy = pip.get("proxy")
    if proxy:
        proxy = proxy if "://" in proxy else f"http://{proxy}"
        tell(proxy, "HTTP_PROXY", unless=["http_proxy"])
        tell(proxy, "HTTPS_PROXY", unless=["https_proxy", "ALL_PROXY", "all_proxy"])
    return found


def has_own_configuration(environment: Mapping[str, str]) -> bool:
    home = Path(environment.get("HOME") or "/nonexistent")
    files = (Path(environment.get("XDG_CONFIG_HOME") or home / ".config", "uv/uv.toml"), Path("/etc/uv/uv.toml"))
    return "UV_CONFIG_FILE" in environment or any(path.is_file() for path in files)


if __name__ == "__main__":
    main()
