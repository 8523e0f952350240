"""What a kind of request is: states, moves, messages, limits and refusals, declared together and checked at once.

A capability offers its kinds (``offers=(KIND,)``), and the engine tells of them: over REST, and in a page of the
documentation (:mod:`~services.city_node.service_request.reference`).
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from services.city_node.customer.models import Level
from shared.kernel.language import Text

START = "start"
"""Where a record begins: before its first move there is none."""

EXPIRED = "expired"
"""The event of running out of time; what has such a move is looked at by the clock."""


MOVED = "moved"
"""The refusal of a home node that the customer has left for another."""
MOVED_TEXT = Text(
    "The customer has moved to another home city, where this could not be asked: ask again there.",
    "客户已转至其他归属地，未能在该地续办，请向新归属地重新提交。",
)


class KindMisdeclared(Exception):
    """A kind's declaration contradicts itself: a mistake of the programmer's, found at import."""


class Party(StrEnum):
    """The two ends of a request, each with a record of its own."""

    VISITED = "visited"
    """受理地: where the customer stands at the counter."""
    HOME = "home"
    """归属地: where the customer's record is."""

    @property
    def other(self) -> "Party":
        """The other end."""
        return Party.HOME if self is Party.VISITED else Party.VISITED


@dataclass(frozen=True, slots=True)
class State:
    """One state of a record.

    Attributes:
        code: its stable name.
        name: what people call it.
        awaits: whose move it is.
        final: whether it is an end.
        patience: how long a record may wait here before a person is called to look at it; for ever without it.
    """

    code: str
    name: Text
    awaits: Party | None = None
    final: bool = False
    patience: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """One allowed transition.

    Attributes:
        record: at which end the record makes it.
        event: what happens.
        origin: the states it may happen in.
        target: the state it leads to.
        by: who may make it happen: this end's own people and clock, or the other end by a message.
        compensation: what is undone by it, where it gives up.
    """

    record: Party
    event: str
    origin: tuple[str, ...]
    target: str
    by: Party
    compensation: Text | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request was refused: a stable code, and words that may be shown to the customer."""

    code: str
    text: Text


@dataclass(frozen=True, eq=False)
class Kind:
    """One kind of request. Each is itself and equal to no other.

    Attributes:
        code: its stable name.
        name: what people call it.
        states: every state of a record, at either end.
        moves: every allowed transition; whatever is not here is refused.
        time_limit: how long a request may take from the visited node's asking.
        home_grace: how much longer the home node keeps what it promised, so that it never lets go first.
        refusals: why it may be refused, by code.
        messages: what is told of what happens: the type of the message, by the end that says it and the event.
        borrowed: types among these that are not the kind's own, such as the words of HQ's directory.
        limits: how long a request of a customer of that level may take, where that is shorter than ``time_limit``.
        follows: whether its question follows a customer who moved, and may therefore be refused as :data:`MOVED`.
    """

    code: str
    name: Text
    states: tuple[State, ...]
    moves: tuple[Move, ...]
    time_limit: timedelta
    home_grace: timedelta
    refusals: Mapping[str, Text]
    messages: Mapping[tuple[Party, str], str] = field(default_factory=dict)
    limits: Mapping[str, timedelta] = field(default_factory=dict)
    follows: bool = False
    borrowed: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Refuse a declaration that contradicts itself."""
        if self.follows:
            object.__setattr__(self, "refusals", {MOVED: MOVED_TEXT, **self.refusals})
        for complaint in self._complaints():
            raise KindMisdeclared(f"Kind {self.code!r} {complaint}.")

    def _complaints(self) -> Iterator[str]:
        known = [state.code for state in self.states]
        final = {state.code for state in self.states if state.final}
        seen: set[tuple[Party, str, str, Party]] = set()
        if len(known) != len(set(known)) or START in known:
            yield f"declares a state twice, or one named {START!r}"
        for move in self.moves:
            for origin in move.origin:
                if {origin, move.target} - {*known, START} or move.target == START:
                    yield f"moves from {origin!r} to {move.target!r}, which are not both states of it"
                if origin in final:
                    yield f"leaves the final state {origin!r} by {move.event!r}"
                if (step := (move.record, origin, move.event, move.by)) in seen:
                    yield f"declares twice what {move.event!r} in {origin!r} does at the {move.record} node"
                seen.add(step)
        yield from self._state_complaints()
        yield from self._message_complaints()
        yield from self._limit_complaints()

    def _state_complaints(self) -> Iterator[str]:
        reached = {move.target for move in self.moves}
        for state in self.states:
            if state.code not in reached:
                yield f"never reaches the state {state.code!r}"
            if not state.final and not any(state.code in move.origin for move in self.moves):
                yield f"cannot leave the state {state.code!r}, which is not final"
            if state.final and state.patience is not None:
                yield f"waits in the final state {state.code!r}"

    def _message_complaints(self) -> Iterator[str]:
        made = {(move.by, move.event) for move in self.moves}
        for (party, event), message in self.messages.items():
            if (party, event) not in made:
                yield f"tells of {event!r} at the {party} node, where nobody makes it happen"
            own = re.fullmatch(rf"guanxi\.{re.escape(self.code)}\.[a-z-]+\.v[0-9]+", message)
            if not own and message not in self.borrowed:
                yield f"tells of {event!r} by {message!r}, which is no type of its own"
        for move in self.moves:
            told = (move.by, move.event) in self.messages
            if self.messages and move.by is not move.record and not told:
                yield f"cannot hear at the {move.record} node of {move.event!r}: no message tells of it"

    def _limit_complaints(self) -> Iterator[str]:
        for level, limit in self.limits.items():
            if level not in set(Level) or not timedelta() < limit <= self.time_limit:
                yield f"gives {level!r} a limit of {limit}, which is no level's or longer than that of all"

    def state(self, code: str) -> State:
        """Return the state of that code."""
        return next(state for state in self.states if state.code == code)

    def target(self, record: Party, origin: str, event: str, by: Party) -> State | None:
        """Return where ``event``, made by ``by``, leads the record that is in ``origin``; ``None`` if nowhere."""
        for move in self.moves:
            if (move.record, move.event, move.by) == (record, event, by) and origin in move.origin:
                return self.state(move.target)
        return None

    def possible(self, record: Party, origin: str, by: Party) -> tuple[str, ...]:
        """Return the events that ``by`` may make happen to a record in ``origin``."""
        return tuple(
            m.event for m in self.moves if m.record is record and m.by is by and origin in m.origin
        )

    def expirable(self, record: Party) -> frozenset[str]:
        """Return the states in which the clock may end a record."""
        own = (
            m.origin for m in self.moves if (m.record, m.event, m.by) == (record, EXPIRED, record)
        )
        return frozenset(origin for origins in own for origin in origins)

    def message(self, move: Move) -> str | None:
        """Return the type of the message that tells of a move, or that makes it happen."""
        return self.messages.get((move.by, move.event))

    def limit(self, level: str | None) -> timedelta:
        """Return how long a request of a customer of that level may take."""
        return self.limits.get(level or "", self.time_limit)

    def refusal(self, code: str) -> Refusal:
        """Return the declared refusal of that code."""
        return Refusal(code, self.refusals[code])


def kinds_among(offers: Iterable[object]) -> tuple[Kind, ...]:
    """Return the kinds among what the capabilities of a node offer."""
    return tuple(offer for offer in offers if isinstance(offer, Kind))
