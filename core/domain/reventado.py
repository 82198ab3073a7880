"""What ties REVENTADO lines to the NUMERO lines of their ticket. Needs no rulebook: a form is judged by it too."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from core.domain.money import format_cents
from core.domain.rulebook import JugadaType
from core.domain.ticket import JugadaRequest
from core.domain.violations import Violation


def judge_reventados(jugadas: Sequence[JugadaRequest]) -> list[tuple[int, Violation]]:
    """(index of the jugada, violation), in no particular order.

    Numbers are compared as written: pricing refuses every width but the draw's, and inside one width equal numbers
    are equal texts.
    """
    found: list[tuple[int, Violation]] = []
    any_reventado = False
    for index, jugada in enumerate(jugadas):
        is_reventado = jugada.type is JugadaType.REVENTADO
        any_reventado = any_reventado or is_reventado
        link = jugada.reventado_number_text
        if link is not None and not (is_reventado and link == jugada.number_text):
            message = "reventadoNumber must be the REVENTADO line's own number"
            found.append((index, Violation("INVALID_REVENTADO_LINK", message, f"jugadas[{index}].reventadoNumber")))
    if any_reventado:
        found += _judge_amounts(jugadas)
    return found


def _judge_amounts(jugadas: Sequence[JugadaRequest]) -> Iterator[tuple[int, Violation]]:
    """Σ REVENTADO on a number ≤ Σ NUMERO on it, reported at the first line that goes beyond it."""
    numero: dict[str, int] = defaultdict(int)
    for jugada in jugadas:
        if jugada.type is JugadaType.NUMERO:
            numero[jugada.number_text] += jugada.amount_cents
    reventado: dict[str, int] = defaultdict(int)
    for index, jugada in enumerate(jugadas):
        if jugada.type is JugadaType.NUMERO:
            continue
        number = jugada.number_text
        if number not in numero:
            message = "a REVENTADO needs a NUMERO on the same number in its ticket"
            yield index, Violation("REVENTADO_MATCH_REQUIRED", message, f"jugadas[{index}].number")
            continue
        before = reventado[number]
        reventado[number] += jugada.amount_cents
        if before <= numero[number] < reventado[number]:
            message = "the REVENTADO bets on a number must not exceed its NUMERO bets"
            limit = {"numeroAmount": format_cents(numero[number])}
            yield index, Violation("REVENTADO_EXCEEDS_NUMERO", message, f"jugadas[{index}].amount", limit)
