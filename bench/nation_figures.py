"""Figures of a nation to measure with: slices of every dataset for every city, made up and the same each time."""

import contextlib
import itertools
import random
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.lanes import fresh_home, opened
from shared.capability import NodeContext
from shared.kernel.settings import HQ_CODE
from shared.organisation.division import cities_of
from shared.statistics.catalogue import Dataset
from shared.statistics.indicators import CATALOGUE
from shared.statistics.period import Period
from shared.statistics.slices import Content, Slice

CELLS = 5_000
"""Cells that a city tells in a night, over all datasets."""
COMPUTED = datetime(2026, 11, 30, 17, 30, tzinfo=UTC)
_OPEN_VALUES = [f"value-{number}" for number in range(8)]
_GREATEST = 100_000


@contextlib.asynccontextmanager
async def open_hq() -> AsyncIterator[tuple[NodeContext, Path]]:
    """Open HQ's database, empty."""
    with fresh_home() as home:
        async with opened(home, HQ_CODE) as context:
            yield context, home


def cities() -> list[str]:
    """Return the codes of all cities, province by province."""
    return [city.code for city in cities_of(HQ_CODE)]


def cell_keys(dataset: Dataset, most: int) -> list[tuple[str, ...]]:
    """Return the keys of a dataset's cells: so many at most, the same for every city."""
    values = [
        list(CATALOGUE.dimensions[each].values) or _OPEN_VALUES for each in dataset.dimensions
    ]
    keys = list(itertools.product(*values))
    dice = random.Random(dataset.code)  # noqa: S311 - repeatable, and nobody's secret
    return sorted(dice.sample(keys, min(most, len(keys))))


def all_keys(total: int = CELLS) -> dict[str, list[tuple[str, ...]]]:
    """Return the keys of every dataset's cells, so many in all as nearly as their dimensions allow."""
    left, found = total, {}
    by_size = sorted(CATALOGUE.dataset_list, key=lambda each: len(cell_keys(each, total)))
    for at, dataset in enumerate(by_size):
        found[dataset.code] = cell_keys(dataset, left // (len(by_size) - at))
        left -= len(found[dataset.code])
    return found


def make_slice(
    node: str,
    period: Period,
    dataset: str,
    keys: Sequence[tuple[str, ...]],
    *,
    revision: int = 1,
) -> Slice:
    """Make up a city's slice."""
    dice = random.Random(f"{node}{period}{dataset}{revision}")  # noqa: S311 - repeatable, and nobody's secret
    codes = [each.code for each in CATALOGUE.measures_of(dataset)]
    content = Content.of(
        dataset,
        node,
        period,
        dimensions=CATALOGUE.datasets[dataset].dimensions,
        measures=codes,
        cells=[(key, [dice.randrange(1, _GREATEST) for _ in codes]) for key in keys],
    )
    return Slice(content, revision, None if revision == 1 else "late data", COMPUTED)
