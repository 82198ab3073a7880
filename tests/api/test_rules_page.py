"""docs/rules.md: what it says to send is taken."""

from __future__ import annotations

import re
from pathlib import Path

from api.routes import OPERATIONS
from core.domain.permissions import Role
from tests.api.ruling import OVERRIDES, Ruler, ruler, version_of
from tests.arena import Arena
from tests.running_api import RunningApi

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "rules.md").read_text()
EXAMPLE = re.compile(r"^`(POST|PUT|PATCH) (/api/\S+)`\n```json\n(.*?)```", re.MULTILINE | re.DOTALL)
WRITING = ("restrictions", "overrides", "bancas.", "loterias.administer", "sorteos.administer", "commissions")
# Making and moving draws is no rule: docs/draws.md.
DRAWS = re.compile(r"/sorteos(/{sorteoId}(/(?!limits)[a-z-]+)?)?$|/seed_sorteos$")


async def test_every_example_is_taken_and_makes_a_version(api: RunningApi, arena: Arena) -> None:
    banca = await ruler(api, arena, Role.BANCA)
    ids = await ids_of(banca, arena)
    examples = EXAMPLE.findall(PAGE)
    assert len(examples) == PAGE.count("```json")
    for method, path, document in examples:
        before = await version_of(arena.owner, arena.banca_id)
        answer = await banca.send(method, named(path, ids), named(document, ids).encode())
        assert answer.status == (201 if method == "POST" else 200), (path, document, answer.body)
        # Nothing was there to take away.
        is_change = path != "/api/v1/bancas/{bancaId}/commission-policy"
        assert answer.json()["rulebookVersion"] == before + is_change, path


def named(text: str, ids: dict[str, str]) -> str:
    for name, value in ids.items():
        text = text.replace(name, value)
    return text


async def ids_of(banca: Ruler, arena: Arena) -> dict[str, str]:
    """What the page writes in braces; of rows that nobody else's example is about."""
    rule = await banca.restrict(ventanaId=str(arena.ventana_id), number="99", maxTotal="1.00", maxAmount="1.00")
    owner = {"scope": "USER", "scopeId": str(arena.sellers[1].id), "loteriaId": str(arena.loteria_id)}
    override = await banca.write("POST", OVERRIDES, {**owner, "baseMultiplierX": 1})
    return {
        "{bancaId}": str(arena.banca_id),
        "{ventanaId}": str(arena.ventana_id),
        "{userId}": str(arena.seller.id),
        "{loteriaId}": str(arena.loteria_id),
        "{multiplierId}": str(arena.multiplier_id),
        "{sorteoId}": str(arena.sorteo_id),
        "{restrictionId}": rule["id"],
        "{overrideId}": override["id"],
    }


def test_every_address_that_writes_a_rule_has_an_example() -> None:
    writing = {
        (operation.method, operation.path)
        for operation in OPERATIONS
        if operation.body is not None
        and str(operation.permission).startswith(WRITING)
        and not DRAWS.search(operation.path)
    }
    assert writing == {(method, path) for method, path, _ in EXAMPLE.findall(PAGE)}
