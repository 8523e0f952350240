"""Keeping the catalogue of rewards, and why one cannot be had."""

from datetime import date, datetime

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer.problems import DatesContradict
from services.city_node.reward import repository
from services.city_node.reward.models import Reward
from services.city_node.reward.problems import (
    RewardNotOffered,
    RewardTaken,
    StockShort,
    StockUnlimited,
)
from services.city_node.reward.schemas import RewardCreate, RewardPatch
from shared import audit
from shared.access import Principal
from shared.capability import Action
from shared.kernel.language import Text
from shared.kernel.preconditions import require_version
from shared.kernel.problems import Problem

CREATED = Action("reward.created", Text("A reward was added", "新增礼品"))
CHANGED = Action("reward.changed", Text("A reward was changed", "修改礼品"))
STOCKED = Action("reward.stocked", Text("The stock of a reward was changed", "调整礼品库存"))


async def add(
    session: AsyncSession, keeper: Principal, body: RewardCreate, *, now: datetime
) -> Reward:
    """Add a reward.

    Raises:
        RewardTaken: if its code is in use (409).
    """
    stamp = {"version": 1, "updated_at": now, "updated_by": keeper.username}
    found = await repository.add(session, {**body.model_dump(mode="python"), **stamp})
    if found is None:
        raise RewardTaken(body.code)
    _record(session, keeper, CREATED, body.code, list(RewardCreate.model_fields), now)
    return found


async def change(
    session: AsyncSession,
    keeper: Principal,
    code: str,
    expected: int,
    patch: RewardPatch,
    *,
    now: datetime,
) -> Reward:
    """Change what ``patch`` names; redemptions that were made keep their price.

    Raises:
        RewardNotFound: if there is none (404).
        VersionStale: if it was changed since version ``expected`` (412).
        DatesContradict: if it would end before it begins (422).
    """
    reward = await repository.find(session, code, locked=True)
    require_version(reward.version, expected)
    values = patch.model_dump(exclude_unset=True)
    for name, value in values.items():
        setattr(reward, name, value)
    if reward.valid_until is not None and reward.valid_until <= reward.valid_from:
        raise DatesContradict("valid_until", reward.valid_until, "before", reward.valid_from)
    if values:
        reward.version += 1
        reward.updated_at, reward.updated_by = now, keeper.username
        _record(session, keeper, CHANGED, code, list(values), now)
    return reward


async def restock(
    session: AsyncSession, keeper: Principal, code: str, change: int, *, now: datetime
) -> Reward:
    """Add to the stock of a reward, or take away what is there.

    Raises:
        RewardNotFound: if there is none (404).
        StockUnlimited: if it is not counted (409).
        StockShort: if more went than there are (409).
    """
    reward = await repository.find(session, code, locked=True)
    if reward.stock is None:
        raise StockUnlimited(code=code)
    if reward.stock + change < 0:
        raise StockShort(code=code, left=reward.stock, wanted=-change)
    reward.stock += change
    _record(session, keeper, STOCKED, code, ["stock"], now)
    return reward


async def refusal(
    connection: asyncpg.Connection, code: str, quantity: int, *, today: date, level: str
) -> Problem:
    """Return why a reward cannot be had: none such, not on this day or at this level, or too few left."""
    since, until, left, levels = await repository.offer_of(connection, code)
    ended = until is not None and until <= today
    if today < since or ended or (levels and level not in levels):
        return RewardNotOffered(
            code=code,
            since=since,
            until=until or "…",
            levels=", ".join(levels) or "*",
            today=today,
            level=level,
        )
    return StockShort(code=code, left=left, wanted=quantity)


def _record(  # noqa: PLR0917 - private, and all of them are needed
    session: AsyncSession,
    keeper: Principal,
    action: Action,
    code: str,
    fields: list[str],
    now: datetime,
) -> None:
    actor = audit.Actor.of(keeper)
    audit.record(session, actor, action, at=now, subject=("reward", code), fields=fields)
