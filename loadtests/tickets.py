"""What customers ask for: 1–5 jugadas, 3 on average, numbers uniform over 100, now and then a REVENTADO on one."""

from __future__ import annotations

import random
from typing import Any

NUMBERS = 100
JUGADAS_MAX = 5
# In hundreds of colones, as customers play.
STAKE_HUNDREDS_MAX = 50
REVENTADO_ODDS = 0.1


def ticket_for(sorteo_id: str, multiplier_id: str, chance: random.Random) -> dict[str, Any]:
    """The body of POST /api/v1/tickets."""
    numbers = chance.sample(range(NUMBERS), chance.randint(1, JUGADAS_MAX))
    jugadas = [numero(number, multiplier_id, chance) for number in numbers]
    if chance.random() < REVENTADO_ODDS:
        [first, *_] = jugadas
        # As much as the NUMERO, which is the most that is allowed.
        same = {name: first[name] for name in ("number", "amount")}
        jugadas.append({"type": "REVENTADO", "reventadoNumber": first["number"], **same})
    return {"sorteoId": sorteo_id, "jugadas": jugadas}


def numero(number: int, multiplier_id: str, chance: random.Random) -> dict[str, Any]:
    return {
        "type": "NUMERO",
        "number": f"{number:02d}",
        "amount": f"{chance.randint(1, STAKE_HUNDREDS_MAX) * 100}.00",
        "multiplierId": multiplier_id,
    }
