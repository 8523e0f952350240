"""The rules of redemptions: taking points and stock together, and giving both back.

A redemption is a hot write: four statements and the commit, on a bare connection. What happens to it later is not
asked for as often, and goes through a session.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
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
from shared.access import Principal
from shared.capability import Action
from shared.kernel.clock import business_day
from shared.kernel.database import Database, driver_connection
from shared.kernel.ids import new_id
from shared.kernel.language import Text
from shared.kernel.preconditions import require_version
from shared.policy.kinds.points import POINTS
from shared.policy.service import in_force, in_force_now

REDEEMED = Action("points.redeemed", Text("Points were redeemed for a reward", "积分兑换礼品"))
FULFILLED = Action("points.fulfilled", Text("A reward was handed over", "交付兑换礼品"))
CANCELLED = Action("points.redemption_cancelled", Text("A redemption was cancelled", "撤销兑换"))
REVERSED = Action("points.redemption_reversed", Text("A redemption was reversed", "兑换冲正"))
ACTIONS = (REDEEMED, FULFILLED, CANCELLED, REVERSED)

_COLUMNS = ("id", "customer_id", "reward_code", "quantity", "points", "state", "at", "by", "version")  # fmt: skip
_FIRST_VERSION = 1
_VALUES = ", ".join(f"${ledger.FURTHER + nth}" for nth in range(len(_COLUMNS)))
_ADD = f"""
    , made AS (INSERT INTO redemption ({", ".join(_COLUMNS)}) VALUES ({_VALUES}) RETURNING id),
    told AS ({audit.insertion("made", ledger.FURTHER + len(_COLUMNS))})"""  # noqa: S608 - names of columns
"""The redemption and its audit record."""


@dataclass(frozen=True, slots=True)
class Counter:
    """Where points are redeemed.

    Attributes:
        connection: the transaction.
        database: the node's.
        principal: who redeems them for the customer.
        now: when.
        node: the node's division code.
    """

    connection: asyncpg.Connection
    database: Database
    principal: Principal
    now: datetime
    node: str

    @property
    def today(self) -> date:
        """The business day."""
        return business_day(self.now)


async def redeem(counter: Counter, customer_id: UUID, body: RedemptionCreate) -> UUID:
    """Give a customer's points for a reward, and return the redemption's id.

    Raises:
        CustomerNotFound: if there is none in the caller's scope (404).
        RewardNotFound: if there is no such reward (404).
        CustomerRetained: if the customer has left (409).
        PointsFrozen, PointsInsufficient: if the customer cannot use so many points (409).
        RewardNotOffered, StockShort: if the reward is not to be had (409).
        PointsFew: if it costs less than the policy lets anybody redeem (422).
    """
    connection, principal, today = counter.connection, counter.principal, counter.today
    policy = await in_force_now(counter.database, connection, POINTS, on=today, node=counter.node)
    holder = (await ledger.lock(connection, [customer_id], principal.unit_path))[customer_id]
    holder.require_free()
    wanted = (body.reward, body.quantity)
    price = await rewards.book(connection, *wanted, today=today, level=holder.level)
    if price is None:
        raise await refusal(connection, *wanted, today=today, level=holder.level)
    points, minimum = price * body.quantity, policy.document.redemption_minimum
    if points < minimum:
        raise PointsFew(minimum=minimum, points=points)
    redemption_id = new_id()
    await ledger.take(
        connection,
        holder,
        points,
        kind=EntryKind.REDEMPTION,
        to=SystemAccount.REDEEMED,
        cause_id=redemption_id,
        today=today,
        at=counter.now,
        also=_ADD,
        values=(
            redemption_id, customer_id, *wanted, points, RedemptionState.OPEN.value, counter.now, principal.username,
            _FIRST_VERSION,
            *audit.values_of(
                audit.Actor.of(principal), REDEEMED, at=counter.now,
                **_told(redemption_id, customer_id, body.reward, points),
            ),
        ),
    )  # fmt: skip
    return redemption_id


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
    actor = audit.Actor.of(desk.principal)
    told = _told(row.id, row.customer_id, row.reward_code, row.points)
    audit.record(desk.session, actor, action, at=desk.now, **told)


def _told(redemption_id: UUID, customer_id: UUID, reward: str, points: int) -> dict[str, Any]:
    """Return what the audit log is told of a redemption, whatever happens to it."""
    return {
        "subject": ("customer", customer_id),
        "cause_id": redemption_id,
        "detail": {"reward": reward, "points": points},
    }
