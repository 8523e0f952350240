"""Whether a customer is this city's to change, and the fence around those who are not.

A customer is *live* here unless this table says otherwise. One who is moving to another city is *frozen*: the record
was sent as it is, and stays so until HQ's directory has decided (:mod:`services.city_node.transfer`). One who has moved
has *left*: what is kept here is a copy, and the city named here may change the record.

The *fence* is triggers, so that no writer can forget it: a statement that changes the record of a customer who is not
live fails, whoever makes it. Who changes what hangs on a customer locks the customer's row first, as a transfer does
when it freezes; so a change is either in the record that was sent, or refused. Work on whole cities leaves out whoever
is not live (:data:`NOT_LIVE`) rather than fail on one customer. What may pass says so
(:func:`fence_open`): the transfer itself, erasure, and sealing anew under another key.
"""

import contextlib
from collections.abc import AsyncIterator, Mapping
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

import asyncpg
from sqlalchemy import DDL, CheckConstraint, Index, MetaData, event, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base, one_of
from shared.kernel.language import Text
from shared.kernel.problems import Problem


class OwnershipState(StrEnum):
    """What a customer is to this city."""

    LIVE = "live"
    FROZEN = "frozen"
    LEFT = "left"


class CustomerOwnership(Base):
    """What this city knows of a customer's ownership, once a transfer has touched it."""

    __tablename__ = "customer_ownership"
    __table_args__ = (
        one_of("state", OwnershipState, "state"),
        CheckConstraint("epoch > 0", name="epoch"),
        CheckConstraint("state = 'live' OR other IS NOT NULL", name="other"),
        Index(
            "customer_ownership_not_live_idx",
            "customer_id",
            postgresql_where=text("state <> 'live'"),
        ),
    )

    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    """No reference: it is looked at by every change, and outlives nobody."""
    epoch: Mapped[int]
    """In which the customer is or was this city's; of one who has left, that in which another city has the customer."""
    state: Mapped[str]
    other: Mapped[str | None]
    """The city where a transfer goes or went, or from where the customer came."""
    transfer_id: Mapped[UUID | None]
    """The transfer that made it so."""
    since: Mapped[datetime]
    came_on: Mapped[date | None]
    """The day on which the customer came from another city: what was before is counted there."""


NOT_LIVE = "SELECT o.customer_id FROM customer_ownership o WHERE o.state <> 'live'"
"""SQL of the ids of customers who are not this city's to change."""


class CustomerInTransfer(Problem):
    """The record is on its way to another city and must not change before it is decided whose it is."""

    status = 409
    title = Text("Customer in transfer", "客户转网中")
    sentence = Text(
        "Customer {customer} is moving to {other} (transfer {transfer}). Nothing of the record can be changed until that has ended.",
        "客户 {customer} 正在转网至 {other}（转网单 {transfer}），办结前档案不能修改。",
    )
    constraint = "customer_ownership_frozen"


class CustomerMovedAway(Problem):
    """The customer belongs to another city; what is here is a copy."""

    status = 409
    title = Text("Customer moved away", "客户已转出")
    sentence = Text(
        "Customer {customer} belongs to {other} since transfer {transfer}; what is here is a copy. Ask there.",
        "客户 {customer} 已经转网单 {transfer} 转至 {other}，本地仅存副本，请到该地市办理。",
    )
    constraint = "customer_ownership_left"


async def ownership_of(session: AsyncSession, customer_id: UUID) -> CustomerOwnership | None:
    """Return what this city knows of a customer's ownership; nothing of one whom no transfer has touched."""
    return await session.get(CustomerOwnership, customer_id, populate_existing=True)


async def is_live(session: AsyncSession, customer_id: UUID) -> bool:
    """Tell whether a customer of this city is free to be changed here."""
    found = await ownership_of(session, customer_id)
    return found is None or found.state == OwnershipState.LIVE


_SET = "SELECT set_config('guanxi.fence', '{}', true)"


