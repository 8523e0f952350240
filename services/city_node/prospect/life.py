"""The life of a prospect as data: what leads from which state to which."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from services.city_node.prospect.models import Act, Ending, State
from shared.kernel.language import Text

OPEN = frozenset({State.FOUND, State.QUALIFIED, State.NURTURED})
WORKED = OPEN - {State.FOUND}
"""Open, and somebody works on it: never closed because it is no longer found."""
RESTING = frozenset({State.DISQUALIFIED, State.DROPPED})
"""Closed by somebody: not found again for the policy's months."""
BY_ITSELF = frozenset({Ending.LEFT, Ending.MERGED})
"""Endings that nobody gives."""


@dataclass(frozen=True, slots=True)
class Move:
    """One way from states to a state.

    Attributes:
        sources: from which it leads.
        to: where it leads.
        title: what it is called.
        because: whether it takes a reason.
    """

    sources: frozenset[State]
    to: State
    title: Text
    because: bool = False


MOVES: Mapping[Act, Move] = {
    Act.QUALIFY: Move(
        frozenset({State.FOUND}),
        State.QUALIFIED,
        Text("A prospect was qualified", "潜在大客户确认"),
    ),
    Act.DISQUALIFY: Move(
        frozenset({State.FOUND}),
        State.DISQUALIFIED,
        Text("A prospect was disqualified", "潜在大客户排除"),
        because=True,
    ),
    Act.NURTURE: Move(
        frozenset({State.QUALIFIED}),
        State.NURTURED,
        Text("A prospect's plan began", "潜在大客户开始培育"),
    ),
    Act.DROP: Move(
        WORKED, State.DROPPED, Text("A prospect was dropped", "潜在大客户放弃"), because=True
    ),
    Act.REOPEN: Move(
        frozenset({State.DISQUALIFIED, State.DROPPED, State.LAPSED}),
        State.QUALIFIED,
        Text("A prospect was taken up again", "潜在大客户重新跟进"),
    ),
    Act.CONVERT: Move(
        OPEN, State.CONVERTED, Text("A prospect reached the level", "潜在大客户转化")
    ),
    Act.LAPSE: Move(
        frozenset({State.FOUND}),
        State.LAPSED,
        Text("A prospect is one no longer", "潜在大客户失效"),
    ),
}
"""Every move; the last two are made by the search alone."""
BY_HAND = (Act.QUALIFY, Act.DISQUALIFY, Act.NURTURE, Act.DROP, Act.REOPEN)


def listed(values: Iterable[StrEnum]) -> str:
    """Return states or endings as an SQL list."""
    return ", ".join(f"'{value.value}'" for value in sorted(values))
