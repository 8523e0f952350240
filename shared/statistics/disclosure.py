"""Which cells of a table are withheld, so that nobody can learn from it, or from others, about a few people.

*Primary*: a cell of fewer people than the threshold, but not of none. *Complementary*: as many more cells as it takes
that no primary one follows by subtraction. Cells lie in a lattice: a table by level and sex has the tables by level,
by sex and of nobody's traits above it, and each of these the coarser regions; a cell is the sum of its *line*, the
finer cells along one axis. A line and its whole are an equation, and one that has a single unknown gives it away.

Tables are decided from the coarsest to the finest, and a finer one never changes what a coarser one shows. So what is
withheld does not depend on the question: whoever asks for two tables learns no more than one who asks for the finest.
What is put together from cells is told only if none of them is withheld.

The rule of lines alone would let a system of several equations pass; what remains is therefore solved, over a prime
field, as whoever attacks it would (primary and complementary suppression and the audit of its pattern: Hundepool et
al., *Statistical Disclosure Control*, 2012, chapter 4).
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product

Cell = tuple[str, ...]
"""A value on each axis; on an axis that is not told apart, :data:`ALL`."""
Levels = tuple[int, ...]
"""How finely each axis is told apart; 0 is not at all."""

ALL = ""
MOST_UNKNOWN = 2_000
"""Systems of more unknowns are left at the rule of lines: solving them would take longer than a question may."""
_PRIME = (1 << 61) - 1


@dataclass(frozen=True)
class Axis:
    """What cells are told apart by: a dimension, or the regions.

    Attributes:
        above: for each level from the first, which value of the level above each value belongs to; those of the first
            belong to :data:`ALL`.
    """

    above: Sequence[Mapping[str, str]]

    @cached_property
    def below(self) -> Sequence[Mapping[str, list[str]]]:
        """For each level, the values of the next one that each value puts together."""
        found: list[dict[str, list[str]]] = []
        for wholes in self.above:
            parts = defaultdict(list)
            for part, whole in wholes.items():
                parts[whole].append(part)
            found.append(dict(parts))
        return found

    @property
    def depth(self) -> int:
        """How many levels there are below the whole."""
        return len(self.above)


def flat(values: Sequence[str]) -> Axis:
    """Return an axis of one level."""
    return Axis([dict.fromkeys(values, ALL)])


def withheld(
    axes: Sequence[Axis], people: Mapping[Cell, int], levels: Levels, *, threshold: int
) -> set[Cell]:
    """Return the cells of a table that must not be told.

    Args:
        axes: by what it is told apart.
        people: how many people each of its cells is about; those of nobody may be left out.
        levels: how finely it is told apart by each axis; the cells of ``people`` are of these levels.
        threshold: about so many people a cell may speak; none or one withholds nothing.
    """
    if all(count == 0 or count >= threshold for count in people.values()):
        # Every coarser cell is of as many people or more: nothing is withheld anywhere above.
        return set()
    tables = {levels: {cell: count for cell, count in people.items() if count}}
    places = list(product(*(range(level + 1) for level in levels)))
    for at in reversed(places):
        if at not in tables:
            tables[at] = _put_together(axes, tables, at)
    lattice = _Lattice(axes, threshold)
    for at in places:
        lattice.add(at, tables[at])
    return lattice.tables[levels].withheld


def _put_together(
    axes: Sequence[Axis], tables: Mapping[Levels, dict[Cell, int]], at: Levels
) -> dict[Cell, int]:
    """Return the people of a table from the smallest of those that are finer by one level."""
    finer = ((place, (*at[:place], at[place] + 1, *at[place + 1 :])) for place in range(len(at)))
    place, of = min((each for each in finer if each[1] in tables), key=lambda x: len(tables[x[1]]))
    above = axes[place].above[at[place]]
    found: dict[Cell, int] = defaultdict(int)
    for cell, count in tables[of].items():
        found[*cell[:place], above[cell[place]], *cell[place + 1 :]] += count
    return dict(found)


def _coarser(axes: Sequence[Axis], cell: Cell, levels: Levels, at: Levels) -> Cell:
    values = list(cell)
    for place, axis in enumerate(axes):
        for level in range(levels[place], at[place], -1):
            values[place] = axis.above[level - 1][values[place]]
    return tuple(values)


@dataclass
class _Table:
    people: dict[Cell, int]
    withheld: set[Cell] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Line:
    """A cell and its parts along one axis, which add up to it."""

    whole_at: Levels
    whole: Cell
    parts: tuple[Cell, ...]


@dataclass
class _Lattice:
    """Tables, the coarser before the finer."""

    axes: Sequence[Axis]
    threshold: int
    tables: dict[Levels, _Table] = field(default_factory=dict)
    lines: dict[tuple[Levels, int, Cell], _Line] = field(default_factory=dict)
    """Those that were met while the present table is decided, by table, axis and whole."""

    def add(self, at: Levels, people: dict[Cell, int]) -> None:
        """Decide a table; all that are coarser have been decided."""
        table = self.tables[at] = _Table(people)
        self.lines.clear()
        for line in self._lines_of_withheld_wholes(at):
            if len(line.parts) == 1:  # the same cell under another name
                table.withheld.add(line.parts[0])
        primary = sorted(cell for cell, count in people.items() if count < self.threshold)
        table.withheld.update(primary)
        self._close(
            at,
            [
                *self._lines_of_withheld_wholes(at),
                *(line for cell in primary for line in self._lines_of(at, cell)),
            ],
        )
        while more := self._to_withhold_besides(at):
            table.withheld.add(more)
            self._close(at, list(self._lines_of(at, more)))

    def _close(self, at: Levels, lines: list[_Line]) -> None:
        """Withhold what keeps each line from giving something away, and follow that along the other axes."""
        table = self.tables[at]
        while lines:
            line = lines.pop()
            told = line.whole not in self.tables[line.whole_at].withheld
            unknown = [cell for cell in line.parts if cell in table.withheld]
            people = sum(table.people.get(cell, 0) for cell in unknown)
            others: list[Cell] | None = None
            while (
                (unknown and (len(unknown) == 1 or people < self.threshold))
                if told
                else not unknown
            ):
                if others is None:
                    others = self._others(at, line)
                if not others:
                    break
                more = others.pop()
                unknown.append(more)
                people += table.people.get(more, 0)
                table.withheld.add(more)
                lines.extend(self._lines_of(at, more))

    def _others(self, at: Levels, line: _Line) -> list[Cell]:
        """Return the parts of a line that may be withheld besides, the least worth last."""
        free = [
            cell
            for cell in line.parts
            if cell not in self.tables[at].withheld and self._is_free(at, cell)
        ]
        return sorted(free, key=lambda cell: self._worth(at, cell), reverse=True)

    def _worth(self, at: Levels, cell: Cell) -> tuple[bool, int, Cell]:
        """Order cells by how little is lost without them; those of nobody are the last resort, since all see them."""
        count = self.tables[at].people.get(cell, 0)
        return not count, count, cell

    def _is_free(self, at: Levels, cell: Cell) -> bool:
        """Tell whether a cell is more than another name of a coarser one, which is decided."""
        return all(len(line.parts) > 1 for line in self._lines_of(at, cell))

    def _lines_of(self, at: Levels, cell: Cell) -> Iterator[_Line]:
        for place, level in enumerate(at):
            if level:
                value = self.axes[place].above[level - 1][cell[place]]
                whole = (*cell[:place], value, *cell[place + 1 :])
                key = at, place, whole
                if key not in self.lines:
                    self.lines[key] = self._line(at, place, whole)
                yield self.lines[key]

    def _line(self, at: Levels, place: int, whole: Cell) -> _Line:
        parts = self.axes[place].below[at[place] - 1][whole[place]]
        return _Line(
            (*at[:place], at[place] - 1, *at[place + 1 :]),
            whole,
            tuple((*whole[:place], part, *whole[place + 1 :]) for part in parts),
        )

    def _lines_of_withheld_wholes(self, at: Levels) -> Iterator[_Line]:
        for place, level in enumerate(at):
            if level:
                above = self.tables[*at[:place], level - 1, *at[place + 1 :]]
                for whole in sorted(above.withheld):
                    yield self._line(at, place, whole)

    def _to_withhold_besides(self, at: Levels) -> Cell | None:
        """Return a cell that must be withheld too, since the equations give something away; ``None`` if they do not."""
        table = self.tables[at]
        for lines in self._given_away(at):
            for candidates in (lines, self._lines_besides(at)):
                parts = {cell for line in candidates for cell in line.parts}
                free = [cell for cell in parts - table.withheld if self._is_free(at, cell)]
                if free:
                    return min(free, key=lambda cell: self._worth(at, cell))
        return None

    def _lines_besides(self, at: Levels) -> Iterator[_Line]:
        table = self.tables[at]
        for cell in {*table.people, *table.withheld}:
            yield from self._lines_of(at, cell)

    def _given_away(self, at: Levels) -> Iterator[list[_Line]]:
        """Solve the equations of a table; tell for all that follows and must not the lines about it.

        What must not follow is a primary cell, and anything about withheld cells of coarser tables that these do not
        tell themselves. For two tables share no other cells: if neither tells more about these, both together do not.
        """
        above = [each for each in product(*(range(level + 1) for level in at)) if each != at]
        unknown = {(where, cell) for where in (*above, at) for cell in self.tables[where].withheld}
        if len(unknown) > MOST_UNKNOWN:
            return
        system = _System()
        for where in (*above, at):
            lines = {
                *(
                    each
                    for cell in self.tables[where].withheld
                    for each in self._lines_of(where, cell)
                ),
                *self._lines_of_withheld_wholes(where),
            }
            for line in sorted(lines, key=lambda each: (each.whole_at, each.whole)):
                row = {(where, part): 1 for part in line.parts if (where, part) in unknown}
                if (line.whole_at, line.whole) in unknown:
                    row[line.whole_at, line.whole] = -1
                follows = system.add(row, first=where)
                if where == at and follows and all(place != at for place, _ in follows):
                    yield self._lines_under(at, follows)
        for where, cell in sorted(system.determined):
            if where == at and 0 < self.tables[at].people.get(cell, 0) < self.threshold:
                yield list(self._lines_of(at, cell))

    def _lines_under(self, at: Levels, unknown: Collection["_Unknown"]) -> list[_Line]:
        """Return the lines of a table whose wholes are among these cells, or are parts of them."""
        return [
            line
            for line in self._lines_of_withheld_wholes(at)
            if any(
                self._is_within(line.whole_at, line.whole, where, cell) for where, cell in unknown
            )
        ]

    def _is_within(self, at: Levels, cell: Cell, where: Levels, whole: Cell) -> bool:
        if any(fine < coarse for fine, coarse in zip(at, where, strict=True)):
            return False
        return _coarser(self.axes, cell, at, where) == whole


_Unknown = tuple[Levels, Cell]


@dataclass
class _System:
    """Linear equations, solved as they come: each pivot is in its own row alone. Right sides do not matter."""

    rows: dict[_Unknown, dict[_Unknown, int]] = field(default_factory=dict)
    columns: dict[_Unknown, set[_Unknown]] = field(default_factory=lambda: defaultdict(set))

    def add(self, equation: dict[_Unknown, int], *, first: Levels) -> set[_Unknown]:
        """Add an equation, and solve it for an unknown of the table ``first`` if one is left; returns what is left."""
        row = dict(equation)
        for unknown in [each for each in equation if each in self.rows]:
            _subtract(row, self.rows[unknown], row[unknown])
        if not row:
            return set()
        pivot = min(row, key=lambda each: (each[0] != first, len(self.columns[each]), each))
        inverse = pow(row[pivot], -1, _PRIME)
        row = {each: factor * inverse % _PRIME for each, factor in row.items()}
        for other in list(self.columns[pivot]):
            before = set(self.rows[other])
            _subtract(self.rows[other], row, self.rows[other][pivot])
            for each in before - set(self.rows[other]):
                self.columns[each].discard(other)
            for each in set(self.rows[other]) - before:
                self.columns[each].add(other)
        self.rows[pivot] = row
        for each in row:
            self.columns[each].add(pivot)
        return set(row)

    @property
    def determined(self) -> list[_Unknown]:
        return [pivot for pivot, row in self.rows.items() if len(row) == 1]


def _subtract(row: dict[_Unknown, int], other: dict[_Unknown, int], times: int) -> None:
    for each, factor in other.items():
        left = (row.get(each, 0) - times * factor) % _PRIME
        if left:
            row[each] = left
        else:
            row.pop(each, None)
