"""What ports, their operations and the effects of a capability are declared with."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from sqlalchemy.ext.asyncio import AsyncSession

from shared.capability import NodeContext
from shared.kernel.language import Text

TIMEOUT_SECONDS = 10.0


class Form(BaseModel):
    """The base of what is sent to a port and of what it answers.

    What is sent holds what was declared and nothing else. Of an answer the node reads what was declared and passes
    over the rest, so that a port may say more in its next release.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")


@dataclass(frozen=True, slots=True)
class Port:
    """A system outside of the federation that the node makes act.

    Attributes:
        name: as settings, metrics and the command line call it.
        title: what people call it.
        summary: what it does for the node.
        timeout: seconds after which an attempt that has no answer counts as failed.
    """

    name: str
    title: Text
    summary: Text
    timeout: float = TIMEOUT_SECONDS

    @property
    def setting(self) -> str:
        """The setting that holds its address."""
        return f"port_{self.name.replace('-', '_')}_url"


Q = TypeVar("Q", bound=Form)
A = TypeVar("A", bound=Form)


@dataclass(frozen=True, slots=True)
class Operation(Generic[Q, A]):
    """One thing that a port does when it is asked: ``POST`` of a form to a path, and a form for the answer.

    No path names anybody: addresses end up in the logs of whatever stands between.

    Attributes:
        port: whose.
        path: below the port's address, such as ``/sim-switches``.
        request: the form of what is sent.
        answer: the form of what it answers when it is done.
        summary: what it does.
    """

    port: Port
    path: str
    request: type[Q]
    answer: type[A]
    summary: Text

    @property
    def name(self) -> str:
        """How tables and metrics call it: the path without its slash."""
        return self.path.strip("/")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a port refuses for good: its problem details, without what could name anybody."""

    type: str
    title: str
    detail: str


@dataclass(frozen=True, slots=True)
class Call(Generic[Q]):
    """A call as it is told to whoever declared its effect.

    Attributes:
        id: of the call, which is its idempotency key.
        cause: what it was made for.
        content: what was asked.
        now: the moment at which it ended.
    """

    id: UUID
    cause: UUID
    content: Q
    now: datetime


Done = Callable[[NodeContext, AsyncSession, Call[Any], Any], Awaitable[None]]
Refused = Callable[[NodeContext, AsyncSession, Call[Any], Refusal], Awaitable[bool]]


@dataclass(frozen=True)
class Effect(Generic[Q, A]):
    """An operation as one capability uses it, and what follows.

    Both callbacks run in the transaction in which the call ends, which may be rolled back and repeated.

    Attributes:
        name: unique in the node, ``<capability>.<what>``; kept with each call.
        operation: what the port is asked to do.
        done: takes the answer.
        refused: takes a refusal for good; returns whether that settles it. If not, or without it, a person decides.
    """

    name: str
    operation: Operation[Q, A]
    done: Done | None = field(default=None, compare=False)
    refused: Refused | None = field(default=None, compare=False)

    @property
    def port(self) -> Port:
        """The port that it goes to."""
        return self.operation.port
