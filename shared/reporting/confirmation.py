"""Confirmations: a city counted a period after its end and found what it had said before.

A slice that was counted after the end of its period speaks for the whole of it by itself. One that was counted before
and still holds is not said again; that it holds is.
"""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation.delivery import Delivery, MessageRefused
from shared.federation.models import Lane
from shared.federation.post import PostOffice
from shared.kernel.settings import HQ_CODE
from shared.reporting import repository
from shared.reporting.schemas import ConfirmationMessage
from shared.statistics.period import Period

CONFIRMED = "guanxi.reporting.confirmed.v1"


async def confirm(
    session: AsyncSession,
    post: PostOffice,
    period: Period,
    unchanged: Mapping[str, tuple[int, str]],
    *,
    now: datetime,
) -> None:
    """At a city: tell HQ that slices which were counted before the period's end still hold.

    Args:
        session: the transaction of the count.
        post: the city's.
        period: which is over.
        unchanged: revision and hash by dataset.
        now: the present moment.
    """
    known = await repository.confirmed(session, post.code, str(period))
    slices = {dataset: said for dataset, said in unchanged.items() if dataset not in known}
    if not slices:
        return
    message = ConfirmationMessage(period=str(period), slices=slices, counted_at=now)
    await repository.confirm(session, message.rows(post.code, received_at=now))
    await post.post(
        session,
        CONFIRMED,
        HQ_CODE,
        message.model_dump(mode="json"),
        lane=Lane.ROLLUP,
        partition_key=f"reporting/{period}",
        subject=str(period),
        now=now,
    )


async def take_in(delivery: Delivery) -> None:
    """Keep what a city confirms.

    Raises:
        MessageRefused: if it is malformed.
    """
    source = delivery.message.source
    try:
        message = ConfirmationMessage.model_validate(delivery.message.data)
    except ValueError as error:
        raise MessageRefused(f"The confirmation from {source} is malformed: {error}") from None
    await repository.confirm(delivery.session, message.rows(source, received_at=delivery.now))
