"""What a capability is: the one thing a package says about itself to become part of a node.

A node is a tier, its settings and a tuple of capabilities. Each names the routers it serves, the messages it
understands, the work it does by the clock and on request, the permissions it asks for and who holds them, and its
commands. A capability is added to a tier by adding its folder and one line in that tier's ``app.py``.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Generic, Protocol, TypeVar
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession
from typer import Typer

from shared.federation.delivery import Delivery
from shared.federation.high_water import HighWaterMark
from shared.federation.post import PostOffice
from shared.kernel.clock import Clock
from shared.kernel.database import Database
from shared.kernel.edge import awaited
from shared.kernel.encryption import Cipher
from shared.kernel.language import Text
from shared.kernel.settings import Settings


class Role(StrEnum):
    """What a person or program is to a node; ``docs/glossary.md`` has the Chinese names."""

    CLERK = "clerk"
    ACCOUNT_MANAGER = "account_manager"
    SUPERVISOR = "supervisor"
    PROVINCE_COORDINATOR = "province_coordinator"
    HQ_ANALYST = "hq_analyst"
    OPERATOR = "operator"
    AUDITOR = "auditor"
    INTEGRATION = "integration"


@dataclass(frozen=True, slots=True)
class Permission:
    """One thing that may be allowed, as ``noun:verb``, and the roles that hold it."""

    code: str
    summary: Text
    roles: frozenset[Role]


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that the audit log records, as ``noun.verb`` in the past."""

    code: str
    summary: Text


