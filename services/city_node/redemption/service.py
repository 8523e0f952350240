"""The rules of redemptions: taking points and stock together, and giving both back."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select

from services.city_node.customer.service import Desk
from services.city_node.points import ledger
from services.city_node.points.chart import EntryKind, SystemAccount
from services.city_node.points.problems import PointsFew
from services.city_node.redemption.models import Redemption, RedemptionState
from services.city_node.redemption.problems import RedemptionNotFound, RedemptionStateUnfit
from services.city_node.redemption.reading import redemptions
from services.city_node.redemption.schemas import RedemptionCreate, Reversal
from services.city_node.reward import repository as rewards
from services.city_node.reward.service import refusal
from shared import audit
from shared.capability import Action
from shared.kernel.database import driver_connection
from shared.kernel.ids import new_id
from shared.kernel.language import Text
from shared.kernel.preconditions import require_version
from shared.policy.kinds.points import POINTS
from shared.policy.service import in_force

REDEEMED = Action("points.redeemed", Text("Points were redeemed for a reward", "积分兑换礼品"))
FULFILLED = Action("points.fulfilled", Text("A reward was handed over", "交付兑换礼品"))
CANCELLED = Action("points.redemption_cancelled", Text("A redemption was cancelled", "撤销兑换"))
REVERSED = Action("points.redemption_reversed", Text("A redemption was reversed", "兑换冲正"))
ACTIONS = (REDEEMED, FULFILLED, CANCELLED, REVERSED)

_COLUMNS = ("id", "customer_id", "reward_code", "quantity", "points", "state", "at", "by", "version")  # fmt: skip
_VALUES = ", ".join(f"${ledger.FURTHER + nth}" for nth in range(len(_COLUMNS)))
_ADD = f"""
    , made AS (INSERT INTO redemption ({", ".join(_COLUMNS)}) VALUES ({_VALUES}) RETURNING id),
    told AS ({audit.insertion("made", ledger.FURTHER + len(_COLUMNS))})"""  # noqa: S608 - names of columns
"""The redemption and its audit record."""


async def redeem(desk: Desk, customer_id: UUID, body: RedemptionCreate) -> UUID:
    """Give a customer's points for a reward, and return the redemption's id.

    Raises:
        CustomerNotFound: if there is none in the caller's scope (404).
        RewardNotFound: if there is no such reward (404).
        CustomerRetained: if the customer has left (409).
        PointsFrozen, PointsInsufficient: if the customer cannot use so many points (409).
        RewardNotOffered, StockShort: if the reward is not to be had (409).
        PointsFew: if it costs less than the policy lets anybody redeem (422).
    """
    minimum = (
        await in_force(desk.session, POINTS, on=desk.today, node=desk.node)
    ).document.redemption_minimum
    connection = await driver_connection(desk.session)
    holder = (await ledger.lock(connection, [customer_id], desk.principal.unit_path))[customer_id]
    holder.require_free()
    price = await rewards.book(
        connection, body.reward, body.quantity, today=desk.today, level=holder.level
    )
    if price is None:
        raise await refusal(
            desk.session, body.reward, body.quantity, today=desk.today, level=holder.level
        )
    points = price * body.quantity
    if points < minimum:
        raise PointsFew(minimum=minimum, points=points)
    row = Redemption(
        id=new_id(),
        customer_id=customer_id,
        reward_code=body.reward,
        quantity=body.quantity,
        points=points,
        state=RedemptionState.OPEN.value,
        at=desk.now,
        by=desk.principal.username,
        version=1,
    )
    await ledger.take(
        connection,
        holder,
        points,
        kind=EntryKind.REDEMPTION,
        to=SystemAccount.REDEEMED,
        cause_id=row.id,
        today=desk.today,
        at=desk.now,
        also=_ADD,
        values=(
            *(getattr(row, name) for name in _COLUMNS),
            *audit.values_of(**_told(desk, REDEEMED, row)),
        ),
    )
    return row.id


async def fulfil(desk: Desk, redemption_id: UUID, expected: int) -> None:
    """Note that the reward was handed over.

    Raises:
        RedemptionNotFound: if there is none in the caller's scope (404).
        VersionStale: if it was changed since (412).
        RedemptionStateUnfit: if it is not open (409).
    """
    await _customer_of(desk, redemption_id)
    row = await _locked(desk, redemption_id, expected, RedemptionState.OPEN)
    _settle(desk, row, RedemptionState.FULFILLED, FULFILLED)


async def cancel(desk: Desk, redemption_id: UUID, expected: int, reason: str) -> None:
    """Give points and stock back before the reward was handed over.

    Raises:
        RedemptionNotFound, VersionStale, RedemptionStateUnfit: as :func:`fulfil`.
    """
    await _take_back(desk, redemption_id, expected, RedemptionState.OPEN, reason, stocked=True)


async def reverse(desk: Desk, redemption_id: UUID, expected: int, body: Reversal) -> None:
    """Give the points back after the reward was handed over, and the stock if it was returned.

    Raises:
        RedemptionNotFound, VersionStale: as :func:`fulfil`.
        RedemptionStateUnfit: if it is not fulfilled (409).
    """
    was = RedemptionState.FULFILLED
    await _take_back(desk, redemption_id, expected, was, body.reason, stocked=body.returned)


async def _take_back(
    desk: Desk,
    redemption_id: UUID,
    expected: int,
    was: RedemptionState,
    reason: str,
    *,
    stocked: bool,
) -> None:
    customer_id = await _customer_of(desk, redemption_id)
    policy = (await in_force(desk.session, POINTS, on=desk.today, node=desk.node)).document
    connection = await driver_connection(desk.session)
    await ledger.lock(connection, [customer_id], desk.principal.unit_path)
    row = await _locked(desk, redemption_id, expected, was)
    if stocked:
        await rewards.put_back(connection, row.reward_code, row.quantity)
    await ledger.give_back(
        connection,
        row.id,
        today=desk.today,
        instead=desk.today + timedelta(days=policy.reversal_grace_days + 1),
        at=desk.now,
    )
    row.reason = reason
    if was is RedemptionState.OPEN:
        _settle(desk, row, RedemptionState.CANCELLED, CANCELLED)
    else:
        _settle(desk, row, RedemptionState.REVERSED, REVERSED)


async def _customer_of(desk: Desk, redemption_id: UUID) -> UUID:
    connection = await driver_connection(desk.session)
    found: UUID | None = await connection.fetchval(
        f"SELECT r.customer_id FROM {redemptions.source} WHERE r.id = $1 AND starts_with(u.path, $2)",  # noqa: S608 - a text of the program
        redemption_id,
        desk.principal.unit_path,
    )
    if found is None:
        raise RedemptionNotFound(redemption=redemption_id)
    return found


async def _locked(
    desk: Desk, redemption_id: UUID, expected: int, needed: RedemptionState
) -> Redemption:
    query = select(Redemption).where(Redemption.id == redemption_id).with_for_update()
    row = (await desk.session.scalars(query.execution_options(populate_existing=True))).one()
    require_version(row.version, expected)
    if row.state != needed:
        raise RedemptionStateUnfit(state=row.state, needed=needed.value)
    return row


def _settle(desk: Desk, row: Redemption, state: RedemptionState, action: Action) -> None:
    row.state = state.value
    row.settled_at, row.settled_by = desk.now, desk.principal.username
    row.version += 1
    audit.record(desk.session, **_told(desk, action, row))


def _told(desk: Desk, action: Action, row: Redemption) -> dict[str, Any]:
    """Return what the audit log is told."""
    return {
        "actor": audit.Actor.of(desk.principal),
        "action": action,
        "at": desk.now,
        "subject": ("customer", row.customer_id),
        "cause_id": row.id,
        "detail": {"reward": row.reward_code, "points": row.points},
    }
