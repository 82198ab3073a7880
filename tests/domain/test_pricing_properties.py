"""Random tickets and rulebooks: the sums agree, and no violation hides another."""

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from core.domain.pricing import Refusal
from core.domain.rulebook import Rulebook
from core.domain.ticket import JugadaRequest
from tests.domain.domain_samples import (
    INACTIVE,
    UNKNOWN,
    X80,
    X85,
    X90,
    judged,
    numero,
    policy,
    priced,
    reventado,
    rulebook,
)

GOOD = st.builds(
    numero,
    st.sampled_from(["00", "07", "15", "99"]),
    st.integers(1, 100_000).map(str),
    multiplier_id=st.sampled_from([None, X80, X85, X90]),
)
PERCENTS = st.integers(0, 10_000).map(lambda bp: f"{bp // 100}.{bp % 100:02d}")
POLICIES = st.none() | st.builds(policy, PERCENTS)
BOOKS = st.builds(
    rulebook,
    user=POLICIES,
    ventana=POLICIES,
    listero=POLICIES,
    banca=POLICIES,
    globalMaxPerNumberCents=st.none() | st.integers(0, 10**9),
)


@given(BOOKS, st.lists(GOOD, min_size=1, max_size=8), st.booleans())
def test_sums_are_those_of_the_lines_and_nobody_earns_more_than_is_bet(
    book: Rulebook, jugadas: list[JugadaRequest], doubled: bool
) -> None:
    extra = [reventado(jugadas[0].number_text, "1")] if doubled else []
    sold = priced(book, *jugadas, *extra)
    lines = sold.jugadas
    assert [line.line for line in lines] == list(range(1, len(lines) + 1))
    assert sold.total_cents == sum(j.amount_cents for j in lines) > 0
    assert sold.commission_cents == sum(j.commission_cents for j in lines)
    assert sold.listero_commission_cents == sum(j.listero_commission_cents for j in lines)
    assert 0 <= sold.seller_credit_cents <= sold.commission_cents <= sold.total_cents
    assert 0 <= sold.listero_commission_cents <= sold.total_cents
    assert sold.seller_credit_cents in (0, sold.commission_cents)
    on_number = Counter[int]()
    for jugada in lines:
        on_number[jugada.number] += jugada.amount_cents
    if book.global_max_per_number_cents is None:
        assert sold.limits == ()
    else:
        assert [(fact.number, fact.amount_cents) for fact in sold.limits] == sorted(on_number.items())


BAD = {
    "NUMBER_WIDTH_INVALID": numero("7"),
    "NUMBER_INVALID": numero("ab"),
    "INVALID_MULTIPLIER": numero("07", multiplier_id=UNKNOWN),
    "INACTIVE_MULTIPLIER": numero("07", multiplier_id=INACTIVE),
    "REVENTADO_MATCH_REQUIRED": reventado("88"),
    "BET_MAX_VIOLATION": numero("07", "200000"),
}


@given(st.lists(GOOD.map(lambda jugada: (None, jugada)) | st.sampled_from(sorted(BAD.items())), min_size=1, max_size=8))
def test_no_violation_hides_another(lines: Any) -> None:
    wrong = [(code, index) for index, (code, _) in enumerate(lines) if code]
    result = judged(rulebook(rules={"maxBetAmount": 100_000}), *(jugada for _, jugada in lines))
    found = result.violations if isinstance(result, Refusal) else ()
    assert [(v.code, int((v.field or "")[8])) for v in found] == wrong
