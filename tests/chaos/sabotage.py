"""What a checker has to notice the lack of, switched off: in the processes of a chaos nation, and nowhere else.

No setting and no code of the program does this. Functions of the federation are replaced here, before a node is made:

dedupe
    What came before is taken in again: nonces, numbers and ids that were seen count as new.
epochs
    Nobody looks at the chain of a lane: a batch is judged by its numbers alone, an acknowledgement of more than was
    sent is taken as it comes, and nodes never reconcile.
fence
    A city offers a customer whom it has offered already, so that two transfers of one customer get as far as HQ's
    directory. That has to hold: nothing may be found of this alone.
ownership
    As without the fence; and the directory writes down whoever is asked for, and compares nothing.
payments
    A till takes what comes under a key that it knows for another payment, and a home city credits what it has credited;
    as the latter shows only when a question comes again, nothing of the federation holds that up, either.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import uuid4

import asyncpg
from fastapi import Request
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.billing_account.service import credit
from services.city_node.payment import home
from services.city_node.payment.kind import PAYMENT
from services.city_node.payment.schemas import PaidFor, Taken
from services.city_node.service_request.kind import Party
from services.city_node.service_request.lines import lock_line
from services.city_node.service_request.messages import find
from services.city_node.transfer import offering
from services.hq_node.ownership import repository as directory
from shared.capability import NodeContext
from shared.federation import inbox, outbox, receiver, repository
from shared.federation.arrival import Arrival, Key
from shared.federation.delivery import Delivery
from shared.federation.dialler import Dialler
from shared.federation.lane import Gap, Position, Signed, TakenIn, links_after, take_in
from shared.federation.models import Direction, Lane
from shared.federation.outbox import Posted
from shared.kernel.idempotency import Once
from shared.ownership import MoveAsked

_WRITE = text("""
    WITH move AS (
        INSERT INTO ownership_change (customer_id, epoch, owner, former_owner, transfer_id, at)
        SELECT :customer, coalesce(max(epoch), 1) + 1, :to, :owner, :transfer, :at
        FROM ownership_change WHERE customer_id = :customer
        RETURNING *)
    INSERT INTO ownership (customer_id, owner, epoch, since, transfer_id)
    SELECT customer_id, owner, epoch, at, transfer_id FROM move
    ON CONFLICT (customer_id) DO UPDATE
    SET owner = excluded.owner, epoch = excluded.epoch, since = excluded.since, transfer_id = excluded.transfer_id""")


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


def _without_fence() -> None:
    """Let a city offer a customer twice."""

    async def is_live(*_: object) -> bool:
        return True

    _replace(offering, "is_live", is_live)


def _without_compare_and_swap() -> None:
    """Give a customer to whoever asks."""

    async def write(session: AsyncSession, asked: MoveAsked, owner: str, *, at: datetime) -> bool:
        values = {"customer": asked.customer_id, "transfer": asked.transfer_id, "at": at}
        await session.execute(_WRITE, {**values, "to": asked.to, "owner": owner})
        return True

    _without_fence()
    _replace(directory, "compare_and_swap", write)


def _without_dedupe_of_payments() -> None:
    """Take and credit again what comes again."""
    begin, hear_taken = Once.begin, home.hear_taken

    async def begin_anew(
        request: Request, connection: asyncpg.Connection, caller: str, key: str, *, now: datetime
    ) -> Once:
        known = f"{uuid4()}" if request.url.path == "/payments" else key
        return await begin(request, connection, caller, known, now=now)

    async def credit_anew(context: NodeContext, delivery: Delivery, data: Taken) -> None:
        request = await find(delivery, PAYMENT, data.request_id, Party.HOME)
        paid_for = home.END.open(context, delivery, data, "taken", PaidFor)
        line = await lock_line(delivery.session, paid_for.msisdn)
        if request is None or line is None:
            await hear_taken(context, delivery, data)
            return
        cause = replace(home.cause_of(delivery, request), cause_id=uuid4())
        await credit(context, delivery.session, line, data.amount_fen, cause)

    _without_dedupe()
    _replace(Once, "begin", staticmethod(begin_anew))
    _replace(home, "hear_taken", credit_anew)


def _replace(owner: object, name: str, by: Callable[..., object]) -> None:
    """Put another function in the place of one that is there."""
    if not hasattr(owner, name):
        raise AttributeError(f"{owner} has no {name} that could be replaced.")
    setattr(owner, name, by)


SABOTAGES: Mapping[str, Callable[[], None]] = {
    "dedupe": _without_dedupe,
    "epochs": _without_epochs,
    "fence": _without_fence,
    "ownership": _without_compare_and_swap,
    "payments": _without_dedupe_of_payments,
}
