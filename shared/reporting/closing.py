"""Closing and reopening months at HQ: proposed by one person, decided by another.

What a month is made of when it is closed is what is in force at HQ in that moment, revision by revision. It is said to
each city by a statement of its own (:mod:`~shared.reporting.statement`), so that all who hold that city's figures hold
the same.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.capability import Action
from shared.federation.post import PostOffice
from shared.federation.repository import registered_cities
from shared.kernel.clock import business_day
from shared.kernel.language import Text
from shared.kernel.preconditions import require_version
from shared.kernel.problems import Fault
from shared.kernel.second_person import SecondPersonNeeded
from shared.kernel.settings import HQ_CODE
from shared.reporting import sharing
from shared.reporting.access import CLOSED, PROPOSED, REJECTED, REOPENED, WITHDRAWN, Desk
from shared.reporting.models import Act, ProposalState, ReportingProposal, ReportingStatement
from shared.reporting.problems import (
    MonthNeeded,
    MonthOpen,
    ProposalOfAnother,
    ProposalOpen,
    ReportingMonthClosed,
    ReportingMonthNotOver,
    ReportingProposalNotFound,
    SlicesMissing,
)
from shared.reporting.service import missing_of_month
from shared.reporting.statement import Said
from shared.staff.repository import are_one_person
from shared.statistics.period import Period, PeriodKind

log = structlog.get_logger("reporting")

ACTS = {Act.CLOSE: Text("close", "结账"), Act.REOPEN: Text("reopen", "反结账")}
"""What the acts are called."""
MOST_NAMED = 10
"""So many cities are named in a refusal."""


def month_named(given: str) -> Period:
    """Return the month that is meant.

    Raises:
        PeriodInvalid: if it is no period (422).
        MonthNeeded: if it is a day (422).
    """
    period = Period.parse(given, "path:period")
    if period.kind is not PeriodKind.MONTH:
        raise MonthNeeded(
            faults=[Fault("path:period", "a month YYYY-MM", "月份 YYYY-MM")],
            period=period,
            month=Period(PeriodKind.MONTH, period.start.replace(day=1)),
        )
    return period


async def propose(
    desk: Desk, proposal_id: UUID, month: Period, act: Act, reason: str | None
) -> ReportingProposal:
    """Propose to close or reopen a month, for a second person to decide.

    Raises:
        ReportingMonthNotOver: if it is not over (409).
        ReportingMonthClosed, MonthOpen: if it is so already (409).
        ProposalOpen: if another proposal is undecided (409).
        SlicesMissing: if it is to be closed without a reason while slices are missing (409).
    """
    await sharing.take_turn(desk.session)
    undecided = await proposal(desk.session, str(month))
    if undecided is not None:
        raise ProposalOpen(by=undecided.proposed_by, act=ACTS[Act(undecided.act)], month=month)
    await _require_possible(desk, month, act, reason)
    made = ReportingProposal(
        id=proposal_id,
        month=str(month),
        act=act.value,
        reason=reason,
        state=ProposalState.PROPOSED.value,
        proposed_by=desk.name,
        proposer_id=desk.person,
        proposed_at=desk.now,
        version=await _last_version(desk.session, month) + 1,
    )
    desk.session.add(made)
    await desk.session.flush()  # the answer is made of what the database keeps
    desk.record(PROPOSED, "statistics_month", month, act=act.value)
    return made


async def approve(desk: Desk, month: Period, expected: int) -> ReportingProposal:
    """Do what somebody else proposed: from the commit on the month is closed, or open.

    Raises:
        ReportingProposalNotFound: if nothing is proposed (404).
        VersionStale: if it is another proposal (412).
        SecondPersonNeeded: if the caller proposed it (403).
        ReportingMonthNotOver, ReportingMonthClosed, MonthOpen, SlicesMissing: as :func:`propose`, if things have
            changed (409).
    """
    await sharing.take_turn(desk.session)
    found = await _decidable(desk, month, expected)
    act = Act(found.act)
    await _require_possible(desk, month, act, found.reason)
    await _say(desk, month, act, found)
    action = CLOSED if act is Act.CLOSE else REOPENED
    log.info("act on a month", act=act.value, month=str(month), reason=found.reason)
    return _decided(desk, found, ProposalState.APPROVED, None, action)


async def reject(desk: Desk, month: Period, expected: int, reason: str) -> ReportingProposal:
    """Decide that what somebody else proposed is not done.

    Raises:
        ReportingProposalNotFound, VersionStale, SecondPersonNeeded: as :func:`approve`.
    """
    await sharing.take_turn(desk.session)
    found = await _decidable(desk, month, expected)
    return _decided(desk, found, ProposalState.REJECTED, reason, REJECTED)


async def withdraw(
    desk: Desk, month: Period, expected: int, reason: str | None
) -> ReportingProposal:
    """Take back what the caller proposed; it is kept as rejected by its proposer.

    Raises:
        ReportingProposalNotFound: if nothing is proposed (404).
        VersionStale: if it is another proposal (412).
        ProposalOfAnother: if somebody else proposed it (403).
    """
    await sharing.take_turn(desk.session)
    found = await _undecided(desk, month, expected)
    if not await _is_proposer(desk, found):
        raise ProposalOfAnother(by=found.proposed_by)
    return _decided(desk, found, ProposalState.REJECTED, reason, WITHDRAWN)


async def proposal(session: AsyncSession, month: str) -> ReportingProposal | None:
    """Return the undecided proposal for a month."""
    return await session.scalar(
        select(ReportingProposal).where(
            ReportingProposal.month == month,
            ReportingProposal.state == ProposalState.PROPOSED.value,
        )
    )


async def _last_version(session: AsyncSession, month: Period) -> int:
    """Return the version of the month's last proposal: the next one goes on from it, so that no ETag means two."""
    last = await session.scalar(
        select(func.max(ReportingProposal.version)).where(ReportingProposal.month == str(month))
    )
    return last or 0