@contextlib.asynccontextmanager
async def fence_open(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """Let pass what the transaction does inside; what fails there is undone together with it, up to its savepoint."""
    await connection.execute(_SET.format("open"))
    yield
    await connection.execute(_SET.format(""))


INSERTED, UPDATED, DELETED = "INSERT", "UPDATE", "DELETE"
_ALL = (INSERTED, UPDATED, DELETED)
_ABOUT: Mapping[str, str] = {
    "customer": "SELECT r.id AS customer_id FROM {rows} r",
    "holding": "SELECT r.customer_id FROM {rows} r",
    "line": "SELECT s.customer_id FROM {rows} r JOIN subscription s ON s.id = r.subscription_id",
    "account": "SELECT a.customer_id FROM {rows} r JOIN points_account a ON a.id = r.account_id",
    "membership": "SELECT r.customer_id FROM {rows} r UNION ALL SELECT r.member_id FROM {rows} r",
}
"""SQL of the customers whom rows are about, by what a row is."""
FENCED: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "customer": ("customer", (UPDATED, DELETED)),
    **dict.fromkeys(
        (
            *("contact_medium", "subscription", "bill", "usage_month", "enterprise", "key_person"),
            *("agreement", "product_holding", "competitor_use", "interaction", "preference", "tie"),
            *("win_back_attempt", "customer_verification", "contact_bounce", "level_appointment"),
        ),
        ("holding", _ALL),
    ),
    "sim": ("line", _ALL),
    "points_account": ("holding", (UPDATED,)),
    "points_balance": ("account", (UPDATED,)),
    # What stays in this city, and must not begin for somebody who is on the way.
    "customer_proposal": ("holding", (INSERTED,)),
    "points_adjustment": ("holding", (INSERTED,)),
    "redemption": ("holding", (INSERTED,)),
    "group_member": ("membership", (INSERTED, UPDATED)),
}
"""The tables that the fence is around: what a row of each is, and the statements that it stops."""

# The rows that changed are looked at once for each statement, and not at all while nobody is on the way or has left.
# Each statement is written out, so that a session plans it once.
_FUNCTION = """
CREATE FUNCTION refuse_{name}_unless_live() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    found customer_ownership;
BEGIN
    IF current_setting('guanxi.fence', true) = 'open'
        OR NOT EXISTS (SELECT FROM customer_ownership WHERE state <> 'live') THEN
        RETURN NULL;
    END IF;
    SELECT o.* INTO found FROM ({changed}) r
    JOIN customer_ownership o ON o.customer_id = r.customer_id WHERE o.state <> 'live' LIMIT 1;
    IF found.customer_id IS NULL AND TG_OP = 'UPDATE' THEN
        SELECT o.* INTO found FROM ({former}) r
        JOIN customer_ownership o ON o.customer_id = r.customer_id WHERE o.state <> 'live' LIMIT 1;
    END IF;
    IF found.customer_id IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'customer_ownership_' || found.state,
            MESSAGE = format('customer %s is %s: the record belongs to a transfer', found.customer_id, found.state),
            DETAIL = json_build_object(
                'customer', found.customer_id, 'other', found.other, 'transfer', found.transfer_id)::text;
    END IF;
    RETURN NULL;
END $$"""
_ROWS = {
    INSERTED: "NEW TABLE AS changed_rows",
    UPDATED: "OLD TABLE AS former_rows NEW TABLE AS changed_rows",
    DELETED: "OLD TABLE AS changed_rows",
}


def _functions() -> list[str]:
    return [
        _FUNCTION.format(
            name=name,
            changed=about.format(rows="changed_rows"),
            former=about.format(rows="former_rows"),
        )
        for name, about in _ABOUT.items()
    ]


def _triggers() -> list[str]:
    return [
        f"CREATE TRIGGER {table}_fence_{act.lower()} AFTER {act} ON {table} REFERENCING {_ROWS[act]} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION refuse_{name}_unless_live()"
        for table, (name, acts) in FENCED.items()
        for act in acts
    ]


def put_up_fence(metadata: MetaData) -> None:
    """Let whoever makes the tables of ``metadata`` put up the fence, too; the migration has the same."""
    for statement in (*_functions(), *_triggers()):
        ddl = DDL(statement.replace("%", "%%"))  # type: ignore[no-untyped-call] # SQLAlchemy's own has no types
        event.listen(metadata, "after_create", ddl)


put_up_fence(Base.metadata)
