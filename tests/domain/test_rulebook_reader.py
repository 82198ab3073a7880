"""A rulebook read after another version of it is the one that is read alone, and nothing but what changed is read."""

from __future__ import annotations

import json
import random
from collections.abc import Generator
from typing import Any

import pytest

from core.domain import restriction_rows, rulebook_json
from core.domain.rulebook import Rulebook
from core.domain.rulebook_json import BYTES_PER_STEP, RulebookReader, rulebook_from_text
from core.domain.steps import at_once
from tests.domain.domain_samples import (
    BANCA,
    L1,
    L2,
    MULTIPLIERS,
    SELLER,
    VENTANA,
    X80,
    X85,
    judged,
    numero,
    policy,
    priced,
    restriction,
)
from tests.domain.restriction_samples import PAIR, B, U, V

SCOPES = (B, V, U, {"userId": "no UUID"})
POLICIES = (None, policy("12.5"), policy("5", {"multiplierId": str(X80), "percent": 7.25}), {"version": 9}, "no object")
ROUNDS, EDITS = 40, 6


def document(**members: Any) -> dict[str, Any]:
    """As load.sql gives it, of some rows of each kind."""
    return {
        "bancaId": str(BANCA),
        "version": 1,
        "defaultMinBetCents": 0,
        "globalMaxPerNumberCents": None,
        "salesCutoffMinutes": 5,
        "commissionPolicy": None,
        "loterias": [
            {"id": str(L1), "name": "Tica", "rules": {"baseMultiplierX": 81.5}, "isActive": True},
            {"id": str(L2), "name": "Nica", "rules": {}, "isActive": True},
        ],
        "multipliers": [dict(row) for row in MULTIPLIERS],
        "ventanas": [{"id": str(VENTANA), "policy": None, "listeroPolicy": None}],
        "sellers": [{"id": str(SELLER), "ventanaId": str(VENTANA), "policy": None}],
        "overrides": [],
        "bancaLoteriaSettings": [],
        "restrictions": [restriction(f"R{n}", **SCOPES[n % 4], number=n, maxTotalCents=100_000) for n in range(12)],
        **members,
    }


def edited(before: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """The next version: a row of any kind added, changed, taken away, or put elsewhere."""
    after: dict[str, Any] = json.loads(json.dumps(before))
    after["version"] += 1
    rules = after["restrictions"]
    match chance.randrange(8):
        case 0:
            scope = chance.choice(SCOPES)
            pair = chance.choice(({}, {"loteriaId": str(L1), "multiplierId": str(X85)}))
            rules.append(
                restriction(f"N{after['version']}", **scope, **pair, number=chance.randrange(100), maxAmountCents=5)
            )
        case 1:
            chance.choice(rules)["maxTotalCents"] = chance.choice((None, 0, 700, "malformed"))
        case 2:
            rules.pop(chance.randrange(len(rules)))
        case 3:
            chance.shuffle(rules)
        case 4:
            # Another loteria's digits or multiplier's kind make another rule malformed.
            after["loterias"][0]["rules"] = chance.choice(({}, {"digits": 3}, {"digits": "malformed"}))
        case 5:
            multipliers = after["multipliers"]
            multipliers[chance.randrange(len(multipliers))]["xHundredths"] = chance.choice((0, 8_000, 8_500))
        case 6:
            after["sellers"][0]["policy"] = chance.choice(POLICIES)
        case _:
            after["overrides"] = [
                {"id": f"O{n}", "scope": "USER", "userId": str(SELLER), "loteriaId": str(loteria),
                 "multiplierType": "NUMERO", "baseMultiplierX": chance.choice((95.25, "malformed")), "isActive": True}
                for n, loteria in enumerate(chance.sample((L1, L2), chance.randrange(3)))
            ]  # fmt: skip
    return after


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_a_version_read_after_others_is_the_one_that_is_read_alone(seed: int) -> None:
    chance, reader, version = random.Random(seed), RulebookReader(), document()
    for _ in range(EDITS):
        text = json.dumps(version)
        after_others, alone = at_once(reader.read(text)), rulebook_from_text(text)
        assert after_others == alone
        for number in ("01", "02", "07"):
            assert judged(after_others, numero(number)) == judged(alone, numero(number))
        version = edited(version, chance)


def test_a_row_in_the_same_words_is_read_again_when_what_it_refers_to_changed() -> None:
    """The digits of a rule's lottery, the value of a policy's multiplier, the multiplier of a limit's label."""
    of_three_digits = restriction("R", **B, **PAIR, number=500, maxTotalCents=700)
    earns = policy("5", {"multiplierId": str(X85), "percent": 50})
    version = document(
        restrictions=[of_three_digits, restriction("N", **B, **PAIR, number=7, maxTotalCents=700)],
        sellers=[{"id": str(SELLER), "ventanaId": str(VENTANA), "policy": earns}],
    )
    reader = RulebookReader()

    def read(**members: Any) -> Rulebook:
        version.update(members)
        text = json.dumps(version)
        found, alone = at_once(reader.read(text)), rulebook_from_text(text)
        assert found == alone
        assert priced(found, numero("07", multiplier_id=X85)) == priced(alone, numero("07", multiplier_id=X85))
        return found

    assert len(read().defects) == 1
    loterias = [{**row, "rules": {"digits": 3}} for row in version["loterias"]]
    assert read(loterias=loterias).defects == ()
    read(
        multipliers=[
            {**row, "xHundredths": 8_600, "name": "renamed"} if row["id"] == str(X85) else row for row in MULTIPLIERS
        ]
    )


def test_two_versions_may_be_read_at_the_same_time() -> None:
    reader = RulebookReader()
    at_once(reader.read(json.dumps(document())))
    chance = random.Random(7)
    versions = [edited(document(), chance), edited(edited(document(), chance), chance)]
    readings = [reader.read(json.dumps(version)) for version in versions]
    found: list[Rulebook] = interleaved(readings)
    assert found == [rulebook_from_text(json.dumps(version)) for version in versions]


def interleaved(readings: list[Generator[None, None, Rulebook]]) -> list[Rulebook]:
    found: dict[int, Rulebook] = {}
    while len(found) < len(readings):
        for index, reading in enumerate(readings):
            if index not in found:
                try:
                    next(reading)
                except StopIteration as end:
                    found[index] = end.value
    return [found[index] for index in range(len(readings))]


def test_an_edit_of_one_rule_reads_one_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """And in a step there is never more than BYTES_PER_STEP of their text, but for the last of them."""
    rows_read = []
    read = restriction_rows.restriction_of_row

    def counted(row: Any, **others: Any) -> Any:
        rows_read.append(row["id"])
        return read(row, **others)

    monkeypatch.setattr(rulebook_json, "restriction_of_row", counted)
    rules = [restriction(f"R{n}", **B, number=n % 100, appliesToHour=n // 100, maxTotalCents=500) for n in range(1_000)]
    reader = RulebookReader()
    in_a_step = []
    for _ in reader.read(json.dumps(document(restrictions=rules))):
        in_a_step.append(len(rows_read))
        rows_read.clear()
    assert sum(in_a_step) + len(rows_read) == 1_000
    assert max(in_a_step) * len(json.dumps(rules[0])) <= BYTES_PER_STEP + len(json.dumps(rules[-1]))
    rows_read.clear()
    rules[500]["maxTotalCents"] = 600
    at_once(reader.read(json.dumps(document(version=2, restrictions=rules))))
    assert rows_read == ["R500"]
