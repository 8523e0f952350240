"""Every dataset of the catalogue, counted by hand."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from uuid import UUID

from shared.statistics.aggregation import Aggregation
from shared.statistics.indicators import CATALOGUE
from shared.statistics.period import Period
from tests.city.plain_events import Events
from tests.city.plain_rows import Cells, Row, Said
from tests.city.plain_states import States
from tests.sketched import distinct, distribution


class Count(States, Events):
    """A method for each dataset."""


def count_plainly(tables: Mapping[str, list[Row]], dataset: str, period: Period) -> Cells:
    """The cells of a slice, as slices have them: without what adds up and is zero; sketches as their images.

    A person is counted by the number that the id is.
    """
    said: Iterator[Said] = getattr(Count(tables, period), dataset)()
    gathered: dict[tuple[str, ...], dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for key, values in said:
        for code, value in values.items():
            if value is not None:
                gathered[key][code].append(int(value))
    puts: dict[object, Callable[[list[int]], int | bytes]] = {
        Aggregation.MAX: max,
        Aggregation.MIN: min,
        Aggregation.DISTINCT: lambda ids: distinct(UUID(int=id_) for id_ in ids),
        Aggregation.DISTRIBUTION: distribution,
        Aggregation.DISTRIBUTION_AT_END: distribution,
    }
    cells: Cells = {}
    for key, lists in gathered.items():
        cell: dict[str, int | bytes] = {}
        for code, found in lists.items():
            how = CATALOGUE.indicators[code].aggregation
            total = puts[how](found) if how in puts else sum(found)
            if total or how in puts:
                cell[code] = total
        if cell:
            cells[key] = cell
    return cells


def measures_told(cells: Cells) -> set[str]:
    """The measures that have a value anywhere."""
    return set(chain.from_iterable(cells.values()))