async def last_act(session: AsyncSession, month: str) -> ReportingStatement | None:
    """Return HQ's last act on a month that this node has heard of."""
    return await session.scalar(
        select(ReportingStatement)
        .where(
            ReportingStatement.month == month, ReportingStatement.kind.in_(("closed", "reopened"))
        )
        .order_by(
            ReportingStatement.number.desc(),
            ReportingStatement.said_at.desc(),
            ReportingStatement.digest.desc(),
        )
        .limit(1)
    )


async def is_closed(session: AsyncSession, month: str) -> bool:
    """Tell whether a month is closed, as far as this node has heard."""
    act = await last_act(session, month)
    return act is not None and act.kind == "closed"


async def tell_newcomers(session: AsyncSession, post: PostOffice, *, now: datetime) -> None:
    """At HQ: tell cities that joined later which months are closed: nothing of theirs is in these."""
    rows = await session.execute(text(_LAST_ACTS))
    cities = set(await registered_cities(session))
    for month, number, kind, said_by, nodes in rows.all():
        newcomers = sorted(cities - set(nodes))
        if kind == "closed" and newcomers:
            said = [
                Said(
                    kind="closed",
                    publisher=HQ_CODE,
                    node=node,
                    month=month,
                    number=number,
                    revisions={},
                    said_at=now,
                    said_by=said_by,
                )
                for node in newcomers
            ]
            await sharing.publish(session, post, said, now=now)


_LAST_ACTS = """
    SELECT DISTINCT ON (a.month) a.month, a.number, a.kind, a.said_by,
        (SELECT array_agg(DISTINCT o.node) FROM reporting_statement o WHERE o.month = a.month)
    FROM reporting_statement a WHERE a.kind IN ('closed', 'reopened')
    ORDER BY a.month, a.number DESC, a.said_at DESC, a.digest DESC"""


