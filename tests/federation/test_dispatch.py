"""A batch is believed on its sender's signature for all of it; what that does not cover is checked one by one."""

from dataclasses import replace

import pytest
from sqlalchemy import select, text

from shared.federation import receipt
from shared.federation.keys import NodeKey
from shared.federation.lane import Position
from shared.federation.models import Lane
from shared.federation.outbox import Numbered
from shared.federation.receipt import ReceiptInvalid
from shared.federation.records import Receipt
from shared.node.background import EvidenceBroken
from tests.conftest import Nation, TestNode
from tests.federation.conftest import numbers_at, parked_at, post_numbers
from tests.federation.test_verification import verified
from tests.federation.wire import NOW

CITY, PROVINCE, HQ = "440300", "440000", "000000"
MANY = range(1, 13)


async def post_many(city: TestNode, destination: str) -> None:
    for number in MANY:
        await post_numbers(city, destination, number, key=f"k{number}")


async def sign_falsely(node: TestNode, nth: int) -> None:
    """Give the message that is ``nth`` on its way from a node the signature of another."""
    async with node.database.transaction() as session:
        changed = await session.execute(
            text(
                """
                UPDATE federation_outbox SET signature = other.signature
                FROM (SELECT max(position) AS position FROM federation_outbox WHERE lane = 'request') last
                JOIN federation_outbox other ON other.position = last.position - :back - 1
                WHERE federation_outbox.position = last.position - :back AND federation_outbox.sequence IS NULL
                """
            ),
            {"back": len(MANY) - nth},
        )
        assert changed.rowcount == 1  # type: ignore[attr-defined]


def check_by_chance(node: TestNode, number: int) -> None:
    """Let chance fall on the message that carries ``number``."""
    node.app.state.receiver._pick = lambda rows: next(
        row for row in rows if row.message.data["number"] == number
    )


async def receipts_at(node: TestNode, peer: str, direction: str) -> list[str]:
    async with node.database.transaction() as session:
        found = await session.scalars(
            select(Receipt.statement).where(
                Receipt.peer == peer, Receipt.lane == "request", Receipt.direction == direction
            )
        )
        return list(found)


async def test_both_sides_keep_the_dispatch_in_the_receipt_for_it(line: Nation) -> None:
    city, province = line[CITY], line[PROVINCE]
    await post_many(city, PROVINCE)
    await line.settle()
    assert await numbers_at(province) == list(MANY)
    (given,) = await receipts_at(province, CITY, "in")
    assert await receipts_at(city, PROVINCE, "out") == [given]
    dispatch = receipt.dispatch_in(given)
    assert dispatch is not None
    said = receipt.check_dispatch(
        dispatch, [city.context.post.key.public], sender=CITY, receiver=PROVINCE
    )
    assert (said.lane, said.position.number) == ("request", len(MANY))
    for node in (city, province):
        assert (await verified(node)).breaks == []
        await node.run_job("check-signatures")


async def test_a_small_batch_has_none(line: Nation) -> None:
    await post_numbers(line[CITY], PROVINCE, 1)
    await line.settle()
    (given,) = await receipts_at(line[PROVINCE], CITY, "in")
    assert receipt.dispatch_in(given) is None


async def test_a_neighbours_own_false_signature_is_found_by_the_later_check(line: Nation) -> None:
    """Its dispatch proves that it sent this; the signature beside the message is evidence, and bad evidence."""
    city, province = line[CITY], line[PROVINCE]
    check_by_chance(province, 1)
    await post_many(city, PROVINCE)
    await sign_falsely(city, 7)
    await line.settle()
    assert await numbers_at(province) == list(MANY)
    broken = [(b.peer, b.lane, b.direction, b.number) for b in (await verified(province)).breaks]
    assert broken == [(CITY, "request", "in", 7)]
    assert [b.number for b in (await verified(city)).breaks] == [7]
    with pytest.raises(EvidenceBroken, match="the first 7 of lane request from 440300"):
        await province.run_job("check-signatures")


async def test_a_neighbours_own_false_signature_that_chance_falls_on_is_parked(
    line: Nation,
) -> None:
    city, province = line[CITY], line[PROVINCE]
    check_by_chance(province, 7)
    await post_many(city, PROVINCE)
    await sign_falsely(city, 7)
    await sign_falsely(city, 9)  # which is found as well, since each is checked now
    await line.settle()
    assert await numbers_at(province) == [n for n in MANY if n not in {7, 9}]
    assert [(row.reason or "").split(":")[0] for row in await parked_at(province)] == [
        "EnvelopeForged",
        "EnvelopeForged",
    ]
    assert (await verified(province)).breaks == []
    await province.run_job("check-signatures")


