"""Slices that a test writes cell by cell, and the deliveries that bring them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation.delivery import Delivery, Hop
from shared.federation.envelope import Message
from shared.kernel.ids import new_id
from shared.statistics.indicators import CATALOGUE
from shared.statistics.period import Period
from shared.statistics.schemas import SLICE, SliceMessage
from shared.statistics.slices import Content, Slice

COMPUTED = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)

Key = tuple[str, str, str, str]
GOLD_MAN: Key = ("gold", "monthly", "0-12", "male")
GOLD_WOMAN: Key = ("gold", "two_year", "61+", "female")
STANDARD_MAN: Key = ("standard", "monthly", "0-12", "male")


def content(
    node: str,
    cells: Mapping[Key, Mapping[str, int]],
    *,
    period: str = "2026-11",
    dataset: str = "customer",
) -> Content:
    """Content of the cells given; a measure that a cell does not name has no value there."""
    measures = [each.code for each in CATALOGUE.measures_of(dataset)]
    return Content.of(
        dataset,
        node,
        Period.parse(period),
        dimensions=CATALOGUE.datasets[dataset].dimensions,
        measures=measures,
        cells=[
            (key, [values.get(measure) for measure in measures]) for key, values in cells.items()
        ],
    )


def slice_of(
    node: str,
    cells: Mapping[Key, Mapping[str, int]],
    *,
    revision: int = 1,
    period: str = "2026-11",
    dataset: str = "customer",
    computed_at: datetime = COMPUTED,
) -> Slice:
    """A slice of the cells given."""
    reason = None if revision == 1 else "recomputed"
    made = content(node, cells, period=period, dataset=dataset)
    return Slice(made, revision, reason, computed_at)


def delivery(
    session: AsyncSession,
    slice_: Slice,
    *,
    now: datetime = COMPUTED,
    source: str | None = None,
    **altered: Any,
) -> Delivery:
    """A message with the slice, as its city sent it or as somebody altered it."""
    node = source or slice_.content.node
    message = Message(
        id=new_id(),
        source=node,
        type=SLICE,
        time=now,
        destination="000000",
        partitionkey=f"{slice_.content.dataset}/{slice_.content.period}",
        data=SliceMessage.of(slice_) | altered,
    )
    return Delivery(message, (Hop(node, now), Hop("000000", now)), session, now)
