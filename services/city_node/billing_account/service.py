"""The rules of billing accounts: crediting, paying bills, taking a payment back, suspending and resuming a line.

Whoever changes an account holds the lock of its line (:mod:`services.city_node.service_request.lines`), so the rows
below need no order of their own.
"""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.billing_account import outside, repository
from services.city_node.billing_account.models import BillingAccount, BillingEntry, EntryKind
from services.city_node.billing_account.problems import LineNotActive, NothingOwed
from services.city_node.customer.audited import record_change
from services.city_node.customer.history import Changes, change_row
from services.city_node.customer.models import (
    Bill,
    ChangeAction,
    ChangeSource,
    SubscriptionStatus,
)
from services.city_node.service_request.lines import Line
from shared import audit
from shared.capability import NodeContext
from shared.kernel.clock import business_day


@dataclass(frozen=True, slots=True)
class Cause:
    """Why an account is changed, as the history and the audit log name it.

    Attributes:
        actor: who.
        source: from where it came.
        now: when.
        cause_id: the payment or reversal; each changes the account once.
        message_id: the message that told of it.
    """

    actor: audit.Actor
    source: ChangeSource
    now: datetime
    cause_id: UUID | None = None
    message_id: UUID | None = None

    @property
    def today(self) -> date:
        """The business day."""
        return business_day(self.now)


class CannotTakeBack(Exception):
    """The money of a payment is not there any more, nor in bills that it could be taken out of."""


async def credit(
    context: NodeContext, session: AsyncSession, line: Line, amount_fen: int, cause: Cause
) -> bool:
    """Add money to a locked line's balance, pay what it covers, and resume the line if nothing is owed.

    Returns:
        Whether the line was resumed.
    """
    account = await repository.lock_account(session, line.subscription.id, now=cause.now)
    before = account.balance_fen
    changes: Changes = []
    _enter(session, account, EntryKind.CREDITED, amount_fen, cause)
    owes = await _pay_bills(session, account, line, cause, changes)
    resumed = not owes and await _resume(context, session, account, line, cause, changes)
    _keep(session, line, account, before, changes, cause)
    await session.flush()  # the caller's later statements go past the session
    return resumed


async def settle(context: NodeContext, session: AsyncSession, line: Line, cause: Cause) -> None:
    """Pay the bills of a locked line that came after the money."""
    account = await repository.lock_account(session, line.subscription.id, now=cause.now)
    before = account.balance_fen
    changes: Changes = []
    owes = await _pay_bills(session, account, line, cause, changes)
    if not owes:
        await _resume(context, session, account, line, cause, changes)
    _keep(session, line, account, before, changes, cause)
    await session.flush()  # one line after the other, in the order in which they were locked


async def take_back(
    context: NodeContext,
    session: AsyncSession,
    line: Line,
    payment_id: UUID,
    *,
    had_resumed: bool,
    cause: Cause,
) -> None:
    """Take a credited payment out of a locked line's balance again.

    What bills have used of it meanwhile comes back from them, the newest first: they are unpaid again. If the payment
    had resumed the line and something is owed now, the line is suspended again.

    Raises:
        CannotTakeBack: if the payment was not credited to this line, or what it paid is gone.
    """
    paid_in = await repository.credited(session, payment_id)
    if paid_in is None or paid_in.subscription_id != line.subscription.id:
        raise CannotTakeBack
    account = await repository.lock_account(session, line.subscription.id, now=cause.now)
    before = account.balance_fen
    paid = await repository.paid_since(session, line.subscription.id, paid_in.id)
    changes: Changes = []
    for used in paid:
        if account.balance_fen >= paid_in.amount_fen:
            break
        _enter(session, account, EntryKind.RELEASED, used.amount_fen, cause, bill=used.bill)
        _set_paid(line, used.bill, None, changes)
    if account.balance_fen < paid_in.amount_fen:
        raise CannotTakeBack
    _enter(session, account, EntryKind.REVERSED, -paid_in.amount_fen, cause)
    if had_resumed and changes and line.subscription.status == SubscriptionStatus.ACTIVE:
        await _suspend(context, session, account, line, cause, changes)
    _keep(session, line, account, before, changes, cause)
    await session.flush()  # the caller's later statements go past the session


