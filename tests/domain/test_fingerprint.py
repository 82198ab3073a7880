import hashlib
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from core.domain.fingerprint import fingerprint
from core.domain.money import JsonNumber, format_cents, parse_amount
from core.domain.rulebook import JugadaType
from core.domain.ticket import JugadaRequest, TicketRequest
from tests.domain.domain_samples import SELLER, X85, X90, numero, reventado, ticket

UUIDS = st.uuids() | st.sampled_from([UUID(int=0), UUID(int=1)])
AMOUNTS = st.integers(1, 10**7).map(lambda cents: parse_amount(format_cents(cents)))
TEXTS = st.sampled_from(["07", "7", "", "-", "|", ":", "1.", "2.07", "07:", "é", "07|NUMERO:2.07"]) | st.text(
    max_size=5
)
JUGADAS = st.builds(JugadaRequest, st.sampled_from(JugadaType), TEXTS, st.none() | TEXTS, AMOUNTS, st.none() | UUIDS)
REQUESTS = st.builds(
    TicketRequest, UUIDS, st.none() | UUIDS, st.none() | UUIDS, TEXTS, st.lists(JUGADAS, max_size=4).map(tuple)
)


@given(REQUESTS, REQUESTS)
def test_two_tickets_share_a_fingerprint_only_when_they_are_equal(one: TicketRequest, other: TicketRequest) -> None:
    assert (fingerprint(one) == fingerprint(other)) is (one == other)


@given(REQUESTS)
def test_equal_tickets_share_it_however_they_came_about(request: TicketRequest) -> None:
    again = replace(
        request,
        sorteo_id=UUID(str(request.sorteo_id).upper()),
        jugadas=tuple(replace(jugada) for jugada in request.jugadas),
    )
    assert fingerprint(request) == fingerprint(again)
    assert len(fingerprint(request)) == 32


def test_the_spelling_of_an_amount_does_not_matter() -> None:
    spellings = ["1", "1.0", "1.00", 1, JsonNumber("1.0")]
    prints = {fingerprint(ticket(replace(numero("07"), amount_cents=parse_amount(spelling)))) for spelling in spellings}
    assert len(prints) == 1


def test_everything_that_was_asked_for_matters() -> None:
    first = ticket(numero("07", "500", multiplier_id=X90), numero("15", "500"))
    others = [
        replace(first, sorteo_id=UUID(int=42)),
        replace(first, loteria_id=None),
        replace(first, vendedor_id=SELLER),
        replace(first, cliente_nombre="Ana"),
        replace(first, jugadas=first.jugadas[::-1]),
        replace(first, jugadas=first.jugadas[:1]),
        replace(first, jugadas=first.jugadas * 2),
        ticket(numero("07", "500.01", multiplier_id=X90), numero("15", "500")),
        ticket(numero("07", "500", multiplier_id=X85), numero("15", "500")),
        ticket(numero("07", "500", multiplier_id=X90), reventado("15", "500")),
        ticket(numero("07", "500", multiplier_id=X90), reventado("15", "500", link="15")),
    ]
    assert len({fingerprint(each) for each in [first, *others]}) == len(others) + 1


def test_it_never_changes_between_releases() -> None:
    """Keys are kept for days: a fingerprint that a release changes would refuse honest retries."""
    request = ticket(numero("07", "500", multiplier_id=X90), reventado("07", "200", link="07"))
    canonical = b"ticket/1|29|b|-|15.CLIENTE CONTADO|NUMERO:2.07:-:50000:be|REVENTADO:2.07:2.07:20000:-"
    assert fingerprint(request) == hashlib.sha256(canonical).digest()
