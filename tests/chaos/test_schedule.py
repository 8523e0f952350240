"""The seed decides every fault; all kinds come, and none befalls what another has already broken."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.schedule import PARENTS, Fault, Kind, schedule

SEEDS = st.integers(0, 2**31)
LENGTHS = st.sampled_from([14.0, 24.0, 60.0, 600.0])


@given(SEEDS, LENGTHS)
def test_a_seed_gives_the_same_faults_again(seed: int, seconds: float) -> None:
    assert schedule(seed, seconds) == schedule(seed, seconds)


def test_another_seed_gives_others() -> None:
    assert schedule(1, 60) != schedule(2, 60)


@given(SEEDS, LENGTHS)
def test_every_kind_comes_and_comes_about_as_often(seed: int, seconds: float) -> None:
    counts = [sum(fault.kind is kind for fault in schedule(seed, seconds)) for kind in Kind]

    assert min(counts) >= 1
    assert max(counts) - min(counts) <= 1


@given(SEEDS, LENGTHS)
def test_faults_befall_nodes_or_links_that_there_are_and_come_in_order(
    seed: int, seconds: float
) -> None:
    faults = schedule(seed, seconds)

    assert [fault.at for fault in faults] == sorted(fault.at for fault in faults)
    for fault in faults:
        assert fault.target in fault.kind.targets
        assert not fault.kind.is_of_link or PARENTS[fault.target] is not None
        assert fault.lasts > 0
        assert 0 <= fault.backup_at < fault.at


@given(SEEDS, LENGTHS)
def test_no_two_faults_break_the_same_at_the_same_time(seed: int, seconds: float) -> None:
    for one, other in combinations(schedule(seed, seconds), 2):
        if set(one.needs) & set(other.needs):
            assert one.at + one.lasts <= other.at


def test_a_node_that_is_to_be_restored_keeps_its_way_up_till_then() -> None:
    city = Fault(10.0, Kind.RESTORED, "440300", 2.0, 0.5)
    hq = Fault(10.0, Kind.RESTORED, "000000", 2.0, 0.5)

    assert city.needs == ("link 440300", "node 440300", "node 440000")
    assert "node 000000" in hq.needs


@given(SEEDS)
def test_only_the_kinds_that_are_named_come(seed: int) -> None:
    kinds = (Kind.ACKS_LOST, Kind.RESTORED)

    assert {fault.kind for fault in schedule(seed, 30.0, kinds)} == set(kinds)