@dataclass(frozen=True, slots=True)
class EventType:
    """One type of event, made of the rows of a table by :mod:`shared.event`.

    All but the first three are SQL, in which ``r`` is the row, and ``o`` what a changed one was before.

    Attributes:
        type: ``guanxi.<noun>.<what happened>.v<n>``.
        summary: what happened.
        table: the table whose rows tell of it.
        subject: whom it is about: a path of the node's API.
        time: when it happened.
        unit: the unit that it happened in, or ``NULL`` for what concerns the whole node.
        data: what more is told, by name: ids and codes, nothing personal.
        when: which rows tell of it.
        key: for events made of rows that *change*: their key; empty for those made of rows that are added.
    """

    type: str
    summary: Text
    table: str
    subject: str
    time: str
    unit: str
    data: Mapping[str, str]
    when: str = "true"
    key: str = ""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Duties that are kept apart: one role, and one person, has a permission of the one side or of the other.

    Attributes:
        one: permissions of the one side, ``noun:verb``, or ``noun:*`` for all of a noun.
        other: those of the other side.
        reason: why they are kept apart.
        of_one_change: whether both may be held, and only one of them used by one person on one change. Where such a
            change is made it is checked who made the first step.
    """

    one: frozenset[str]
    other: frozenset[str]
    reason: Text
    of_one_change: bool = False

    def between(self, some: Iterable[str], others: Iterable[str]) -> tuple[str, str] | None:
        """Return the first pair of permissions, one of each collection, that are to be kept apart."""
        for one, other in ((self.one, self.other), (self.other, self.one)):
            left, right = _among(some, one), _among(others, other)
            if left and right:
                return left[0], right[0]
        return None


def _among(permissions: Iterable[str], side: frozenset[str]) -> list[str]:
    return sorted(
        code for code in permissions if code in side or f"{code.partition(':')[0]}:*" in side
    )


@dataclass(frozen=True, slots=True)
class NodeContext:
    """What the endpoints, messages, jobs and commands of a node work with."""

    settings: Settings
    clock: Clock
    database: Database
    cipher: Cipher
    post: PostOffice
    high_water: HighWaterMark


@dataclass(frozen=True, slots=True)
class MessageHandler:
    """What a node does with one type of message.

    The handler runs in the transaction that received the message and may run twice. It refuses a message for good
    by raising :class:`~shared.federation.delivery.MessageRefused`. With ``transit`` it also sees messages that only
    pass through this node on their way. ``recovered`` is for a node whose database was restored from a backup: it is
    called with each of the node's *own* messages of this type that the backup did not hold and a peer gave back, so
    that the business remembers what it had asked or told. It may run twice. ``handle_together``, for a type of which
    many come at once, is given those that came one after another; if it raises, for whatever reason, nothing of them
    remains, and each half is given to it again, down to single ones, which are ``handle``'s.
    """

    type: str
    summary: Text
    handle: Callable[[NodeContext, Delivery], Awaitable[None]]
    transit: bool = False
    recovered: Callable[[NodeContext, Delivery], Awaitable[None]] | None = None
    handle_together: Callable[[NodeContext, Sequence[Delivery]], Awaitable[None]] | None = None


@dataclass(frozen=True, slots=True)
class Daily:
    """Once a day at a local time of Asia/Shanghai (``"01:30"``), or at the time that a setting names."""

    at: str | None = None
    setting: str | None = None


@dataclass(frozen=True, slots=True)
class Every:
    """Again and again after ``interval``."""

    interval: timedelta


@dataclass(frozen=True, slots=True)
class Job:
    """Work done by the clock, in one process of the node at a time. It may be interrupted anywhere and run again."""

    name: str
    summary: Text
    schedule: Daily | Every
    run: Callable[[NodeContext, datetime], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Requester:
    """Who asked for a piece of work, as they were when they asked.

    Attributes:
        name: how the history names them.
        id: the member of staff; ``None`` for an operator at the command line.
        unit_code: their organisation unit.
        permissions: what they held; ``None`` for an operator, who holds everything.
    """

    name: str
    id: UUID | None
    unit_code: str
    permissions: frozenset[str] | None


class WorkHandle(Protocol):
    """What a piece of long work holds while it runs; :mod:`shared.work` has its life cycle."""

    id: UUID
    attempt: int
    """1 the first time, more after an interruption."""
    parameters: Mapping[str, Any]
    requester: Requester

    async def progress(self, done: int, total: int | None = None, unit: str | None = None) -> None:
        """Tell how far the work is; ends it, by raising, if it is no longer wanted here."""

    async def checkpoint(self) -> None:
        """End the work, by raising, if it is no longer wanted here."""

    async def finish(self, session: AsyncSession, result: Mapping[str, Any]) -> None:
        """Declare the work done in the very transaction that did it, so that the two cannot part."""


@dataclass(frozen=True, slots=True)
class WorkKind:
    """A kind of long work, run in one process of the node and taken up again if it is interrupted.

    ``run`` opens its own transactions, tells its progress, may run twice, and returns the result to keep.
    """

    name: str
    summary: Text
    run: Callable[[NodeContext, WorkHandle], Awaitable[Mapping[str, Any] | None]]
    at_once: int = 1
    """How many of this kind may run beside one another."""


D = TypeVar("D", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Bound:
    """How far overrides may move one part of a policy document.

    ``pointer`` is a JSON pointer (RFC 6901) into the document, in which ``*`` stands for any index or key. A part with
    neither limits nor choices may be set as its publisher likes.
    """

    pointer: str
    minimum: int | None = None
    maximum: int | None = None
    one_of: tuple[str, ...] | None = None


@dataclass(frozen=True, eq=False)
class PolicyKind(Generic[D]):
    """A kind of policy, as the rule that is governed by it declares it; :mod:`shared.policy` has its life.

    Each is itself and equal to no other.

    Attributes:
        name: as it is asked for: ``level``.
        title: what it is called.
        document: the form of its documents, a frozen and strict model that forbids what it does not know.
        default: the national policy that ships with the program.
        bounds: where overrides may move what, unless HQ publishes bounds of its own; what has no bound is HQ's alone.
    """

    name: str
    title: Text
    document: type[D]
    default: D
    bounds: tuple[Bound, ...] = ()


@dataclass(frozen=True, slots=True)
class ReferencePage:
    """A page of the documentation that a capability writes from what is declared.

    Attributes:
        name: its file below ``docs/``.
        render: writes it, given what the capabilities of every tier offer.
    """

    name: str
    render: Callable[[Sequence[object]], str]


@dataclass(frozen=True, slots=True)
class Capability:
    """What one package adds to a node."""

    name: str
    summary: Text
    routers: tuple[APIRouter, ...] = ()
    messages: tuple[MessageHandler, ...] = ()
    jobs: tuple[Job, ...] = ()
    works: tuple[WorkKind, ...] = ()
    permissions: tuple[Permission, ...] = ()
    actions: tuple[Action, ...] = ()
    """What it leaves in the audit log."""
    events: tuple[EventType, ...] = ()
    """What it tells programs that follow the node."""
    policies: tuple[PolicyKind[Any], ...] = ()
    """Kinds of policy that its rules are governed by."""
    commands: tuple[tuple[str, Typer], ...] = ()
    """Groups of commands by name: ``("customer", app)`` gives ``guanxi customer ...``."""
    offers: tuple[object, ...] = ()
    """What it adds to another capability of the node, which takes up the kinds that it knows: parts of a page, say."""
    channels: tuple[str, ...] = ()
    """Channels of the database whose notifications its endpoints wait for; ``app.state.watchers`` has who waits."""
    pages: tuple[ReferencePage, ...] = ()
    """Pages of the documentation that are written from what is declared."""
    conflicts: tuple[Conflict, ...] = ()
    """Duties that are kept apart. A permission may be named that another capability declares, or that nobody does."""
    on_start: tuple[Callable[[NodeContext], Awaitable[None]], ...] = field(default=())
    """What must be true before the node serves; run in every worker, so it must be safe to repeat at once."""


def context_of(request: Request) -> NodeContext:
    """Return the context of the node that serves ``request``."""
    context: NodeContext = request.app.state.context
    return context


Context = Annotated[NodeContext, Depends(awaited(context_of))]
