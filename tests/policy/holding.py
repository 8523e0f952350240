"""What the nodes of a test hold and say of policies."""

from sqlalchemy import select, text

from shared.federation.models import InboxMessage, InboxState, OutboxMessage
from shared.policy import repository, sharing
from tests.conftest import Nation, TestNode


async def compare(nation: Nation) -> None:
    """Let every node tell its parent what it holds, and everything flow."""
    for node in nation.nodes.values():
        await node.run_job("policy-compare")
    await nation.settle()


async def held_at(node: TestNode) -> set[str]:
    async with node.database.transaction() as session:
        return {digest for _, digest in await repository.digests(session)}


async def forget(node: TestNode) -> None:
    """Let a node lose what it held, as a restore from an old backup does."""
    async with node.database.transaction() as session:
        await session.execute(text("TRUNCATE policy_version, policy_withdrawal"))


async def parked_at(node: TestNode) -> list[str]:
    async with node.database.transaction() as session:
        return list(
            await session.scalars(
                select(InboxMessage.reason).where(InboxMessage.state == InboxState.PARKED)
            )
        )


async def statements_from(node: TestNode) -> list[bytes]:
    async with node.database.transaction() as session:
        return list(
            await session.scalars(
                select(OutboxMessage.envelope)
                .where(OutboxMessage.type.in_([sharing.PUBLISHED, sharing.WITHDRAWN]))
                .order_by(OutboxMessage.position)
            )
        )
