"""From a draft to a published version, by two people; and the end of a version."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared import audit
from shared.audit import Actor
from shared.capability import Action, Bound, PolicyKind
from shared.federation.post import PostOffice
from shared.kernel.clock import business_day
from shared.kernel.language import Text
from shared.kernel.preconditions import require_version
from shared.kernel.problems import Fault
from shared.kernel.second_person import SecondPersonNeeded
from shared.kernel.settings import HQ_CODE
from shared.policy import repository, sharing
from shared.policy.bounds import tokens
from shared.policy.draft_schemas import NewDraft
from shared.policy.models import DraftState, PolicyDraft, PolicyVersion
from shared.policy.problems import (
    DraftDecided,
    NotTheDrafter,
    NotThePublisher,
    PolicyInvalid,
    VersionWithdrawn,
)
from shared.policy.resolution import Version
from shared.policy.service import require_holds, resolution, unpublished
from shared.policy.statement import Published, Statement, Withdrawn
from shared.staff.repository import are_one_person

DRAFTED = Action("policy.drafted", Text("a policy was drafted", "拟定政策草案"))
REVISED = Action("policy.revised", Text("a draft of a policy was changed", "修改政策草案"))
REJECTED = Action(
    "policy.rejected",
    Text("a draft of a policy was rejected or taken back", "驳回或撤回政策草案"),
)
PUBLISHED = Action("policy.published", Text("a policy was published", "发布政策"))
WITHDRAWN = Action("policy.withdrawn", Text("a version of a policy was withdrawn", "撤销政策版本"))
actions = (DRAFTED, REVISED, REJECTED, PUBLISHED, WITHDRAWN)

STATES = {
    DraftState.PUBLISHED: Text("published", "已发布"),
    DraftState.REJECTED: Text("rejected", "已驳回"),
    DraftState.WITHDRAWN: Text("withdrawn", "已撤回"),
}
"""What the states of drafts that are decided are called."""

DOCUMENT = "/document"
"""Where the document is in what is sent and in a file."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who drafts or publishes: a member of staff, or an operator at the command line, who has no account."""

    name: str
    id: UUID | None


@dataclass(frozen=True, slots=True)
class Desk:
    """Where somebody drafts or publishes policies of a kind, in one transaction."""

    session: AsyncSession
    post: PostOffice
    kind: PolicyKind[Any]
    person: Person
    actor: Actor
    now: datetime

    @property
    def here(self) -> str:
        """Division code of the node, which is the publisher."""
        return self.post.code

    @property
    def today(self) -> date:
        """The present day in the business zone."""
        return business_day(self.now)

    def record(self, action: Action, subject: object, **detail: Any) -> None:
        """Leave a record in the audit log."""
        audit.record(
            self.session,
            self.actor,
            action,
            at=self.now,
            subject=("policy", subject),
            detail=detail,
        )


async def check(desk: Desk, given: NewDraft) -> None:
    """Refuse what could not be published as it is.

    Raises:
        PolicyInvalid: if it does not have its form, or would begin in the past without saying so (422).
        PolicyOutsideBounds: if it leaves the bounds (422).
    """
    faults = [*_faults_of_dates(desk, given), *_faults_of_bounds(desk, given)]
    if faults:
        raise PolicyInvalid(faults=faults, kind=desk.kind.name, count=len(faults))
    tried = as_version(desk, given)
    for on in sorted({given.effective_from, max(given.effective_from, desk.today)}):
        found = await resolution(desk.session, desk.kind, on=on, node=desk.here, draft=tried)
        require_holds(found, tried, DOCUMENT)


def as_version(desk: Desk, given: NewDraft) -> Version:
    """Return a draft as if this node had published it."""
    return unpublished(
        desk.here,
        given.document,
        given.effective_from,
        None if given.bounds is None else tuple(bound.as_bound() for bound in given.bounds),
    )


_PAST = Text(
    "this day is over: what was done by it stays done. Begin on {today} or later, or set `retroactive` and say why in `note`",
    "该日期已过，已按原政策办理的业务不会改变。请自 {today} 或以后生效；如确需追溯，请设 retroactive 并在 note 中说明原因",
)
_WHY = Text("say why it has to begin in the past", "请说明为何须追溯生效")
_HQ_ALONE = Text("only HQ sets bounds; an override has none", "范围仅由总部设定，下级调整不设范围")
_POINTER = Text(
    "must be a JSON pointer such as /gold/from_fen", "必须是 JSON 指针，如 /gold/from_fen"
)
_TWICE = Text("this pointer has a bound already", "此指针已有范围")
_EMPTY = Text("no value is between {minimum} and {maximum}", "{minimum} 与 {maximum} 之间没有值")