async def _require_possible(desk: Desk, month: Period, act: Act, reason: str | None) -> None:
    closed = await is_closed(desk.session, str(month))
    if act is Act.REOPEN:
        if not closed:
            raise MonthOpen(month=month)
        return
    if month.end > business_day(desk.now):
        raise ReportingMonthNotOver(month=month, from_=month.end)
    if closed:
        raise ReportingMonthClosed(month=month)
    if reason is None:
        lacking = await missing_of_month(desk.session, month, here=desk.here, now=desk.now)
        if lacking:
            _refuse_incomplete(month, lacking)


def _refuse_incomplete(month: Period, lacking: Mapping[str, Collection[tuple[str, str]]]) -> None:
    nodes = sorted({node for cells in lacking.values() for node, _ in cells})
    more = ["…"] if len(nodes) > MOST_NAMED else []
    raise SlicesMissing(
        faults=[Fault("/reason", "needed while slices are missing", "缺报时必填")],
        count=sum(map(len, lacking.values())),
        month=month,
        nodes=", ".join([*nodes[:MOST_NAMED], *more]),
    )


async def _undecided(desk: Desk, month: Period, expected: int) -> ReportingProposal:
    found = await proposal(desk.session, str(month))
    if found is None:
        raise ReportingProposalNotFound(month=month)
    require_version(found.version, expected)
    return found


async def _decidable(desk: Desk, month: Period, expected: int) -> ReportingProposal:
    found = await _undecided(desk, month, expected)
    if await _is_proposer(desk, found):
        raise SecondPersonNeeded(by=found.proposed_by)
    return found


async def _is_proposer(desk: Desk, found: ReportingProposal) -> bool:
    """Tell whether the caller proposed it, perhaps by another account."""
    return found.proposed_by == desk.name or (
        desk.person is not None
        and found.proposer_id is not None
        and await are_one_person(desk.session, desk.person, found.proposer_id)
    )


async def _say(desk: Desk, month: Period, act: Act, found: ReportingProposal) -> None:
    before = await last_act(desk.session, str(month))
    # Nothing more is stored until the commit: what is read now is what the month is made of.
    await desk.session.execute(text("LOCK TABLE statistics_slice IN SHARE ROW EXCLUSIVE MODE"))
    made_of = await _in_force(desk.session, str(month))
    nodes = sorted({*made_of, *await registered_cities(desk.session)})
    closes = act is Act.CLOSE
    sayings = [
        Said(
            kind="closed" if closes else "reopened",
            publisher=desk.here,
            node=node,
            month=str(month),
            number=(before.number if before else 0) + 1,
            revisions=made_of.get(node, {}) if closes else None,
            reason=found.reason,
            said_at=desk.now,
            said_by=desk.name,
            proposed_by=found.proposed_by,
        )
        for node in nodes
    ]
    if sayings:
        await sharing.publish(desk.session, desk.post, sayings, now=desk.now)


async def _in_force(session: AsyncSession, month: str) -> dict[str, dict[str, dict[str, int]]]:
    """Return what is in force of a month and its days: revisions by city, period and dataset."""
    rows = await session.execute(
        text(
            "SELECT node, period, dataset, revision FROM statistics_slice"
            " WHERE superseded_at IS NULL AND period = ANY(:periods)"
        ),
        {"periods": [str(each) for each in Period.parse(month).with_days]},
    )
    found: dict[str, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    for node, period, dataset, revision in rows:
        found[node][period][dataset] = revision
    return found


def _decided(
    desk: Desk, found: ReportingProposal, state: ProposalState, reason: str | None, action: Action
) -> ReportingProposal:
    found.state, found.decision_reason = state.value, reason
    found.decided_by, found.decided_at = desk.name, desk.now
    found.version += 1
    desk.record(action, "statistics_month", found.month, act=found.act, reason=found.reason)
    return found
