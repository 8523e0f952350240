"""Which versions are in force: by dates and numbers alone, inside the bounds, whatever order they came in."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.language import Language
from shared.policy.bounds import differences
from shared.policy.declaration import Bound
from shared.policy.reading import written
from shared.policy.resolution import Resolution, Version, resolve
from tests.policy.thresholds import DEFAULT, THRESHOLDS, Thresholds, gold, national

HQ, PROVINCE, CITY, ELSEWHERE = "000000", "440000", "440300", "440100"
LINE = (HQ, PROVINCE, CITY)
DAY = date(2026, 12, 1)
NOON = datetime(2026, 11, 23, 4, tzinfo=UTC)


def version(
    publisher: str,
    number: int,
    document: Any,
    *,
    day: int = 0,
    bounds: tuple[Bound, ...] | None = None,
    withdrawn: bool = False,
    minute: int | None = None,
) -> Version:
    """Return a version that takes effect so many days after the first."""
    at = NOON + timedelta(minutes=number if minute is None else minute)
    return Version(
        publisher,
        number,
        f"{publisher}/{number}/{at}",
        DAY + timedelta(days=day),
        document,
        bounds,
        at,
        "li.wei",
        at if withdrawn else None,
    )


def in_force(*versions: Version, day: int = 0) -> Resolution[Thresholds]:
    return resolve(THRESHOLDS, LINE, versions, DAY + timedelta(days=day))


def test_without_any_version_the_default_that_ships_is_in_force() -> None:
    found = in_force()
    assert (found.reference, found.effective_from) == ("thresholds default", date.min)
    assert found.document == THRESHOLDS.default


def test_the_greatest_effective_date_that_has_come_counts_and_of_equal_ones_the_last() -> None:
    known = (
        version(HQ, 1, national(window_months=1)),
        version(HQ, 2, national(window_months=2), day=10),
        version(HQ, 3, national(window_months=3), day=5),
        version(HQ, 4, national(window_months=4), day=5),
    )
    by_day = {
        day: in_force(*known, day=day).document.window_months for day in (-1, 0, 4, 5, 9, 10, 99)
    }
    assert by_day == {-1: 6, 0: 1, 4: 1, 5: 4, 9: 4, 10: 2, 99: 2}


def test_a_province_overrides_the_nation_and_a_city_its_province() -> None:
    found = in_force(
        version(HQ, 1, national(window_months=12)),
        version(PROVINCE, 1, {"gold": {"from_fen": 60_000}, "silver": {"from_fen": 25_000}}),
        version(CITY, 2, gold(55_000)),
        version(ELSEWHERE, 1, gold(99_000)),
        day=3,
    )
    assert found.reference == "thresholds 1 + 440000:1 + 440300:2"
    assert found.document.gold.from_fen == 55_000
    assert found.document.silver.from_fen == 25_000
    assert (found.document.window_months, found.effective_from) == (12, DAY)


def test_a_withdrawn_version_is_as_if_it_had_never_been() -> None:
    found = in_force(
        version(HQ, 1, national(window_months=1)),
        version(HQ, 2, national(window_months=2), withdrawn=True),
    )
    assert found.reference == "thresholds 1"


def test_of_two_under_one_number_the_one_that_was_published_first_counts() -> None:
    first = version(HQ, 1, national(window_months=1), minute=1)
    second = version(HQ, 1, national(window_months=2), minute=2)
    assert in_force(first, second) == in_force(second, first) == in_force(first)


def test_an_override_is_set_aside_while_the_bounds_do_not_allow_it_and_holds_again_after() -> None:
    narrow = (Bound("/gold/from_fen", minimum=65_000),)
    known = (
        version(HQ, 1, national()),
        version(HQ, 2, national(), day=10, bounds=narrow),
        version(HQ, 3, national(), day=20, bounds=THRESHOLDS.bounds),
        version(PROVINCE, 1, {"silver": {"from_fen": 25_000}}),
        version(CITY, 1, gold(60_000)),
    )
    assert in_force(*known).reference == "thresholds 1 + 440000:1 + 440300:1"
    aside = in_force(*known, day=10)
    assert aside.reference == "thresholds 2"
    assert written(aside.document) == DEFAULT
    faults = {layer.publisher: layer.faults for layer in aside.layers if not layer.holds}
    assert [fault.pointer for fault in faults[PROVINCE]] == ["/silver/from_fen"]
    (fault,) = faults[CITY]
    assert fault.pointer == "/gold/from_fen"
    assert fault.speak(Language.ENGLISH) == "must be at least 65000, given is 60000"
    assert fault.speak(Language.CHINESE) == "不得小于 65000，所填为 60000"
    assert in_force(*known, day=20).reference == "thresholds 3 + 440000:1 + 440300:1"


def test_an_override_that_no_longer_fits_the_form_is_set_aside() -> None:
    found = in_force(version(CITY, 1, {"gone": 1}), version(PROVINCE, 1, gold(60_000)))
    assert found.reference == "thresholds default + 440000:1"
    (layer,) = (layer for layer in found.layers if not layer.holds)
    assert (layer.publisher, layer.is_malformed, layer.faults[0].pointer) == (CITY, True, "/gone")


def test_the_rule_between_fields_is_checked_after_the_merge() -> None:
    found = in_force(
        version(PROVINCE, 1, {"silver": {"from_fen": 60_000}}), version(CITY, 1, gold(55_000))
    )
    assert found.reference == "thresholds default + 440000:1"
    assert found.layers[-1].faults[0].pointer == "/silver/from_fen"


def test_a_national_version_that_this_program_cannot_read_leaves_the_one_before_in_force() -> None:
    found = in_force(
        version(HQ, 1, national(window_months=1)),
        version(HQ, 2, {**DEFAULT, "platinum": {}}, day=1),
        day=5,
    )
    assert found.reference == "thresholds 1"
    assert [(layer.publisher, layer.holds) for layer in found.layers] == [(HQ, True), (HQ, False)]


@pytest.mark.parametrize(
    ("patch", "pointers"),
    [
        ({"campaigns": [{"name": "spring", "permille": 2_000}]}, []),
        ({"campaigns": [{"name": "spring", "permille": 3_001}]}, ["/campaigns/0/permille"]),
        ({"mode": "median"}, []),
        ({"mode": "last"}, ["/mode"]),
        ({"window_months": 6}, []),
        ({"window_months": 7}, ["/window_months"]),
        ({"gold": {"name": "Gold"}}, ["/gold/name"]),
        (gold(49_999), ["/gold/from_fen"]),
        (gold(100_001), ["/gold/from_fen"]),
        (gold(50_000), []),
        (gold(100_000), []),
    ],
)
def test_what_bounds_allow(patch: dict[str, Any], pointers: list[str]) -> None:
    (_, layer) = in_force(version(CITY, 1, patch)).layers
    assert [fault.pointer for fault in layer.faults] == pointers


def test_items_may_be_removed_only_where_a_bound_without_limits_covers_them() -> None:
    spring = [{"name": "spring", "permille": 1_500}]
    fixed = version(
        HQ, 1, national(campaigns=spring), bounds=(Bound("/campaigns/*/permille", 1_000, 2_000),)
    )
    dearer = version(CITY, 1, {"campaigns": [{"name": "spring", "permille": 1_800}]})
    none = version(CITY, 2, {"campaigns": []})
    assert in_force(fixed, dearer).reference == "thresholds 1 + 440300:1"
    aside = in_force(fixed, none)
    assert aside.reference == "thresholds 1"
    assert aside.layers[-1].faults[0].pointer == "/campaigns/0"


# Properties

fen = st.integers(0, 150_000)
campaigns = st.lists(
    st.fixed_dictionaries({"name": st.sampled_from("ab"), "permille": st.integers(0, 5_000)}),
    max_size=3,
)
junk = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "a", "name", "from_fen"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["", "a", "name", "from_fen"]), inner)
    ),
    max_leaves=4,
)
patches = st.fixed_dictionaries(
    {},
    optional={
        "gold": st.fixed_dictionaries({}, optional={"from_fen": fen, "name": st.just("g")}) | junk,
        "silver": st.fixed_dictionaries({}, optional={"from_fen": fen}) | junk,
        "window_months": st.integers(0, 30) | junk,
        "mode": st.sampled_from(["mean", "median", "last", "x"]),
        "campaigns": campaigns | junk,
        "other": junk,
    },
)
documents = st.builds(
    lambda low, step, months, given: national(
        silver={"from_fen": low, "name": "silver"},
        gold={"from_fen": low + step, "name": "gold"},
        window_months=months,
        campaigns=given,
    ),
    st.integers(0, 70_000),
    st.integers(1, 70_000),
    st.integers(1, 24),
    campaigns,
)


def is_within_bounds(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Tell by hand, for the bounds of this one kind, whether a document keeps to them."""

    def moved(part: str, low: int, high: int) -> bool:
        one: int = before[part]["from_fen"]
        other: int = after[part]["from_fen"]
        return one == other or low <= other <= high

    old = {index: each["permille"] for index, each in enumerate(before["campaigns"])}
    return (
        moved("gold", 50_000, 100_000)
        and moved("silver", 20_000, 60_000)
        and before["gold"]["name"] == after["gold"]["name"]
        and before["silver"]["name"] == after["silver"]["name"]
        and before["window_months"] == after["window_months"]
        and (before["mode"] == after["mode"] or after["mode"] in {"mean", "median"})
        and all(
            each["permille"] <= 3_000 or old.get(index) == each["permille"]
            for index, each in enumerate(after["campaigns"])
        )
    )