def _faults_of_dates(desk: Desk, given: NewDraft) -> list[Fault]:
    if given.effective_from >= desk.today:
        return []
    if not given.retroactive:
        return [Fault.of("/effective_from", _PAST, today=desk.today)]
    return [] if given.note else [Fault.of("/note", _WHY)]


def _faults_of_bounds(desk: Desk, given: NewDraft) -> list[Fault]:
    if given.bounds is None:
        return []
    if desk.here != HQ_CODE:
        return [Fault.of("/bounds", _HQ_ALONE)]
    faults, seen = [], set()
    for place, bound in enumerate(given.bounds):
        at = f"/bounds/{place}"
        if bound.pointer and not bound.pointer.startswith("/"):
            faults.append(Fault.of(f"{at}/pointer", _POINTER))
        if tuple(tokens(bound.pointer)) in seen:
            faults.append(Fault.of(f"{at}/pointer", _TWICE))
        seen.add(tuple(tokens(bound.pointer)))
        low, high = bound.minimum, bound.maximum
        if low is not None and high is not None and low > high:
            faults.append(Fault.of(f"{at}/minimum", _EMPTY, minimum=low, maximum=high))
    return faults


async def draft(desk: Desk, draft_id: UUID, given: NewDraft) -> PolicyDraft:
    """Keep a draft, for a second person to publish.

    Raises:
        PolicyInvalid, PolicyOutsideBounds: as :func:`check` (422).
    """
    await check(desk, given)
    made = PolicyDraft(
        id=draft_id,
        kind=desk.kind.name,
        state=DraftState.DRAFT.value,
        drafted_by=desk.person.name,
        drafter_id=desk.person.id,
        drafted_at=desk.now,
        version=1,
        **_columns(given),
    )
    await repository.add_draft(desk.session, made)
    desk.record(
        DRAFTED, made.id, kind=desk.kind.name, effective_from=given.effective_from.isoformat()
    )
    return made


def _columns(given: NewDraft) -> dict[str, Any]:
    written = given.model_dump(mode="json")
    return {
        "document": given.document,
        "bounds": written["bounds"],
        "effective_from": given.effective_from,
        "retroactive": given.retroactive,
        "note": given.note,
    }


async def revise(desk: Desk, draft_id: UUID, expected: int, given: NewDraft) -> PolicyDraft:
    """Change a draft of one's own.

    Raises:
        DraftNotFound: if there is none (404).
        VersionStale: if it was changed since (412).
        DraftDecided: if it is decided (409).
        NotTheDrafter: if it is somebody else's (403).
        PolicyInvalid, PolicyOutsideBounds: as :func:`check` (422).
    """
    found = await _open_draft(desk, draft_id, expected)
    _require_drafter(desk, found)
    await check(desk, given)
    for name, value in _columns(given).items():
        setattr(found, name, value)
    found.version += 1
    desk.record(
        REVISED, found.id, kind=desk.kind.name, effective_from=given.effective_from.isoformat()
    )
    return found


async def reject(desk: Desk, draft_id: UUID, expected: int, reason: str) -> PolicyDraft:
    """Decide that somebody else's draft is not published.

    Raises:
        DraftNotFound, VersionStale, DraftDecided: as :func:`revise`.
        SecondPersonNeeded: if the caller drafted it (403).
    """
    found = await _open_draft(desk, draft_id, expected)
    await _require_second_person(desk, found)
    return _decided(desk, found, DraftState.REJECTED, reason)


async def take_back(desk: Desk, draft_id: UUID, expected: int) -> PolicyDraft:
    """Take a draft of one's own back.

    Raises:
        DraftNotFound, VersionStale, DraftDecided, NotTheDrafter: as :func:`revise`.
    """
    found = await _open_draft(desk, draft_id, expected)
    _require_drafter(desk, found)
    return _decided(desk, found, DraftState.WITHDRAWN, None)


