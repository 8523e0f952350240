"""A node that is restored from an old backup, at every point of a transfer; and what the directory is there for."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.hq_node.ownership import repository
from services.hq_node.ownership.models import OwnershipChange
from shared.ownership import MOVED, MoveAsked
from tests.transfer.nation import HQ, NEW, OLD, OTHER, SmallNation
from tests.transfer.people import id_card, msisdn, settle
from tests.transfer.watching import Watch

STEPS = 7
"""Messages of a transfer: asked, offered, a piece of the record, prepared, ownership asked for, and HQ's two words."""


async def begin(nation: SmallNation) -> Watch:
    customer = await settle(nation[OLD], running=7)
    return await Watch.of(nation, customer)


async def ask(nation: SmallNation, home: str, to: str) -> UUID:
    return await nation.ask(msisdn(70), home=home, to=to, document=id_card(7))


async def carry(nation: SmallNation, steps: int) -> None:
    for _ in range(steps):
        await nation.carry(nation.waiting()[0])


async def test_a_transfer_takes_so_many_messages(nation: SmallNation) -> None:
    await begin(nation)
    await ask(nation, OLD, NEW)
    await carry(nation, STEPS)
    assert nation.waiting() == []


@pytest.mark.parametrize("code", [OLD, NEW, HQ])
@pytest.mark.parametrize(
    "lost",
    [
        pytest.param(each, marks=[pytest.mark.thorough] if each < STEPS - 1 else [])
        for each in range(1, STEPS + 1)
    ],
)
async def test_a_restored_node_ends_where_the_directory_says(
    nation: SmallNation, code: str, lost: int
) -> None:
    """The backup is from after ``done`` messages, and the node is lost ``lost`` messages later."""
    for done in range(STEPS - lost + 1):
        await nation.empty()
        watch = await begin(nation)
        empty = await nation.save(code)
        request = await ask(nation, OLD, NEW)
        await carry(nation, done)
        saved = empty if done == 0 else await nation.save(code)
        await carry(nation, lost)
        await nation.restore(saved)
        await nation.settle()
        await watch.check()
        await watch.finish()
        assert await watch.owner() == (NEW, 2), (code, done, lost)
        assert await nation.states(request) == {OLD: "completed", NEW: "completed"}


async def test_a_city_that_forgot_a_transfer_cannot_give_the_customer_away_again(
    nation: SmallNation,
) -> None:
    watch = await begin(nation)
    await forget(nation)
    second = await ask(nation, OLD, OTHER)
    await nation.settle()
    assert await nation.states(second) == {OLD: "refused", OTHER: "refused"}
    assert (
        await nation[OTHER].value("SELECT refusal_code FROM service_request") == "owned-elsewhere"
    )
    await watch.finish()
    assert await watch.owner() == (NEW, 2)


async def test_a_new_home_that_lost_the_transfer_for_good_lets_the_customer_stay(
    nation: SmallNation,
) -> None:
    watch = await begin(nation)
    saved = await nation.save(NEW)
    request = await ask(nation, OLD, NEW)
    await carry(nation, 1)
    nation.heard.clear()
    nation.lanes.clear()  # nobody can give back what it had said, or was told
    await nation.restore(saved)
    assert not await watch.change(OLD)
    await watch.finish()
    assert await nation.states(request) == {OLD: "cancelled"}
    assert await watch.owner() == (OLD, 1)
    assert await watch.change(OLD)


async def test_hqs_word_that_is_lost_is_asked_for(nation: SmallNation) -> None:
    watch = await begin(nation)
    request = await ask(nation, OLD, NEW)
    await carry(nation, STEPS - 2)
    assert [lane for lane, messages in nation.lanes.items() if messages] == [(HQ, OLD), (HQ, NEW)]
    nation.lanes.clear()
    assert await watch.live() == []
    await watch.finish()
    assert await nation.states(request) == {OLD: "completed", NEW: "completed"}
    assert await watch.owner() == (NEW, 2)


async def forget(nation: SmallNation) -> None:
    """Move the customer, and restore the old home to before that, with nothing that its peers still could give back."""
    saved = await nation.save(OLD)
    await ask(nation, OLD, NEW)
    await nation.settle()
    nation.heard = [
        (code, message) for code, message in nation.heard if OLD not in {code, message.source}
    ]
    await nation.restore(saved)


async def test_with_a_plain_write_the_watch_finds_two_owners(
    nation: SmallNation, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def plain_write(
        session: AsyncSession, asked: MoveAsked, owner: str, *, at: datetime
    ) -> bool:
        change = OwnershipChange(
            customer_id=asked.customer_id,
            epoch=asked.epoch + 1,
            owner=asked.to,
            former_owner=owner,
            transfer_id=asked.transfer_id,
            at=at,
        )
        await session.merge(change)
        await session.flush()
        await session.execute(
            text(
                "INSERT INTO ownership (customer_id, owner, epoch, since, transfer_id) VALUES (:c, :o, :e, :at, :t) "
                "ON CONFLICT (customer_id) DO UPDATE SET owner = excluded.owner"
            ),
            {
                "c": asked.customer_id,
                "o": asked.to,
                "e": asked.epoch + 1,
                "at": at,
                "t": asked.transfer_id,
            },
        )
        return True

    monkeypatch.setattr(repository, "compare_and_swap", plain_write)
    watch = await begin(nation)
    await forget(nation)
    await ask(nation, OLD, OTHER)
    await nation.settle()
    with pytest.raises(AssertionError):
        await watch.check()


async def test_asked_twice_hq_answers_the_same(nation: SmallNation) -> None:
    watch = await begin(nation)
    await ask(nation, OLD, NEW)
    await nation.settle()
    told = [message for _, message in nation.heard if message.type == MOVED]
    asked = next(message for code, message in nation.heard if code == HQ)
    await nation[HQ].hear(asked)
    again = [nation.next_by(way) for way in nation.waiting()]
    assert sorted(m.data["epoch"] for m in again) == [m.data["epoch"] for m in told] == [2, 2]
    await watch.finish()


async def test_a_city_cannot_move_what_is_not_its_own(nation: SmallNation) -> None:
    watch = await begin(nation)
    await ask(nation, OLD, NEW)
    await nation.settle()
    asked = next(message for code, message in nation.heard if code == HQ)
    data = {**asked.data, "transfer_id": str(UUID(int=2)), "epoch": 2, "to": OLD}
    await nation[HQ].hear(replace(asked, id=UUID(int=1), source=OTHER, data=data))
    assert await watch.owner() == (NEW, 2)
