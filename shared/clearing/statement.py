"""Daily statements: a child says what it has booked with its parent, and the two find out what they do not have alike.

When a business day is over the child sends its totals, and digests of up to 256 portions of the day's items. The
parent computes the same of its own books. If all agree, the day is *agreed*. If not, it asks for the items of those
portions that differ, names each item that only one of the two has, or has with another amount, and tells the child.

A late item changes the books of its day: a child then states the day again, under the next revision, and a parent
compares again. So what was only late settles by itself, and what is lost stays named.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from shared.clearing import repository
from shared.clearing.difference import name_differences, settle_differences
from shared.clearing.models import ClearingStatement, ItemKind, StatementState
from shared.clearing.repository import HORIZON, DayBooks, digest_of
from shared.clearing.wire import (
    COMPARED,
    ITEMS,
    ITEMS_WANTED,
    MOST_ITEMS,
    STATEMENT,
    Compared,
    Items,
    ItemsWanted,
    Statement,
    WireDifference,
    WireItem,
)
from shared.federation.models import Lane
from shared.federation.post import PostOffice
from shared.kernel.clock import business_day


async def state(session: AsyncSession, post: PostOffice, parent: str, *, now: datetime) -> int:
    """At a child: send the parent a statement of each past day that it has none of, or whose books have changed.

    A day without items is stated too, so that the parent knows that nothing is missing.

    Returns:
        How many days were stated.
    """
    today = business_day(now)
    since = today - HORIZON
    booked = (await repository.counts(session, since=since, before=today)).get(parent, {})
    known = await repository.statements(session, parent, since=since)
    first = min([*booked, *known, today - timedelta(days=1)])
    days = [first + timedelta(days=nth) for nth in range((today - first).days)]
    due = [day for day in days if day not in known or known[day].items != booked.get(day, 0)]
    for day in due:
        await _state_day(session, post, parent, day, now=now)
    return len(due)


async def _state_day(
    session: AsyncSession, post: PostOffice, parent: str, day: date, *, now: datetime
) -> None:
    books = await repository.day_books(session, parent, day, is_parent=True)
    row = await repository.lock_statement(session, parent, day)
    if row is None:
        row = ClearingStatement(neighbour=parent, day=day, revision=0, their_portions={})
    row.revision += 1
    _set_ours(row, books)
    row.state, row.stated_at = StatementState.STATED.value, now
    session.add(row)
    said = Statement(
        day=day,
        revision=row.revision,
        items=books.items,
        net_fen=books.net_fen,
        portions=dict(books.portions),
    )
    await _post(post, session, STATEMENT, parent, said, now=now)
    await session.flush()  # one day after the other


async def hear_statement(
    session: AsyncSession, post: PostOffice, child: str, said: Statement, *, now: datetime
) -> None:
    """At a parent: keep what a child has booked, and compare it with this node's books."""
    row = await repository.lock_statement(session, child, said.day)
    if row is None:
        row = _awaited(child, said.day)
    if said.revision < row.revision:
        return  # an older one that comes again
    row.revision, row.stated_at = said.revision, now
    row.their_items, row.their_net_fen = said.items, -said.net_fen
    row.their_portions = said.portions
    await compare(session, post, row, now=now)


def _awaited(child: str, day: date) -> ClearingStatement:
    return ClearingStatement(
        neighbour=child,
        day=day,
        revision=0,
        state=StatementState.AWAITED.value,
        their_portions={},
    )


async def compare(
    session: AsyncSession, post: PostOffice, row: ClearingStatement, *, now: datetime
) -> None:
    """At a parent: compare a child's statement, locked, with this node's books, and ask for the items that differ."""
    books = await repository.day_books(session, row.neighbour, row.day, is_parent=False)
    _set_ours(row, books)
    session.add(row)
    if row.revision == 0:
        return
    row.compared_at = now
    if books.digest == digest_of(row.their_portions):
        row.state = StatementState.AGREED.value
        await settle_differences(session, row.neighbour, row.day, now=now)
        await _tell(session, post, row, agreed=True, now=now)
        return
    row.state = StatementState.DIFFERS.value
    portions = sorted(
        portion
        for portion in {*books.portions, *row.their_portions}
        if books.portions.get(portion) != row.their_portions.get(portion)
    )
    await settle_differences(session, row.neighbour, row.day, now=now, but=portions)
    wanted = ItemsWanted(day=row.day, revision=row.revision, portions=portions)
    await _post(post, session, ITEMS_WANTED, row.neighbour, wanted, now=now)


