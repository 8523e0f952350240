"""Roll-ups on demand."""

from typing import Annotated

from fastapi import APIRouter, Depends

from services.city_node.rollup.schemas import CountedOut, RollupIn, RollupOut
from services.city_node.rollup.service import roll_up, roll_up_due
from shared.access import Principal, require
from shared.capability import Context
from shared.kernel.edge import Now
from shared.statistics.period import Period

router = APIRouter(prefix="/statistics")


@router.post("/rollups", summary="Count this city's figures anew")
async def create_rollup(
    asked: RollupIn,
    context: Context,
    now: Now,
    _: Annotated[Principal, Depends(require("statistics:rollup"))],
) -> RollupOut:
    """Count now; repeating it changes nothing unless the figures have changed.

    The roll-up's own transaction is committed before the answer: it has to begin as a snapshot.
    """
    if asked.period is None:
        counted = await roll_up_due(context.database, context.post, now=now)
    else:
        periods = [Period.parse(asked.period, "/period")]
        counted = await roll_up(
            context.database, context.post, periods, reason=asked.reason, now=now
        )
    return RollupOut(items=[CountedOut.model_validate(each) for each in counted])
