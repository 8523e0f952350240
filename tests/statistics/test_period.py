"""Months and days, half-open, in Chinese time."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.statistics.period import Period, PeriodInvalid, PeriodKind

days = st.dates(date(1970, 1, 1), date(2999, 12, 30))
kinds = st.sampled_from(list(PeriodKind))


def period_with(kind: PeriodKind, day: date) -> Period:
    return Period.parse(f"{day:%Y-%m-%d}"[: 7 if kind is PeriodKind.MONTH else 10])


def test_a_month_and_a_day_have_half_open_bounds() -> None:
    month, day = Period.parse("2024-02"), Period.parse("2024-02-29")

    assert (month.kind, month.start, month.end) == (
        PeriodKind.MONTH,
        date(2024, 2, 1),
        date(2024, 3, 1),
    )
    assert (day.kind, day.start, day.end) == (
        PeriodKind.DAY,
        date(2024, 2, 29),
        date(2024, 3, 1),
    )


@given(kinds, days)
def test_a_period_is_read_as_it_is_written_and_its_neighbours_touch_it(
    kind: PeriodKind, day: date
) -> None:
    period = period_with(kind, day)

    assert Period.parse(str(period)) == period
    assert period.start <= day < period.end
    assert period.next.start == period.end
    assert period.next.previous == period
    assert period < period.next
    assert (period.end - period.start).days in ({1} if kind is PeriodKind.DAY else {28, 29, 30, 31})


@pytest.mark.parametrize(
    "text",
    [
        *("", "2026", "2026-13", "2026-00", "2026-1", "2026-1-1", "26-11", "2026-02-29"),
        *("2026-11-31", " 2026-1", "2026-11 ", "2026/11", "二〇二六-11", "1969-12", "3000-01"),
        "2026-11" * 1000,
    ],
)
def test_anything_else_is_refused_and_pointed_at(text: str) -> None:
    with pytest.raises(PeriodInvalid) as refused:
        Period.parse(text, "query:from")

    assert refused.value.faults[0].pointer == "query:from"
    assert text[:10] in str(refused.value)
    assert len(str(refused.value)) < 200


def test_the_business_day_begins_at_midnight_in_china() -> None:
    last_second = datetime(2026, 11, 30, 15, 59, 59, tzinfo=UTC)

    assert str(Period.at(last_second)) == "2026-11"
    assert str(Period.at(last_second, PeriodKind.DAY)) == "2026-11-30"
    assert str(Period.at(last_second + timedelta(seconds=1))) == "2026-12"


def test_periods_are_sorted_by_when_they_begin() -> None:
    texts = ["2026-09", "2026-09-01", "2026-09-30", "2026-10", "2027-01"]

    assert [str(each) for each in sorted(map(Period.parse, reversed(texts)))] == [
        *("2026-09-01", "2026-09", "2026-09-30", "2026-10", "2027-01"),
    ]
