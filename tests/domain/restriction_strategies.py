"""Random restrictions, tickets and counters: few numbers and few amounts, so that limits are met."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from core.domain.ticket import ALL_JUGADAS, REVENTADO_KEY, WHOLE_SALES, JugadaRequest
from tests.domain.domain_samples import BANCA, SELLER, VENTANA, X85, X90, numero, policy, restriction, reventado
from tests.domain.restriction_samples import OTHER, PAIR, PAIR_REVENTADO, B, U, V

AMOUNTS = st.none() | st.sampled_from([100, 250, 500, 900])
SCOPES = st.sampled_from([{}, B, V, U, {"ventanaId": OTHER}, {"userId": OTHER}])
AUTO_DATES: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        *({"isAutoDate": False}, {"isAutoDate": False}, {"isAutoDate": True}),
        *({"isAutoDate": True, "autoDateOf": day} for day in ("SALE", "SORTEO")),
    ]
)
# Of the draw: the sample sale's own day, and the next.
DRAWN_ON = st.sampled_from([date(2026, 1, 15), date(2026, 1, 16)])
PAIRS = st.sampled_from([{}, {}, PAIR, PAIR_REVENTADO])


@st.composite
def rules(draw_value: st.DrawFn) -> dict[str, Any]:
    return restriction(
        str(draw_value(st.uuids())),
        **draw_value(SCOPES),
        **draw_value(PAIRS),
        number=draw_value(st.sampled_from([None, None, 7, 15])),
        **draw_value(AUTO_DATES),
        maxAmountCents=draw_value(AMOUNTS),
        maxTotalCents=draw_value(AMOUNTS),
        baseAmountCents=draw_value(AMOUNTS),
        salesBasisPoints=draw_value(st.sampled_from([None, 1_000, 5_000])),
        appliesToVendedor=draw_value(st.booleans()),
        appliesToDate=draw_value(st.sampled_from([None, None, "2026-01-15", "2026-01-16"])),
        appliesToHour=draw_value(st.sampled_from([None, None, 12, 13])),
    )


RULES = st.lists(rules(), max_size=6)
LINES = st.lists(
    st.tuples(
        st.sampled_from(["07", "15", "16"]),
        st.sampled_from([50, 100, 250, 400]),
        st.sampled_from([X85, X90]),
        st.sampled_from([0, 0, 50]),
    ),
    min_size=1,
    max_size=4,
)
COUNTERS = st.dictionaries(
    st.sampled_from(
        [
            (scope, scope_id, key, number)
            for scope, scope_id in (("BANCA", BANCA), ("VENTANA", VENTANA), ("VENDEDOR", SELLER))
            for key, number in ((ALL_JUGADAS, 7), (ALL_JUGADAS, 15), (ALL_JUGADAS, WHOLE_SALES), (X85, 7), (REVENTADO_KEY, 7))
        ]
    ),
    st.sampled_from([100, 300, 2_000]),
)  # fmt: skip


def jugadas_of(lines: Sequence[tuple[str, int, UUID, int]]) -> list[JugadaRequest]:
    made: list[JugadaRequest] = []
    for number, cents, multiplier_id, extra in lines:
        made.append(numero(number, f"{cents // 100}.{cents % 100:02d}", multiplier_id=multiplier_id))
        if extra:
            made.append(reventado(number, f"0.{extra}"))
    return made


HOURS = st.dictionaries(st.integers(0, 6), st.sampled_from([(480, 1170), (0, 600), (720, 1439)]))
POLICIES = st.sampled_from(
    [None, policy("5", effectiveFrom="2026-01-15T12:30"), policy("7", effectiveTo="2026-01-16T09:00"), policy("9")]
)
DAY_NAMES = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
CUTOFFS = st.lists(
    st.builds(
        lambda scope, minutes, hour, day, key: restriction(
            str(key), **scope, salesCutoffMinutes=minutes, appliesToHour=hour, appliesToDate=day
        ),
        st.sampled_from([B, V, U]),
        st.integers(0, 30),
        st.sampled_from([None, 12, 14]),
        st.sampled_from([None, "2026-01-15", "2026-01-16"]),
        st.uuids(),
    ),
    max_size=3,
)


@st.composite
def book_parts(draw_value: st.DrawFn) -> dict[str, Any]:
    hours = draw_value(HOURS)
    times = {
        DAY_NAMES[day]: {"start": f"{a // 60:02d}:{a % 60:02d}", "end": f"{b // 60:02d}:{b % 60:02d}"}
        for day, (a, b) in hours.items()
    }
    return {
        "rules": {"salesHours": times},
        "user": draw_value(POLICIES),
        "listero": draw_value(POLICIES),
        "restrictions": draw_value(RULES) + draw_value(CUTOFFS),
    }
