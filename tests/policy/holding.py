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


_TABLES = (
    "federation_peer",
    "federation_lane",
    "federation_outbox",
    "federation_inbox",
    "federation_receipt",
    "federation_registry",
    "federation_reconciliation",
    "policy_draft",
    "policy_version",
    "policy_withdrawal",
)


async def back_up(node: TestNode) -> None:
    """Remember what a node's database holds of its links and of policies."""
    async with node.database.transaction() as session:
        for table in _TABLES:
            await session.execute(text(f"CREATE TABLE backup_{table} AS TABLE {table}"))


async def restore(node: TestNode) -> None:
    """Put back what :func:`back_up` remembered."""
    async with node.database.transaction() as session:
        await session.execute(text("SET LOCAL session_replication_role = replica"))
        for table in _TABLES:
            await session.execute(text(f"DELETE FROM {table}"))  # noqa: S608 - our own names
            await session.execute(text(f"INSERT INTO {table} SELECT * FROM backup_{table}"))  # noqa: S608 - as above