async def publish(desk: Desk, draft_id: UUID, expected: int) -> PolicyVersion:
    """Publish somebody else's draft: sign it, keep it, and tell those whom it concerns.

    Raises:
        DraftNotFound, VersionStale, DraftDecided: as :func:`revise`.
        SecondPersonNeeded: if the caller drafted it (403).
        PolicyInvalid, PolicyOutsideBounds: as :func:`check`, for things may have changed since it was drafted (422).
    """
    found = await _open_draft(desk, draft_id, expected)
    await _require_second_person(desk, found)
    await check(desk, given_in(found))
    await repository.lock(desk.session, desk.kind.name)
    number = await repository.next_number(desk.session, desk.kind.name, desk.here)
    bounds: tuple[Bound, ...] | None = None
    if desk.here == HQ_CODE:
        # Also those that ship: what HQ signed says all of what holds, whatever a later release ships.
        bounds = desk.kind.bounds if found.bounds is None else repository.bounds_of(found.bounds)
    said = Published(
        kind=desk.kind.name,
        publisher=desk.here,
        number=number,
        effective_from=found.effective_from,
        document=found.document,
        bounds=bounds,
        note=found.note,
        drafted_by=found.drafted_by,
        published_at=desk.now,
        published_by=desk.person.name,
    )
    statement = Statement.made(said, desk.post.key, desk.here)
    await repository.add_published(desk.session, statement, said, now=desk.now)
    await sharing.pass_on(desk.session, desk.post, statement, said, now=desk.now)
    _decided(desk, found, DraftState.PUBLISHED, None, number)
    desk.record(
        PUBLISHED,
        found.id,
        kind=desk.kind.name,
        number=number,
        effective_from=found.effective_from.isoformat(),
        retroactive=found.retroactive,
        digest=statement.digest,
    )
    return (await repository.version(desk.session, desk.kind.name, desk.here, number))[0]


async def withdraw(desk: Desk, publisher: str, number: int, reason: str) -> PolicyVersion:
    """Withdraw a version of this node's, as if it had never been published.

    Raises:
        VersionNotFound: if there is none (404).
        NotThePublisher: if another node published it (409).
        VersionWithdrawn: if it was withdrawn before (409).
    """
    await repository.lock(desk.session, desk.kind.name)
    version, withdrawal = await repository.version(desk.session, desk.kind.name, publisher, number)
    if publisher != desk.here:
        raise NotThePublisher(publisher=publisher, here=desk.here)
    if withdrawal is not None:
        at = withdrawal.withdrawn_at.isoformat(timespec="seconds")
        raise VersionWithdrawn(by=withdrawal.withdrawn_by, at=at)
    said = Withdrawn(
        kind=desk.kind.name,
        publisher=desk.here,
        version=version.digest,
        reason=reason,
        withdrawn_at=desk.now,
        withdrawn_by=desk.person.name,
    )
    statement = Statement.made(said, desk.post.key, desk.here)
    await repository.add_withdrawn(desk.session, statement, said, now=desk.now)
    await sharing.pass_on(desk.session, desk.post, statement, said, now=desk.now)
    desk.record(WITHDRAWN, version.digest, kind=desk.kind.name, number=number, reason=reason)
    return version


def given_in(found: PolicyDraft) -> NewDraft:
    """Return what a draft was made of."""
    names = ("document", "bounds", "effective_from", "retroactive", "note")
    return NewDraft.model_validate({name: getattr(found, name) for name in names})


async def _open_draft(desk: Desk, draft_id: UUID, expected: int) -> PolicyDraft:
    found = await repository.draft(desk.session, draft_id, desk.kind.name, locked=True)
    require_version(found.version, expected)
    if found.state != DraftState.DRAFT:
        raise DraftDecided(state=STATES[DraftState(found.state)])
    return found


def _decided(
    desk: Desk, found: PolicyDraft, state: DraftState, reason: str | None, number: int | None = None
) -> PolicyDraft:
    found.state, found.reason, found.number = state.value, reason, number
    found.decided_by, found.decided_at = desk.person.name, desk.now
    found.version += 1
    if state is not DraftState.PUBLISHED:
        desk.record(REJECTED, found.id, kind=found.kind, state=state.value)
    return found


def _require_drafter(desk: Desk, found: PolicyDraft) -> None:
    if (found.drafted_by, found.drafter_id) != (desk.person.name, desk.person.id):
        raise NotTheDrafter(by=found.drafted_by)


async def _require_second_person(desk: Desk, found: PolicyDraft) -> None:
    one, other = desk.person, Person(found.drafted_by, found.drafter_id)
    same = one.name == other.name or (
        one.id is not None
        and other.id is not None
        and await are_one_person(desk.session, one.id, other.id)
    )
    if same:
        raise SecondPersonNeeded(by=found.drafted_by)
