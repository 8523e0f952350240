"""Netting: what it pays settles what is owed, whatever the amounts and in whatever order they come."""

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.clearing.netting import DoesNotBalance, Transfer, net

CODES = st.sampled_from([f"{province}0000" for province in range(11, 44)])
OWED = st.dictionaries(CODES, st.integers(-(10**12), 10**12), max_size=20).map(
    lambda owed: {**owed, "000000": -sum(owed.values())}
)

quick = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The amounts are made in no time; what may be slow is whatever else the machine does."""


@quick
@given(owed=OWED)
def test_the_transfers_settle_everything(owed: dict[str, int]) -> None:
    left = Counter(owed)
    for transfer in net(owed):
        assert transfer.amount_fen > 0
        left[transfer.payer] -= transfer.amount_fen
        left[transfer.payee] += transfer.amount_fen
    assert set(left.values()) <= {0}


@quick
@given(owed=OWED)
def test_there_are_fewer_transfers_than_participants_and_nobody_is_on_both_sides(
    owed: dict[str, int],
) -> None:
    transfers = net(owed)
    involved = sum(fen != 0 for fen in owed.values())
    assert len(transfers) <= max(involved - 1, 0)
    assert not {each.payer for each in transfers} & {each.payee for each in transfers}


@quick
@given(owed=OWED, data=st.data())
def test_the_order_makes_no_difference(owed: dict[str, int], data: st.DataObject) -> None:
    shuffled = dict(data.draw(st.permutations(list(owed.items()))))
    assert net(shuffled) == net(owed)


def test_what_does_not_balance_is_refused() -> None:
    with pytest.raises(DoesNotBalance, match="adds up to 1 fen"):
        net({"440000": 3, "110000": -2})


def test_an_example() -> None:
    owed = {"440000": 70, "110000": -100, "310000": 50, "000000": -20}
    assert net(owed) == [
        Transfer("440000", "110000", 70),
        Transfer("310000", "110000", 30),
        Transfer("310000", "000000", 20),
    ]
