"""The queries of those who change customers. What readers ask is in :mod:`~services.city_node.customer.profile`."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import asyncpg
from sqlalchemy import exists, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer.models import (
    ERASED,
    ContactMedium,
    Customer,
    CustomerChange,
    Sim,
    SimState,
    Subscription,
    SubscriptionStatus,
    customer_number_sequence,
)
from services.city_node.customer.problems import CustomerErased, of_constraint
from services.city_node.customer.profile import absent
from shared.kernel.database import driver_connection
from shared.organisation.models import OrganisationUnit

NUMBER_DIGITS = 8
KEYS_LOCK = 0x6B657973
"""Key of the advisory lock that those share who seal personal values: ``keys`` in ASCII."""


async def lock_customer(session: AsyncSession, customer_id: UUID, unit_path: str) -> Customer:
    """Return a customer, locked until the transaction ends: the lock of everything the customer holds, too.

    Raises:
        CustomerNotFound: if there is none below the unit.
        CustomerErased: if there was one.
    """
    found = await session.scalar(
        select(Customer)
        .join(OrganisationUnit, OrganisationUnit.code == Customer.unit_code)
        .where(Customer.id == customer_id, func.starts_with(OrganisationUnit.path, unit_path))
        .with_for_update(of=Customer)
        .execution_options(populate_existing=True)
    )
    if found is None:
        raise await absent(await driver_connection(session), customer_id, unit_path)
    if found.library == ERASED:
        raise CustomerErased(found.id, found.updated_at)
    return found


async def unit_in_scope(connection: asyncpg.Connection, code: str, unit_path: str) -> bool:
    """Tell whether ``code`` is an active unit at or below the unit with ``unit_path``."""
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM organisation_unit WHERE code = $1 AND active AND starts_with(path, $2))",
        code,
        unit_path,
    )
    return found


async def is_on_staff(connection: asyncpg.Connection, staff_id: UUID) -> bool:
    """Tell whether ``staff_id`` is an active member of this node's staff."""
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM staff_member WHERE id = $1 AND active)", staff_id
    )
    return found


async def hold_keys(session: AsyncSession) -> None:
    """Let no rotation of the keys for personal values begin before the transaction ends.

    Whoever writes a sealed value calls it before sealing, so that nothing is written under a key that was replaced.
    """
    await session.execute(select(func.pg_advisory_xact_lock_shared(KEYS_LOCK)))


async def hold_keys_on(connection: asyncpg.Connection) -> None:
    """Do the same for a transaction of a bare connection."""
    await connection.execute("SELECT pg_advisory_xact_lock_shared($1)", KEYS_LOCK)


async def hold_keys_while_connected(session: AsyncSession) -> None:
    """Let no rotation begin before the connection is closed: for work in several transactions of one connection."""
    await session.execute(select(func.pg_advisory_lock_shared(KEYS_LOCK)))


async def holder_of_document(
    connection: asyncpg.Connection, indexes: Sequence[bytes]
) -> tuple[UUID, str] | None:
    """Return the id of the customer with a document, and the path of the unit that looks after it."""
    row = await connection.fetchrow(
        "SELECT c.id, u.path FROM customer c JOIN organisation_unit u ON u.code = c.unit_code "
        "WHERE c.document_index = ANY($1::bytea[])",
        indexes,
    )
    return (row["id"], row["path"]) if row else None


async def has_contact(
    session: AsyncSession, customer_id: UUID, kind: str, indexes: Sequence[bytes], value: str
) -> bool:
    """Tell whether a customer has a contact value, sealed or still in clear."""
    return bool(
        await session.scalar(
            select(
                exists().where(
                    ContactMedium.customer_id == customer_id,
                    ContactMedium.kind == kind,
                    or_(ContactMedium.value_index.in_(indexes), ContactMedium.value == value),
                )
            )
        )
    )


async def next_customer_number(session: AsyncSession, node_code: str) -> str:
    """Return a customer number that was never given: the node's division code and a running number."""
    running: int = (await session.scalars(select(customer_number_sequence.next_value()))).one()
    return f"{node_code}{running:0{NUMBER_DIGITS}d}"


async def subscriptions_in_use(session: AsyncSession, customer_id: UUID) -> Sequence[Subscription]:
    """Return the lines of a customer that have not ended; the customer must be locked."""
    return (
        await session.scalars(
            select(Subscription)
            .where(
                Subscription.customer_id == customer_id,
                Subscription.status != SubscriptionStatus.ENDED,
            )
            .order_by(Subscription.entry_date, Subscription.id)
        )
    ).all()


async def subscription_of(
    session: AsyncSession, customer_id: UUID, subscription_id: UUID
) -> Subscription | None:
    """Return a line of a customer, who must be locked."""
    return (
        await session.scalars(
            select(Subscription).where(
                Subscription.id == subscription_id, Subscription.customer_id == customer_id
            )
        )
    ).first()


async def active_sims(
    session: AsyncSession, subscriptions: Sequence[Subscription]
) -> Sequence[Sim]:
    """Return the SIMs in use on these lines; their customer must be locked."""
    return (
        await session.scalars(
            select(Sim).where(
                Sim.subscription_id.in_([subscription.id for subscription in subscriptions]),
                Sim.state == SimState.ACTIVE,
            )
        )
    ).all()


async def forget_preference(session: AsyncSession, customer_id: UUID) -> None:
    """Let no contact medium of the customer be the preferred one."""
    await session.execute(
        update(ContactMedium)
        .where(ContactMedium.customer_id == customer_id, ContactMedium.preferred)
        .values(preferred=False)
    )


def add(
    session: AsyncSession,
    row: Customer | ContactMedium | Subscription | Sim | CustomerChange,
) -> None:
    """Add a row, written with the next flush."""
    session.add(row)


async def write(session: AsyncSession) -> None:
    """Write what was changed so far, so that a number in use is refused here and with a reason."""
    async with refused_if_taken():
        await session.flush()


@contextlib.asynccontextmanager
async def refused_if_taken() -> AsyncIterator[None]:
    """Turn the breach of a unique constraint into its refusal (409).

    Services look before they write; this is for two who looked at the same moment.
    """
    try:
        yield
    except (IntegrityError, asyncpg.UniqueViolationError) as error:
        cause = (
            getattr(error.orig, "__cause__", None) if isinstance(error, IntegrityError) else error
        )
        refusal = of_constraint(getattr(cause, "constraint_name", None))
        if refusal is None:
            raise
        raise refusal from error
