"""Every query is a file under sql/queries; Python calls it by its name."""

from __future__ import annotations

from functools import cache
from pathlib import Path

SQL_ROOT = Path(__file__).resolve().parents[1] / "sql"


@cache
def sql(name: str) -> str:
    """The text of sql/queries/<name>.sql, read once. Raises FileNotFoundError for an unknown name."""
    return (SQL_ROOT / "queries" / f"{name}.sql").read_text(encoding="utf-8")