async def suspend(context: NodeContext, session: AsyncSession, line: Line, cause: Cause) -> None:
    """Suspend a locked line for arrears; paying everything resumes it.

    Raises:
        LineNotActive: if it is not in use (409).
        NothingOwed: if it has no unpaid bill (409).
    """
    subscription = line.subscription
    if subscription.status != SubscriptionStatus.ACTIVE:
        raise LineNotActive(subscription=subscription.id, status=subscription.status)
    account = await repository.lock_account(session, subscription.id, now=cause.now)
    if not await repository.unpaid_bills(session, subscription.id):
        raise NothingOwed(subscription=subscription.id)
    changes: Changes = []
    await _suspend(context, session, account, line, cause, changes)
    _keep(session, line, account, account.balance_fen, changes, cause)
    await session.flush()  # the answer is read by SQL in this transaction


async def _pay_bills(
    session: AsyncSession, account: BillingAccount, line: Line, cause: Cause, changes: Changes
) -> bool:
    """Pay the oldest bills that the balance covers whole; tell whether any is left unpaid."""
    for bill in await repository.unpaid_bills(session, account.subscription_id):
        if bill.charge_fen > account.balance_fen:
            return True
        _enter(session, account, EntryKind.APPLIED, -bill.charge_fen, cause, bill=bill)
        _set_paid(line, bill, cause.today, changes)
    return False


def _enter(
    session: AsyncSession,
    account: BillingAccount,
    kind: EntryKind,
    amount_fen: int,
    cause: Cause,
    *,
    bill: Bill | None = None,
) -> None:
    account.balance_fen += amount_fen
    session.add(
        BillingEntry(
            subscription_id=account.subscription_id,
            at=cause.now,
            kind=kind.value,
            amount_fen=amount_fen,
            bill_id=bill.id if bill else None,
            cause_id=cause.cause_id,
        )
    )


def _set_paid(line: Line, bill: Bill, paid_on: date | None, changes: Changes) -> None:
    field = f"bills/{line.subscription.msisdn}/{bill.period:%Y-%m}/paid_on"
    old, bill.paid_on = bill.paid_on, paid_on
    changes.append(
        {
            "field": field,
            "old": old.isoformat() if old else None,
            "new": paid_on.isoformat() if paid_on else None,
        }
    )


async def _suspend(  # noqa: PLR0917 - who, where and why
    context: NodeContext,
    session: AsyncSession,
    account: BillingAccount,
    line: Line,
    cause: Cause,
    changes: Changes,
) -> None:
    account.suspended_at = cause.now
    _set_status(line, SubscriptionStatus.SUSPENDED, changes)
    await outside.follow_status(
        context,
        session,
        line.subscription,
        cause_id=cause.cause_id,
        suspended_at=cause.now,
        now=cause.now,
    )


async def _resume(  # noqa: PLR0917 - as above
    context: NodeContext,
    session: AsyncSession,
    account: BillingAccount,
    line: Line,
    cause: Cause,
    changes: Changes,
) -> bool:
    """Resume a line that was suspended for arrears; one that was suspended otherwise stays so."""
    suspended_at, account.suspended_at = account.suspended_at, None
    if suspended_at is None or line.subscription.status != SubscriptionStatus.SUSPENDED:
        return False  # not in arrears, or somebody has resumed or ended it meanwhile
    _set_status(line, SubscriptionStatus.ACTIVE, changes)
    await outside.follow_status(
        context,
        session,
        line.subscription,
        cause_id=cause.cause_id,
        suspended_at=suspended_at,
        now=cause.now,
    )
    return True


def _set_status(line: Line, status: SubscriptionStatus, changes: Changes) -> None:
    subscription = line.subscription
    field = f"subscriptions/{subscription.msisdn}/status"
    changes.append({"field": field, "old": subscription.status, "new": status.value})
    subscription.status = status.value


def _keep(  # noqa: PLR0917 - what changed, in the order in which it is written
    session: AsyncSession,
    line: Line,
    account: BillingAccount,
    balance_before: int,
    changes: Changes,
    cause: Cause,
) -> None:
    if account.balance_fen != balance_before:
        field = f"billing_accounts/{line.subscription.msisdn}/balance_fen"
        changes.insert(0, {"field": field, "old": balance_before, "new": account.balance_fen})
    account.updated_at = cause.now
    account.version += 1
    if not changes:
        return
    action = ChangeAction.CHANGED
    session.add(
        change_row(
            line.customer,
            action,
            changes,
            at=cause.now,
            by=cause.actor.by,
            source=cause.source,
            cause_id=cause.message_id or cause.cause_id,
        )
    )
    record_change(
        session,
        cause.actor,
        action,
        line.customer.id,
        changes,
        at=cause.now,
        cause_id=cause.message_id or cause.cause_id,
    )