async def hear_items_wanted(
    session: AsyncSession, post: PostOffice, parent: str, asked: ItemsWanted, *, now: datetime
) -> None:
    """At a child: send the items of the portions that the parent has otherwise."""
    await settle_differences(session, parent, asked.day, now=now, but=asked.portions)
    items = await repository.items_of(session, parent, asked.day, asked.portions)
    by_portion: dict[str, list[WireItem]] = {portion: [] for portion in asked.portions}
    for item in items:
        by_portion[item.portion].append(
            WireItem(request_id=item.request_id, kind=item.kind, fen=item.fen)
        )
    batch: dict[str, list[WireItem]] = {}
    for portion, its_items in by_portion.items():
        batch[portion] = its_items
        if sum(map(len, batch.values())) >= MOST_ITEMS:
            await _post_items(session, post, parent, asked, batch, now=now)
            batch = {}
    if batch:
        await _post_items(session, post, parent, asked, batch, now=now)


async def hear_items(
    session: AsyncSession, post: PostOffice, child: str, said: Items, *, now: datetime
) -> None:
    """At a parent: name what the child has otherwise, and tell it."""
    row = await repository.lock_statement(session, child, said.day)
    if row is None or said.revision < row.revision:
        return  # the child has stated the day anew since: its items come again
    theirs = {
        (item.request_id, item.kind): -item.fen
        for items in said.portions.values()
        for item in items
    }
    ours = {
        (item.request_id, item.kind): item.fen
        for item in await repository.items_of(session, child, said.day, list(said.portions))
    }
    named = await name_differences(
        session, child, said.day, ours, theirs, portions=said.portions, now=now
    )
    await _tell(
        session,
        post,
        row,
        agreed=False,
        now=now,
        portions=list(said.portions),
        differences=[
            WireDifference(
                request_id=each.request_id,
                kind=ItemKind(each.kind),
                parent_fen=each.our_fen,
                child_fen=each.their_fen,
            )
            for each in named
        ],
    )


async def hear_compared(
    session: AsyncSession, parent: str, said: Compared, *, now: datetime
) -> None:
    """At a child: learn what the parent has, and what the two do not have alike."""
    row = await repository.lock_statement(session, parent, said.day)
    if row is None or said.revision != row.revision:
        return  # it is about an older statement
    row.their_items, row.their_net_fen = said.items, -said.net_fen
    row.compared_at = now
    if said.agreed:
        row.state = StatementState.AGREED.value
        await settle_differences(session, parent, said.day, now=now)
        return
    row.state = StatementState.DIFFERS.value
    ours = {
        (each.request_id, each.kind): -each.child_fen
        for each in said.differences
        if each.child_fen is not None
    }
    theirs = {
        (each.request_id, each.kind): -each.parent_fen
        for each in said.differences
        if each.parent_fen is not None
    }
    await name_differences(session, parent, said.day, ours, theirs, portions=said.portions, now=now)


async def look_again(
    session: AsyncSession,
    post: PostOffice,
    child: str,
    booked: Mapping[date, int],
    *,
    now: datetime,
) -> int:
    """At a parent: compare again the days of a child whose books have changed here, and note which are awaited.

    Args:
        session: the transaction.
        post: this node's post office.
        child: the child.
        booked: how many items are booked with it for each day that is over, as far back as is looked.
        now: the present moment.

    Returns:
        How many days were looked at.
    """
    known = await repository.statements(session, child, since=business_day(now) - HORIZON)
    due = {
        *(day for day in booked if day not in known),
        *(day for day, row in known.items() if row.items != booked.get(day, 0)),
    }
    for day in sorted(due):
        row = await repository.lock_statement(session, child, day)
        await compare(session, post, row or _awaited(child, day), now=now)
        await session.flush()  # one day after the other
    return len(due)


def _set_ours(row: ClearingStatement, books: DayBooks) -> None:
    row.items, row.net_fen, row.digest = books.items, books.net_fen, books.digest


async def _post_items(
    session: AsyncSession,
    post: PostOffice,
    parent: str,
    asked: ItemsWanted,
    batch: dict[str, list[WireItem]],
    *,
    now: datetime,
) -> None:
    said = Items(day=asked.day, revision=asked.revision, portions=batch)
    await _post(post, session, ITEMS, parent, said, now=now, lane=Lane.BULK)


async def _tell(
    session: AsyncSession,
    post: PostOffice,
    row: ClearingStatement,
    *,
    agreed: bool,
    now: datetime,
    portions: Sequence[str] = (),
    differences: Sequence[WireDifference] = (),
) -> None:
    said = Compared(
        day=row.day,
        revision=row.revision,
        agreed=agreed,
        items=row.items,
        net_fen=row.net_fen,
        portions=list(portions),
        differences=list(differences),
    )
    await _post(post, session, COMPARED, row.neighbour, said, now=now)


async def _post(
    post: PostOffice,
    session: AsyncSession,
    type_: str,
    destination: str,
    said: Statement | ItemsWanted | Items | Compared,
    *,
    now: datetime,
    lane: Lane = Lane.ROLLUP,
) -> None:
    await post.post(
        session,
        type_,
        destination,
        said.model_dump(mode="json"),
        lane=lane,
        partition_key=f"clearing/{said.day}",
        now=now,
        subject=f"clearing/{said.day}",
    )
