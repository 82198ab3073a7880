"""Pricing must stay a look-up, however many rules are in force."""

import timeit

from core.domain.pricing import price
from tests.domain.domain_samples import (
    AT,
    BANCA,
    SELLER,
    VENTANA,
    X85,
    draw,
    numero,
    policy,
    restriction,
    rulebook,
    ticket,
)

# Measured: 25 µs. The bound leaves room for a busy machine, and none for looking through the rules once per ticket.
PRICED_WITHIN_S = 150e-6
SCOPES = ({"bancaId": str(BANCA)}, {"ventanaId": str(VENTANA)}, {"userId": str(SELLER)})


def test_a_ticket_under_thirty_rules_is_priced_in_microseconds() -> None:
    of_all = [restriction(f"a{n}", **SCOPES[n % 3], maxTotalCents=10**9 + n) for n in range(5)]
    of_others = [restriction(f"o{n}", **SCOPES[0], number=n, maxTotalCents=10**6) for n in range(40, 65)]
    book = rulebook(user=policy("5"), globalMaxPerNumberCents=10**7, restrictions=of_all + of_others)
    request, of, seller = (
        ticket(*(numero(n, multiplier_id=X85) for n in ("07", "15", "33"))),
        draw(),
        book.sellers[SELLER],
    )
    times = timeit.repeat(lambda: price(request, rulebook=book, draw=of, seller=seller, at=AT), number=500, repeat=7)
    assert min(times) / 500 < PRICED_WITHIN_S
