"""Receipt numbers: a slip of the pen is noticed."""

from datetime import UTC, datetime
from uuid import UUID

from hypothesis import assume, given
from hypothesis import strategies as st

from services.city_node.payment.receipt import city_of, is_well_formed, receipt_number

MOMENTS = st.integers(1_577_836_800, 4_070_908_800).map(lambda at: datetime.fromtimestamp(at, UTC))
NUMBERS = st.builds(receipt_number, st.just("440300"), st.uuids(), MOMENTS)


@given(number=NUMBERS)
def test_what_is_given_is_well_formed(number: str) -> None:
    assert is_well_formed(number)
    assert city_of(number) == "440300"


@given(number=NUMBERS, place=st.integers(0, 23), digit=st.sampled_from("0123456789"))
def test_one_wrong_digit_is_noticed(number: str, place: int, digit: str) -> None:
    assume(number[place] != digit)
    assert not is_well_formed(number[:place] + digit + number[place + 1 :])


@given(number=NUMBERS, place=st.integers(0, 22))
def test_two_exchanged_digits_are_noticed(number: str, place: int) -> None:
    assume(number[place] != number[place + 1])
    exchanged = number[:place] + number[place + 1] + number[place] + number[place + 2 :]
    assert not is_well_formed(exchanged)


def test_an_example() -> None:
    late = datetime(2026, 11, 23, 16, 30, tzinfo=UTC)
    number = receipt_number("440300", UUID(int=42), late)
    assert number.startswith("4403002611240000000042"), "the business day has begun"
    assert not is_well_formed("")
    assert not is_well_formed("x" * 24)