async def test_what_goes_on_from_here_is_checked_before_it_does(line: Nation) -> None:
    city, province, hq = line[CITY], line[PROVINCE], line[HQ]
    check_by_chance(province, 1)
    await post_many(city, HQ)
    await sign_falsely(city, 7)
    await line.settle()
    assert await numbers_at(hq) == [n for n in MANY if n != 7]
    assert len(await parked_at(province)) == 1
    assert await parked_at(hq) == []


async def test_what_a_neighbour_only_passes_on_is_checked(line: Nation) -> None:
    """The province signs for having sent it, and that says nothing of whether the city has said it."""
    city, province, hq = line[CITY], line[PROVINCE], line[HQ]
    check_by_chance(hq, 1)
    await post_many(city, HQ)
    await city.node.dialler.push(Lane.REQUEST)
    await sign_falsely(province, 7)
    await province.node.dialler.push(Lane.REQUEST)
    (given,) = await receipts_at(hq, PROVINCE, "in")
    assert receipt.dispatch_in(given) is not None
    assert await numbers_at(hq) == [n for n in MANY if n != 7]
    (parked,) = await parked_at(hq)
    assert (parked.origin, (parked.reason or "").split(":")[0]) == (CITY, "EnvelopeForged")


@pytest.mark.parametrize("wrong", ["key", "position", "text"])
async def test_with_a_dispatch_that_does_not_hold_each_message_is_checked(
    line: Nation, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    city, province = line[CITY], line[PROVINCE]
    check_by_chance(province, 1)
    right = Numbered.dispatch

    def false(numbered: Numbered, key: NodeKey, *args: str, **more: object) -> str | None:
        if wrong == "text":
            return "a.b.c"
        if wrong == "key":
            return right(numbered, NodeKey.generate(), *args, **more)  # type: ignore[arg-type]
        moved = replace(numbered, link=bytes(32))
        return right(moved, key, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Numbered, "dispatch", false)
    await post_many(city, PROVINCE)
    await sign_falsely(city, 7)
    await line.settle()
    assert await numbers_at(province) == [n for n in MANY if n != 7]
    (given,) = await receipts_at(province, CITY, "in")
    assert receipt.dispatch_in(given) is None, "what does not hold is not kept as if it did"


@pytest.mark.parametrize("wrong", ["key", "position"])
async def test_a_dispatch_in_a_receipt_that_does_not_hold_is_named(
    line: Nation, wrong: str
) -> None:
    city, province = line[CITY], line[PROVINCE]
    await post_many(city, PROVINCE)
    await line.settle()
    async with province.database.transaction() as session:
        (kept,) = await session.scalars(
            select(Receipt).where(Receipt.lane == "request", Receipt.direction == "in")
        )
        position, now = Position(kept.number, kept.link), province.clock.now()
        key = NodeKey.generate() if wrong == "key" else city.context.post.key
        said = position if wrong == "key" else replace(position, number=kept.number + 1)
        kept.statement = receipt.issue(
            province.context.post.key,
            receipt.Receipt(
                CITY,
                PROVINCE,
                "request",
                position,
                now,
                receipt.issue_dispatch(key, receipt.Dispatch(CITY, PROVINCE, "request", said, now)),
            ),
        )
    found = await verified(province)
    assert found.unverifiable_receipts == 1
    assert "The dispatch in the receipt" in found.breaks[0].what


def test_a_dispatch_is_no_receipt_and_a_receipt_no_dispatch() -> None:
    key = NodeKey.generate()
    position = Position(1, bytes(32))
    dispatch = receipt.issue_dispatch(
        key, receipt.Dispatch(CITY, PROVINCE, "request", position, NOW)
    )
    given = receipt.issue(key, receipt.Receipt(PROVINCE, CITY, "request", position, NOW))
    with pytest.raises(ReceiptInvalid, match="guanxi-dispatch"):
        receipt.check(dispatch, [key.public], sender=PROVINCE, receiver=CITY)
    with pytest.raises(ReceiptInvalid, match="guanxi-receipt"):
        receipt.check_dispatch(given, [key.public], sender=CITY, receiver=PROVINCE)


@pytest.mark.parametrize("length", [receipt.LONGEST_DISPATCH + 1, 100_000])
def test_a_dispatch_that_would_not_fit_into_a_receipt_is_not_taken(length: int) -> None:
    with pytest.raises(ReceiptInvalid, match="more than"):
        receipt.check_dispatch("x" * length, [], sender=CITY, receiver=PROVINCE)
