"""A shop that sells and a worker that evaluates, on a fresh database; no Valkey, no broker."""

from __future__ import annotations

from tests.database_alone import evaluator, settings, shop

__all__ = ["evaluator", "settings", "shop"]
