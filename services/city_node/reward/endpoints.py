"""The catalogue of rewards over HTTP."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query, Response

from services.city_node.customer.answers import JSON, documented
from services.city_node.customer.models import Level
from services.city_node.reward import repository, service
from services.city_node.reward.access import Keeper, Reader
from services.city_node.reward.schemas import (
    RewardCode,
    RewardCreate,
    RewardOut,
    RewardPage,
    RewardPatch,
    StockChange,
)
from shared.access import OnceDependency
from shared.capability import Context
from shared.kernel.edge import ExpectedVersion, Now, Page, Transaction
from shared.kernel.preconditions import entity_tag

router = APIRouter(prefix="/rewards")


@router.get(
    "", summary="List rewards", responses=documented(RewardPage, 400, 422), response_class=Response
)
async def list_rewards(
    principal: Reader,  # noqa: ARG001 - a permission, and the catalogue is the same for everybody
    context: Context,
    page: Page,
    on: Annotated[date | None, Query(description="Those that can be had on this day.")] = None,
    level: Annotated[Level | None, Query(description="For customers of this level.")] = None,
    most: Annotated[int | None, Query(ge=0, le=2**53, description="For so many points.")] = None,
) -> Response:
    """Return a page of the catalogue, the cheapest first."""
    pool = await context.database.pool()
    filters = {"on": on, "level": level, "most": most}
    return Response(await repository.rewards.page(pool, page, filters), media_type=JSON)


@router.post("", status_code=201, summary="Add a reward")
async def add_reward(
    keeper: Keeper, session: Transaction, now: Now, body: RewardCreate, response: Response
) -> RewardOut:
    """Add a reward to the catalogue, with its stock if it is counted."""
    reward = await service.add(session, keeper, body, now=now)
    response.headers["etag"] = entity_tag(reward.version)
    response.headers["location"] = f"/rewards/{reward.code}"
    return RewardOut.model_validate(reward)


@router.get("/{code}", summary="Read a reward")
async def read_reward(
    code: RewardCode,
    principal: Reader,  # noqa: ARG001 - as above
    session: Transaction,
    response: Response,
) -> RewardOut:
    """Return one reward."""
    reward = await repository.find(session, code)
    response.headers["etag"] = entity_tag(reward.version)
    return RewardOut.model_validate(reward)


@router.patch("/{code}", summary="Change a reward")
async def change_reward(
    code: RewardCode,
    keeper: Keeper,
    session: Transaction,
    now: Now,
    expected: ExpectedVersion,
    body: RewardPatch,
    response: Response,
) -> RewardOut:
    """Merge a JSON merge patch (RFC 7396) into a reward; what was redeemed before keeps its price."""
    reward = await service.change(session, keeper, code, expected, body, now=now)
    response.headers["etag"] = entity_tag(reward.version)
    return RewardOut.model_validate(reward)


@router.post(
    "/{code}/stock",
    summary="Change the stock of a reward",
    responses=documented(RewardOut, 400, 404, 409, 422),
    response_class=Response,
)
async def change_stock(
    code: RewardCode,
    keeper: Keeper,
    session: Transaction,
    once: OnceDependency,
    now: Now,
    body: StockChange,
) -> Response:
    """Note what came into stock, or went otherwise than to customers; once for each `Idempotency-Key`."""
    reward = await service.restock(session, keeper, code, body.change, now=now)
    shown = RewardOut.model_validate(reward)
    return await once.answer(200, shown.model_dump_json().encode())
