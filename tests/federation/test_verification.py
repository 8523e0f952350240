"""Whoever changes what was said between two nodes, in the database of one of them, is found out."""

import pytest
from sqlalchemy import select, text

from shared.federation import evidence
from shared.federation.lane import beginning, link_after
from shared.federation.models import OutboxMessage
from shared.federation.records import Head, Receipt
from shared.federation.verification import Evidence, Verifier
from tests.conftest import Nation, TestNode
from tests.federation.conftest import post_numbers

CITY, PROVINCE, HQ = "440300", "440000", "000000"


async def verified(node: TestNode) -> Evidence:
    async with node.database.transaction() as session:
        post = node.context.post
        return await Verifier(session, post.code, post.key.public).verify()


@pytest.fixture
async def spoken(line: Nation) -> Nation:
    """A federation that has said something in both directions, and exchanged its heads."""
    await post_numbers(line[CITY], HQ, 1, 2)
    await line.settle()
    await post_numbers(line[CITY], HQ, 3)
    await line.settle()
    for code in (CITY, PROVINCE):
        node = line[code]
        async with node.database.transaction() as session:
            await evidence.tell_parent(session, node.context.post, now=node.clock.now())
    await line.settle()
    return line


async def spoil(node: TestNode, statement: str, **values: object) -> None:
    """Change a node's database behind its back."""
    async with node.database.transaction() as session:
        changed = await session.execute(text(statement), values)
        assert changed.rowcount, "the test must spoil something"  # type: ignore[attr-defined]


@pytest.mark.parametrize("code", [CITY, PROVINCE, HQ])
async def test_what_nobody_touched_holds_at_every_node(spoken: Nation, code: str) -> None:
    found = await verified(spoken[code])
    assert found.breaks == []
    assert found.unverifiable_receipts == 0
    assert found.messages >= 6
    assert found.receipts >= 4
    assert found.heads >= 2


async def test_both_sides_keep_the_receipt(spoken: Nation) -> None:
    kept = []
    for code, peer, direction in ((CITY, PROVINCE, "out"), (PROVINCE, CITY, "in")):
        async with spoken[code].database.transaction() as session:
            found = await session.scalars(
                select(Receipt.statement)
                .where(
                    Receipt.peer == peer, Receipt.lane == "request", Receipt.direction == direction
                )
                .order_by(Receipt.number)
            )
            kept.append(found.all())
    assert kept[0] == kept[1]
    assert len(kept[0]) == 2


@pytest.mark.parametrize(
    ("table", "direction"), [("federation_outbox", "out"), ("federation_inbox", "in")]
)
async def test_a_message_that_was_changed_is_named(
    spoken: Nation, table: str, direction: str
) -> None:
    node, peer = (spoken[CITY], PROVINCE) if direction == "out" else (spoken[PROVINCE], CITY)
    await spoil(
        node,
        f"UPDATE {table} SET envelope = envelope || ' ' WHERE peer = :peer AND lane = 'request' AND sequence = 2",  # noqa: S608 - our own names
        peer=peer,
    )
    broken = (await verified(node)).breaks
    assert (peer, "request", direction, 2) in {
        (b.peer, b.lane, b.direction, b.number) for b in broken
    }
    assert any("not the one that was chained" in b.what for b in broken)


async def test_a_message_that_was_removed_is_named(spoken: Nation) -> None:
    await spoil(
        spoken[PROVINCE],
        "DELETE FROM federation_inbox WHERE peer = :peer AND lane = 'request' AND sequence = 2",
        peer=CITY,
    )
    broken = (await verified(spoken[PROVINCE])).breaks
    assert [(b.number, b.what) for b in broken] == [(2, "The message is missing.")]


async def test_a_history_rewritten_with_its_chain_contradicts_the_receipts_and_heads(
    spoken: Nation,
) -> None:
    city = spoken[CITY]
    async with city.database.transaction() as session:
        rows = (
            await session.scalars(
                select(OutboxMessage)
                .where(OutboxMessage.lane == "request", OutboxMessage.peer == PROVINCE)
                .order_by(OutboxMessage.sequence)
            )
        ).all()
        link = beginning("request").link or b""
        for row in reversed(rows):  # the first is now the last
            row.sequence = -(row.sequence or 0)
        await session.flush()
        for number, row in enumerate(reversed(rows), 1):
            link = link_after(link, row)
            row.sequence, row.link = number, link
        await session.execute(
            text(
                "UPDATE federation_lane SET link = :link, acknowledged_link = :link "
                "WHERE peer = :peer AND lane = 'request' AND direction = 'out'"
            ),
            {"link": link, "peer": PROVINCE},
        )
    found = await verified(city)
    assert any("receipt is for another history" in b.what for b in found.breaks)
    assert any("knew another history" in b.what for b in found.breaks)
    assert found.unverifiable_receipts == 2


async def test_a_receipt_of_somebody_else_is_named(spoken: Nation) -> None:
    await spoil(
        spoken[CITY],
        "UPDATE federation_receipt r SET statement = (SELECT statement FROM federation_receipt o "
        "WHERE o.direction = 'in' LIMIT 1) WHERE r.direction = 'out' AND r.lane = 'request'",
    )
    found = await verified(spoken[CITY])
    assert found.unverifiable_receipts == 2
    assert "not signed by a key of 440000" in found.breaks[0].what


async def test_heads_are_exchanged_once_a_day_by_the_job(line: Nation) -> None:
    await post_numbers(line[CITY], PROVINCE, 1)
    await line.settle()
    await line[CITY].node.background.run_job("exchange-heads")
    await line.settle()
    for code, peer in ((CITY, PROVINCE), (PROVINCE, CITY)):
        async with line[code].database.transaction() as session:
            lanes = set(
                await session.scalars(select(Head.lane).where(Head.peer == peer, Head.number == 1))
            )
        assert "request" in lanes
