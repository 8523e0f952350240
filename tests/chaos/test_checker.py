"""The checker finds what is wrong, counts it once, and calls nothing wrong that is right."""

from dataclasses import asdict, replace

from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.ids import new_id
from tests.chaos.checker import Effect, Evidence, Figures, Request, Violations, judge

CITIES = ("440100", "440300", "110100")


def request(number: int, *, key: str = "k", origin: str = "440100") -> Request:
    return Request(new_id(), origin, "110100", key, number)


def effects_of(requests: list[Request]) -> list[Effect]:
    return [
        Effect(each.destination, position, each.id, each.origin, each.key, each.number)
        for position, each in enumerate(requests, 1)
    ]


def all_well(requests: list[Request]) -> Evidence:
    return Evidence(
        kept=frozenset(each.id for each in requests),
        effects=effects_of(requests),
        answers=[each.id for each in requests],
        pending=frozenset(),
    )


@st.composite
def histories(draw: st.DrawFn) -> list[Request]:
    """Requests in an order in which their effects may come: each origin and key counts up, all are mixed."""
    streams = draw(
        st.lists(
            st.tuples(st.sampled_from(CITIES), st.sampled_from("abc"), st.integers(1, 8)),
            min_size=1,
            unique_by=lambda stream: stream[:2],
        )
    )
    turns = draw(
        st.permutations([at for at, stream in enumerate(streams) for _ in range(stream[2])])
    )
    counted = [0] * len(streams)
    made = []
    for at in turns:
        origin, key, _ = streams[at]
        counted[at] += 1
        destination = draw(st.sampled_from([city for city in CITIES if city != origin]))
        made.append(Request(new_id(), origin, destination, key, counted[at]))
    return made


@given(histories())
def test_nothing_is_wrong_with_what_is_right(requests: list[Request]) -> None:
    assert judge(requests, all_well(requests)) == Violations()


@given(histories(), st.data())
def test_every_repetition_counts_and_nothing_else_does(
    requests: list[Request], data: st.DataObject
) -> None:
    well = all_well(requests)
    done, answered = list(well.effects), list(well.answers)
    doubled = data.draw(st.lists(st.sampled_from(done)))
    again = [replace(each, position=1000 + at) for at, each in enumerate(doubled)]
    answered_again = data.draw(st.lists(st.sampled_from(answered)))

    found = judge(
        requests, replace(well, effects=[*done, *again], answers=[*answered, *answered_again])
    )

    assert found == Violations(
        duplicate_effects=len(doubled), duplicate_answers=len(answered_again)
    )


@given(histories(), st.data())
def test_what_is_missing_is_lost_unless_a_node_still_has_it(
    requests: list[Request], data: st.DataObject
) -> None:
    well = all_well(requests)
    gone = data.draw(st.sets(st.sampled_from(requests)))
    what = data.draw(st.sampled_from(["kept", "effects", "answers"]))
    under_way = data.draw(st.sets(st.sampled_from(sorted(gone, key=str)))) if gone else set()
    ids = {each.id for each in gone}
    lacking = {
        "kept": replace(well, kept=well.kept - ids),
        "effects": replace(
            well, effects=[each for each in well.effects if each.request_id not in ids]
        ),
        "answers": replace(well, answers=[each for each in well.answers if each not in ids]),
    }[what]
    pending = frozenset(data.draw(st.sampled_from([r.id, r.answer_id])) for r in under_way)

    found = judge(requests, replace(lacking, pending=pending))

    assert found == Violations(lost=len(gone) - len(under_way), unfinished=len(under_way))


def test_an_effect_at_another_city_than_the_one_asked_is_none() -> None:
    asked = request(1)
    strayed = replace(effects_of([asked])[0], node="440300")

    assert judge([asked], replace(all_well([asked]), effects=[strayed])) == Violations(lost=1)


def test_an_effect_after_that_of_a_later_request_is_an_inversion() -> None:
    first, second, third = (request(number) for number in (1, 2, 3))
    well = all_well([first, second, third])

    assert judge([], replace(well, effects=effects_of([first, third, second]))).inversions == 1
    assert judge([], replace(well, effects=effects_of([third, first, second]))).inversions == 2


def test_order_is_owed_only_within_an_origin_and_key() -> None:
    mixed = [request(2, key="a"), request(1, key="b"), request(1, key="a", origin="440300")]

    assert judge(mixed, all_well(mixed)) == Violations()


def test_a_second_effect_of_an_old_request_is_a_duplicate_and_no_inversion() -> None:
    first, second = request(1), request(2)
    evidence = replace(all_well([first, second]), effects=effects_of([first, second, first]))

    assert judge([first, second], evidence) == Violations(duplicate_effects=1)


def test_what_was_never_accepted_is_not_missed_but_must_be_single() -> None:
    unheard = request(1)
    evidence = replace(all_well([unheard]), kept=frozenset(), answers=[])

    assert judge([], evidence) == Violations()
    twice = replace(evidence, effects=effects_of([unheard, unheard]))
    assert judge([], twice) == Violations(duplicate_effects=1)


def test_figures_have_to_be_known_above_as_their_city_tells_them() -> None:
    told = Figures("440100", "customer", "2026-10", 3, "c0ffee")
    everywhere = frozenset({("440000", told), ("000000", told)})
    evidence = replace(
        all_well([]),
        told=[told],
        known=everywhere,
        expected_at=frozenset({("440000", "440100"), ("000000", "440100")}),
    )

    assert judge([], evidence) == Violations()
    at_hq_older = everywhere - {("000000", told)} | {("000000", replace(told, revision=2))}
    behind = replace(evidence, known=at_hq_older)
    assert judge([], behind) == Violations(lost=1)
    assert judge([], replace(behind, pending_figures=frozenset({"440100"}))) == Violations(
        unfinished=1
    )
    forged = everywhere - {("000000", told)} | {("000000", replace(told, hash="beef"))}
    assert judge([], replace(evidence, known=forged)) == Violations(lost=1)


def test_any_count_but_zero_is_a_violation() -> None:
    assert not Violations()
    for name in asdict(Violations()):
        assert Violations(**{name: 1})


def test_receipts_that_cannot_be_verified_are_passed_on() -> None:
    assert judge([], replace(all_well([]), unverifiable_receipts=2)) == Violations(
        unverifiable_receipts=2
    )