@given(documents, patches, patches)
def test_overrides_never_leave_their_bounds(
    document: dict[str, Any], above: dict[str, Any], below: dict[str, Any]
) -> None:
    found = in_force(version(HQ, 1, document), version(PROVINCE, 1, above), version(CITY, 1, below))
    assert is_within_bounds(document, written(found.document))
    assert found.document.silver.from_fen < found.document.gold.from_fen


@given(documents, patches)
def test_an_override_is_set_aside_only_if_it_must_be(
    document: dict[str, Any], patch: dict[str, Any]
) -> None:
    found = in_force(version(HQ, 1, document), version(CITY, 1, patch))
    layer = found.layers[-1]
    if layer.holds or layer.is_malformed:
        return
    alone = resolve(
        THRESHOLDS,
        LINE,
        [version(HQ, 1, document, bounds=(Bound(""),)), version(CITY, 1, patch)],
        DAY,
    )
    assert alone.layers[-1].holds
    assert not is_within_bounds(document, written(alone.document))


known_versions = st.lists(
    st.builds(
        version,
        st.sampled_from(LINE),
        st.integers(1, 4),
        documents | patches,
        day=st.integers(0, 5),
        withdrawn=st.booleans(),
        minute=st.integers(0, 3),
    ),
    max_size=8,
    unique_by=lambda each: each.digest,
)


@given(known_versions, st.data())
def test_the_order_in_which_versions_came_and_how_often_makes_no_difference(
    versions: list[Version], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(versions + versions[:2]))
    for day in range(6):
        assert in_force(*shuffled, day=day) == in_force(*versions, day=day)


@given(documents, documents)
def test_two_documents_differ_exactly_if_a_difference_is_found(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    found = list(differences(before, after))
    assert bool(found) == (before != after)
    assert len({each.pointer for each in found}) == len(found)
