"""The life of a grant: its states, and every way from one to another. Nothing else says what may follow what."""

from collections.abc import Mapping
from enum import StrEnum

from services.city_node.offer.problems import GrantStateUnfit


class GrantState(StrEnum):
    """Where a grant is in its life."""

    PROPOSED = "proposed"
    """It waits for a second person."""
    REFUSED = "refused"
    GRANTED = "granted"
    USED_IN_PART = "used_in_part"
    USED_UP = "used_up"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class Act(StrEnum):
    """What is done with a grant that is there."""

    APPROVE = "approve"
    REFUSE = "refuse"
    USE = "use"
    REVERSE = "reverse"
    CANCEL = "cancel"
    EXPIRE = "expire"


S = GrantState
_OPEN = (S.PROPOSED, S.GRANTED, S.USED_IN_PART)
TRANSITIONS: Mapping[Act, Mapping[GrantState, frozenset[GrantState]]] = {
    Act.APPROVE: {S.PROPOSED: frozenset({S.GRANTED})},
    Act.REFUSE: {S.PROPOSED: frozenset({S.REFUSED})},
    Act.USE: dict.fromkeys((S.GRANTED, S.USED_IN_PART), frozenset({S.USED_IN_PART, S.USED_UP})),
    # A use that comes back to a grant that has ended changes nothing about its having ended.
    Act.REVERSE: {
        **dict.fromkeys((S.USED_IN_PART, S.USED_UP), frozenset({S.GRANTED, S.USED_IN_PART})),
        S.CANCELLED: frozenset({S.CANCELLED}),
        S.EXPIRED: frozenset({S.EXPIRED}),
    },
    Act.CANCEL: dict.fromkeys(_OPEN, frozenset({S.CANCELLED})),
    Act.EXPIRE: dict.fromkeys(_OPEN, frozenset({S.EXPIRED})),
}

HOLDING = frozenset({*_OPEN, S.USED_UP})
"""States in which every use of the grant counts, whether it was used or not; in the others those that were used."""


def follow(act: Act, state: str, *, used: int, uses: int) -> GrantState:
    """Return the state that ``act`` leads to from ``state``; ``used`` is what is used after it.

    Raises:
        GrantStateUnfit: if nothing leads from there (409).
    """
    ways = TRANSITIONS[act]
    ends = ways.get(GrantState(state), frozenset())
    if not ends:
        raise GrantStateUnfit(state=state, needed=", ".join(ways))
    if len(ends) == 1:
        return next(iter(ends))
    return _by_count(used, uses)


def _by_count(used: int, uses: int) -> GrantState:
    if used == 0:
        return GrantState.GRANTED
    return GrantState.USED_UP if used == uses else GrantState.USED_IN_PART


def charged(state: str, *, uses: int, used: int) -> int:
    """Return how many uses of a grant count against entitlement and quota."""
    return uses if state in HOLDING else used
