"""What a checker has to notice the lack of, switched off: in the processes of a chaos nation, and nowhere else.

No setting and no code of the program does this. Functions of the federation are replaced here, before a node is made:

dedupe
    What came before is taken in again: nonces, numbers and ids that were seen count as new.
epochs
    Nobody looks at the chain of a lane: a batch is judged by its numbers alone, an acknowledgement of more than was
    sent is taken as it comes, and nodes never reconcile.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation import inbox, outbox, receiver, repository
from shared.federation.arrival import Arrival, Key
from shared.federation.dialler import Dialler
from shared.federation.lane import Gap, Position, Signed, TakenIn, links_after, take_in
from shared.federation.models import Direction, Lane
from shared.federation.outbox import Posted


def _nothing() -> None:
    """Leave the federation as it is."""


def _without_dedupe() -> None:
    """Take everything for new."""
    look, keep, add = inbox.seen_or_blocked, inbox.keep, outbox.add

    async def is_new(*_: object, **__: object) -> bool:
        return True

    async def nothing_seen(
        session: AsyncSession, rows: Sequence[Arrival]
    ) -> tuple[set[object], set[Key]]:
        return set(), (await look(session, rows))[1]

    def take_all_in(
        cursor: Position, first: int, previous: bytes | None, messages: Sequence[Signed]
    ) -> TakenIn:
        taken = take_in(cursor, first, previous, messages)
        return TakenIn(0, [*[None] * taken.skipped, *taken.links], taken.position)

    async def keep_under_new_ids(
        session: AsyncSession, rows: Sequence[Arrival], *, now: datetime
    ) -> None:
        for row in rows:
            row.message_id = uuid4()
        await keep(session, rows, now=now)

    async def add_under_new_ids(
        session: AsyncSession, posted: Iterable[Posted], *, here: str
    ) -> None:
        renamed = [replace(each, message=replace(each.message, id=uuid4())) for each in posted]
        await add(session, renamed, here=here)

    _replace(repository, "use_nonce", is_new)
    _replace(receiver, "take_in", take_all_in)
    _replace(inbox, "seen_or_blocked", nothing_seen)
    _replace(inbox, "keep", keep_under_new_ids)
    _replace(outbox, "add", add_under_new_ids)


def _without_epochs() -> None:
    """Judge by numbers alone."""
    acknowledge = outbox.acknowledge

    def take_in_by_number(
        cursor: Position, first: int, _: bytes | None, messages: Sequence[Signed]
    ) -> TakenIn:
        overlap = cursor.number + 1 - first
        if overlap < 0:
            raise Gap
        fresh = messages[overlap:]
        links = links_after(cursor.link or b"", fresh)
        link = links[-1] if links else cursor.link
        return TakenIn(
            len(messages) - len(fresh), links, Position(cursor.number + len(fresh), link)
        )

    async def acknowledge_what_was_sent(
        session: AsyncSession, code: str, lane: Lane, received: Position, **more: object
    ) -> int:
        state = await outbox.lock_lane(session, code, lane, Direction.OUT)
        number = min(received.number, state.numbered)
        return await acknowledge(session, code, lane, Position(number, None), **more)  # type: ignore[arg-type]

    async def do_not_reconcile(_: Dialler) -> int:
        return 0

    _replace(receiver, "take_in", take_in_by_number)
    _replace(outbox, "acknowledge", acknowledge_what_was_sent)
    _replace(Dialler, "reconcile", do_not_reconcile)


def _replace(owner: object, name: str, by: Callable[..., object]) -> None:
    """Put another function in the place of one that is there."""
    if not hasattr(owner, name):
        raise AttributeError(f"{owner} has no {name} that could be replaced.")
    setattr(owner, name, by)


SABOTAGES: Mapping[str, Callable[[], None]] = {
    "none": _nothing,
    "dedupe": _without_dedupe,
    "epochs": _without_epochs,
}
