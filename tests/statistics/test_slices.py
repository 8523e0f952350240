"""A slice has one form, so that equal figures have equal hashes and nothing can be changed unseen."""

import hashlib
import random
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.statistics.period import Period, PeriodInvalid
from shared.statistics.schemas import SliceMessage
from shared.statistics.slices import Content, Slice, SliceInvalid
from tests.statistics.slices_by_hand import (
    COMPUTED,
    GOLD_MAN,
    GOLD_WOMAN,
    STANDARD_MAN,
    content,
    slice_of,
)

CELLS = {
    GOLD_MAN: {"customers": 2, "highest_monthly_charge_fen": 0, "tenure_months": 2**40},
    GOLD_WOMAN: {"customers": 3, "lost_customers": 1},
}

values = st.one_of(st.none(), st.integers(-(2**55), 2**55))
cells = st.dictionaries(
    st.tuples(st.sampled_from("ab"), st.text(max_size=3)), st.tuples(values, values, values)
)


def made_of(
    given_cells: Any, dimensions: Any = ("x", "y"), measures: Any = ("l", "m", "n")
) -> Content:
    return Content.of(
        "sales",
        "440300",
        Period.parse("2026-11"),
        dimensions=dimensions,
        measures=measures,
        cells=given_cells,
    )


@given(cells, st.randoms(use_true_random=False))
def test_the_order_in_which_it_was_computed_does_not_matter(
    drawn: dict[tuple[str, str], tuple[int | None, ...]], shuffle: random.Random
) -> None:
    rows = list(drawn.items())
    shuffle.shuffle(rows)
    turned = [((key[1], key[0]), (row[2], row[0], row[1])) for key, row in rows]

    straight = made_of(drawn.items())
    assert made_of(turned, ("y", "x"), ("n", "l", "m")) == straight
    assert straight.row_count == sum(any(v is not None for v in row) for row in drawn.values())
    assert straight.control_totals == {
        code: sum(row[at] or 0 for row in drawn.values()) for at, code in enumerate("lmn")
    }


@given(cells, st.data())
def test_another_value_is_another_hash(
    drawn: dict[tuple[str, str], tuple[int | None, ...]], data: st.DataObject
) -> None:
    key = data.draw(st.tuples(st.sampled_from("ab"), st.text(max_size=3)))
    row = data.draw(st.tuples(values, values, values))

    before = made_of(drawn.items())
    after = made_of({**drawn, key: row}.items())
    same = drawn.get(key, (None,) * 3) == row
    assert (before.hash == after.hash) is same


def test_the_hash_tells_whose_figures_they_are_and_of_when() -> None:
    hashes = {
        content("440300", CELLS).hash,
        content("440100", CELLS).hash,
        content("440300", CELLS, period="2026-10").hash,
        content("440300", CELLS, period="2026-11-01").hash,
        content("440300", {}).hash,
        content("440300", {}, dataset="revenue").hash,
    }

    assert len(hashes) == 6


def test_the_hash_is_that_of_plain_json_which_any_program_can_write() -> None:
    made = made_of([(("a", "二"), (1, None, -3)), (("a", "1"), (None, 0, None))])
    plain = (
        '{"cells":[[["a","1"],[null,0,null]],[["a","二"],[1,null,-3]]],"dataset":"sales",'
        '"dimensions":["x","y"],"measures":["l","m","n"],"node":"440300","period":"2026-11"}'
    )

    assert made.hash == hashlib.sha256(plain.encode()).hexdigest()


def test_it_goes_over_the_wire_and_back() -> None:
    for sent in (slice_of("440300", CELLS, revision=3), slice_of("440300", {})):
        read = SliceMessage.read(orjson.loads(orjson.dumps(SliceMessage.of(sent)))).verified()

        assert read == sent


def test_a_receiver_needs_no_catalogue() -> None:
    sent = Slice(made_of([(("a", "b"), (1, 2, 3))]), 1, None, COMPUTED)

    assert SliceMessage.read(SliceMessage.of(sent)).verified() == sent


@pytest.mark.parametrize(
    ("what", "altered"),
    [
        ("control totals", {"control_totals": {"customers": 6}}),
        ("row count", {"row_count": 3}),
        ("hash", {"hash": "0" * 64}),
        ("hash", {"node": "440100"}),
        ("hash", {"period": "2026-10"}),
        ("hash", {"dataset": "revenue"}),
    ],
)
def test_what_does_not_agree_with_its_cells_is_refused(what: str, altered: dict[str, Any]) -> None:
    data = SliceMessage.of(slice_of("440300", CELLS)) | altered

    with pytest.raises(SliceInvalid, match=what):
        SliceMessage.read(data).verified()


def test_two_values_that_keep_the_totals_do_not_keep_the_hash() -> None:
    data = SliceMessage.of(slice_of("440300", CELLS))
    at = data["measures"].index("customers")
    first, second = (row[1] for row in data["cells"])
    first[at], second[at] = second[at], first[at]

    with pytest.raises(SliceInvalid, match="hash"):
        SliceMessage.read(data).verified()


@pytest.mark.parametrize(
    ("why", "rows", "dimensions"),
    [
        ("comes twice", [(("a",), (1,)), (("a",), (2,))], ("x",)),
        ("one value for each", [(("a", "b"), (1,))], ("x",)),
        ("one value for each", [(("a",), (1, 2))], ("x",)),
        ("names a dimension twice", [], ("x", "x")),
        ("m come to more than 64 bits", [(("a",), (2**63,))], ("x",)),
        ("m come to more than 64 bits", [(("a",), (2**62,)), (("b",), (-(2**62),))], ("x",)),
    ],
)
def test_cells_that_are_no_table_are_refused(why: str, rows: Any, dimensions: Any) -> None:
    with pytest.raises(SliceInvalid, match=why):
        made_of(rows, dimensions, ("m",))


def test_a_period_that_is_none_is_refused() -> None:
    data = SliceMessage.of(slice_of("440300", {STANDARD_MAN: {"customers": 1}})) | {
        "period": "2026-13"
    }

    with pytest.raises(PeriodInvalid):
        SliceMessage.read(data).verified()
