"""Nobody learns from tables, one or all of them, what is withheld in one."""

from collections import defaultdict
from collections.abc import Mapping
from itertools import product

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.statistics import disclosure
from shared.statistics.disclosure import ALL, Axis, Cell, Levels, flat, withheld
from tests.statistics.attacker import Attacker

LEVEL = flat(["diamond", "gold", "silver"])
SEX = flat(["female", "male"])
REGION = Axis(
    [
        {"110000": ALL, "440000": ALL, "330000": ALL},
        # One province has a single city: both names are one cell.
        {
            "110100": "110000",
            "440100": "440000",
            "440300": "440000",
            "330100": "330000",
            "330200": "330000",
        },
    ]
)


def test_a_table_of_many_people_is_told_whole() -> None:
    """Nor is a cell of nobody withheld: it speaks of nobody."""
    assert (
        withheld([LEVEL], {("diamond",): 5, ("gold",): 0, ("silver",): 9}, (1,), threshold=5)
        == set()
    )


def test_a_cell_of_few_people_is_withheld_together_with_the_smallest_other() -> None:
    """The total is told, so that one withheld cell alone would follow from it."""
    people: dict[Cell, int] = {("diamond",): 2, ("gold",): 30, ("silver",): 900}
    assert withheld([LEVEL], people, (1,), threshold=5) == {("diamond",), ("gold",)}


def test_few_people_in_all_are_withheld_in_the_total() -> None:
    """And with it everything that would tell it."""
    assert withheld([flat([])], {(ALL,): 3}, (0,), threshold=5) == {(ALL,)}


def test_withheld_cells_are_together_as_many_people_as_the_threshold() -> None:
    """Two cells of one person each under a total that is told would be two people."""
    people: dict[Cell, int] = {("diamond",): 1, ("gold",): 1, ("silver",): 900}
    assert withheld([LEVEL], people, (1,), threshold=5) == {("diamond",), ("gold",), ("silver",)}


def test_the_only_city_of_a_province_shows_what_its_province_shows() -> None:
    """They are one figure."""
    people: dict[Cell, int] = {
        ("110100",): 50,
        ("440100",): 2,
        ("440300",): 60,
        ("330100",): 70,
        ("330200",): 80,
    }
    assert withheld([REGION], people, (2,), threshold=5) == {("440100",), ("440300",)}
    people = {("110100",): 3, ("440100",): 20, ("440300",): 60, ("330100",): 70, ("330200",): 80}
    assert ("110100",) in withheld([REGION], people, (2,), threshold=5)


AXES = [REGION, LEVEL, SEX]
EVERY: list[Levels] = [*product(range(3), range(2), range(2))]
_CELLS: list[Cell] = [*product(REGION.above[1], LEVEL.above[0], SEX.above[0])]


@given(
    counts=st.lists(
        st.one_of(st.integers(0, 7), st.integers(0, 60)), min_size=len(_CELLS), max_size=len(_CELLS)
    ),
    threshold=st.integers(1, 9),
)
@settings(deadline=None)
@example(counts=[0] * (len(_CELLS) - 1) + [1], threshold=5)
def test_no_small_cell_follows_from_all_tables_together(counts: list[int], threshold: int) -> None:
    """An attacker has every table that can be asked for, knows regions and values, and solves for the rest."""
    finest = dict(zip(_CELLS, counts, strict=True))
    tables = {at: coarser(finest, at) for at in EVERY}
    hidden = {at: withheld(AXES, people, at, threshold=threshold) for at, people in tables.items()}
    small = {
        (at, cell)
        for at, people in tables.items()
        for cell, count in people.items()
        if 0 < count < threshold
    }
    assert {(at, cell) for at, cells in hidden.items() for cell in cells} >= small
    assert not small & known_to_the_attacker(hidden)


def test_without_complementary_cells_the_attacker_finds_what_is_withheld() -> None:
    """So that the test above can fail."""
    hidden: dict[Levels, set[Cell]] = {at: set() for at in EVERY}
    hidden[0, 1, 0] = {(ALL, "diamond", ALL)}
    assert known_to_the_attacker(hidden) == {((0, 1, 0), (ALL, "diamond", ALL))}


def test_what_is_shown_does_not_depend_on_finer_questions() -> None:
    """A table is decided from those above it alone."""
    finest = dict.fromkeys(_CELLS, 12) | {("440300", "diamond", "male"): 1}
    alone = withheld(
        [REGION, LEVEL],
        {c[:2]: n for c, n in coarser(finest, (1, 1, 0)).items()},
        (1, 1),
        threshold=5,
    )
    beside = withheld(AXES, coarser(finest, (1, 1, 0)), (1, 1, 0), threshold=5)
    assert alone == {cell[:2] for cell in beside}


def test_a_large_system_is_left_at_the_rule_of_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a question ends; each line still has two unknowns or none."""
    monkeypatch.setattr(disclosure, "MOST_UNKNOWN", 0)
    people: dict[Cell, int] = {("diamond",): 2, ("gold",): 30, ("silver",): 900}
    assert withheld([LEVEL], people, (1,), threshold=5) == {("diamond",), ("gold",)}


def coarser(finest: Mapping[Cell, int], at: Levels) -> dict[Cell, int]:
    """Return a table of the lattice, counted from the finest one."""
    found: dict[Cell, int] = defaultdict(int)
    for (city, level, sex), count in finest.items():
        region = [ALL, REGION.above[1][city], city][at[0]]
        found[region, level if at[1] else ALL, sex if at[2] else ALL] += count
    return dict(found)


def known_to_the_attacker(hidden: Mapping[Levels, set[Cell]]) -> set[tuple[Levels, Cell]]:
    """Solve for everything that is hidden from all that is shown: sums over the finest cells."""
    attacker = Attacker()
    cells: dict[tuple[Levels, Cell], dict[Cell, int]] = defaultdict(dict)
    for at in EVERY:
        for each in _CELLS:
            cells[at, next(iter(coarser({each: 1}, at)))][each] = 1
    for (at, cell), whole in cells.items():
        if cell not in hidden[at]:
            attacker.learn(whole)
    return {
        (at, cell)
        for at, found in hidden.items()
        for cell in found
        if attacker.knows(cells[at, cell])
    }
