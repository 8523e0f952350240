"""What cities say: their slices, seen by the province that they pass and by HQ that they reach."""

from collections.abc import Sequence

import structlog
from pydantic import ValidationError

from shared.capability import MessageHandler, NodeContext
from shared.federation.delivery import Delivery, MessageRefused
from shared.kernel.language import Text
from shared.kernel.tier import Tier
from shared.organisation.division import UnknownDivision, division
from shared.statistics import repository
from shared.statistics.period import PeriodInvalid
from shared.statistics.repository import RevisionConflict
from shared.statistics.schemas import SLICE, SliceMessage
from shared.statistics.slices import Slice, SliceInvalid

log = structlog.get_logger("statistics")


async def handle_slice(context: NodeContext, delivery: Delivery) -> None:
    """Verify a city's slice and keep it.

    Raises:
        MessageRefused: if it is malformed, not the sender's own, disagrees with itself, or contradicts what the city
            said before under the same revision.
    """
    try:
        await handle_slices(context, [delivery])
    except RevisionConflict as conflict:
        # The alarm: figures that were reported have been changed without saying so.
        log.error("statistics revision conflict", because=str(conflict))  # noqa: TRY400 - the sentence says it all
        raise MessageRefused(str(conflict)) from conflict


async def handle_slices(_: NodeContext, deliveries: Sequence[Delivery]) -> None:
    """Verify slices of one transaction and keep them.

    Raises:
        MessageRefused: as :func:`handle_slice`.
        RevisionConflict: if one contradicts what its city said before under the same revision.
    """
    slices = [_verified(delivery) for delivery in deliveries]
    session, now = deliveries[0].session, deliveries[0].now
    outcomes = await repository.store_all(session, slices, received_at=now)
    for slice_, outcome in zip(slices, outcomes, strict=True):
        log.info(
            "statistics slice received",
            slice=slice_.name,
            outcome=outcome.value,
            cells=slice_.content.row_count,
        )


async def recover_slice(_: NodeContext, delivery: Delivery) -> None:
    """At a city that was restored from an old backup: keep again a slice that it had told.

    What it told is what the nodes above have. Had it counted otherwise under the same revision since, before it heard
    of this, its own stays, and HQ refuses that: nobody can take back what was told.
    """
    slice_ = _verified(delivery)
    try:
        await repository.store(delivery.session, slice_, received_at=delivery.now)
    except RevisionConflict:
        log.exception("statistics revision told twice", slice=slice_.name)


def _verified(delivery: Delivery) -> Slice:
    source = delivery.message.source
    try:
        message = SliceMessage.read(delivery.message.data)
        if message.node != source:
            raise MessageRefused(
                f"{source} sent a slice of {message.node}; a city speaks for itself alone."
            )
        if division(source).tier is not Tier.CITY:
            raise MessageRefused(
                f"{source} is no city: taking its figures beside its cities' would count them twice."
            )
        return message.verified()
    except ValidationError as error:
        faults = "; ".join(
            f"{'/'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:5]
        )
        raise MessageRefused(f"The slice from {source} is malformed: {faults}.") from None
    except (SliceInvalid, PeriodInvalid, UnknownDivision) as error:
        raise MessageRefused(f"The slice from {source} is refused: {error}") from error


slice_handler = MessageHandler(
    SLICE,
    Text(
        "A city's figures of one dataset and period; kept by its province and by HQ",
        "地市某数据集某期间的统计数据，由所属省和总部保存",
    ),
    handle_slice,
    transit=True,
    recovered=recover_slice,
    handle_together=handle_slices,
)
