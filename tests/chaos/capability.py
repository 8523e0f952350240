"""What a node of the chaos nation does: it takes requests in, has effects, and keeps answers.

Its tables are made by hand, because no migration should know them, and have no unique constraint where a second row
would be a second effect.
"""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlalchemy import BigInteger, Column, DateTime, MetaData, Table, Text, Uuid, insert, text
from sqlalchemy.dialects.postgresql import insert as insert_once

from services.city_node.rollup.service import roll_up
from shared.capability import Capability, Context, MessageHandler, NodeContext
from shared.federation.delivery import Delivery, MessageRefused
from shared.federation.models import Lane
from shared.kernel.database import Database
from shared.kernel.edge import Now, Transaction
from shared.kernel.embedded_postgres import NODE_ROLE, SUPERUSER
from shared.kernel.language import Text as Words
from shared.kernel.privileges import grant
from shared.statistics.period import Period
from tests.chaos.checker import ANSWERED, REQUESTED

TABLES = MetaData()
requests = Table(
    "chaos_request",
    TABLES,
    Column("id", Uuid, primary_key=True),
    Column("destination", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("accepted_at", DateTime(timezone=True), nullable=False),
)
effects = Table(
    "chaos_effect",
    TABLES,
    Column("position", BigInteger, primary_key=True, autoincrement=True),
    Column("request_id", Uuid, nullable=False),
    Column("origin", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("number", BigInteger, nullable=False),
)
answers = Table(
    "chaos_answer",
    TABLES,
    Column("position", BigInteger, primary_key=True, autoincrement=True),
    Column("request_id", Uuid, nullable=False),
)

router = APIRouter(prefix="/chaos")


class RequestIn(BaseModel):
    """What a client asks; the id is the client's, and the same when it asks again."""

    id: UUID
    destination: Annotated[str, Field(pattern=r"^\d{6}$")]
    key: str
    number: int


class FiguresIn(BaseModel):
    """A new charge for one customer, and the period whose figures it changes."""

    customer: str
    monthly_charge_fen: int
    period: str


@router.post("/requests")
async def accept(
    asked: RequestIn, context: Context, session: Transaction, now: Now
) -> dict[str, bool]:
    """Accept a request, once: keep it and pass it on in one transaction."""
    values = {**asked.model_dump(), "accepted_at": now}
    kept = await session.scalar(
        insert_once(requests).values(values).on_conflict_do_nothing().returning(requests.c.id)
    )
    if kept is not None:
        await context.post.post(
            session,
            REQUESTED,
            asked.destination,
            {"number": asked.number},
            lane=Lane.REQUEST,
            partition_key=asked.key,
            now=now,
            message_id=asked.id,
        )
    return {"new": kept is not None}


@router.post("/figures")
async def change_figures(asked: FiguresIn, context: Context, now: Now) -> dict[str, int]:
    """Change a customer's charge, and tell HQ what has become of the figures."""
    async with context.database.transaction() as session:
        await session.execute(
            text(
                "UPDATE customer SET monthly_charge_fen = :charge WHERE customer_number = :number"
            ),
            {"charge": asked.monthly_charge_fen, "number": asked.customer},
        )
    counted = await roll_up(context.database, context.post, [Period.parse(asked.period)], now=now)
    return {each.dataset: each.revision for each in counted}


async def keep_request_again(_: NodeContext, delivery: Delivery) -> None:
    """Keep a request of this city's that it has forgotten, being restored from an old backup."""
    message = delivery.message
    await delivery.session.execute(
        insert_once(requests)
        .values(
            id=message.id,
            destination=message.destination,
            key=message.partitionkey,
            number=message.data["number"],
            accepted_at=message.time,
        )
        .on_conflict_do_nothing()
    )


async def have_effect(context: NodeContext, delivery: Delivery) -> None:
    """Do what is asked, and say so."""
    message = delivery.message
    if "number" not in message.data:
        raise MessageRefused("A request of chaos has a number.")
    await delivery.session.execute(
        insert(effects).values(
            request_id=message.id,
            origin=message.source,
            key=message.partitionkey,
            number=message.data["number"],
        )
    )
    await context.post.answer(delivery, ANSWERED, {}, lane=Lane.REQUEST)


async def keep_answer(_: NodeContext, delivery: Delivery) -> None:
    """Note that a request of this city was done."""
    await delivery.session.execute(insert(answers).values(request_id=delivery.message.causationid))


async def make_tables(context: NodeContext) -> None:
    """Make the tables, unless they are there, as the owner of the others."""
    owner = Database(context.database.url.replace(f"//{NODE_ROLE}@", f"//{SUPERUSER}@"), 2)
    try:
        async with owner.engine.begin() as connection:
            await connection.run_sync(TABLES.create_all)
        async with (await owner.pool()).acquire() as connection:
            await grant(connection, NODE_ROLE)
    finally:
        await owner.close()


capability = Capability(
    name="chaos",
    summary=Words("Requests between cities, to be counted", "用于核对的跨市请求"),
    routers=(router,),
    messages=(
        MessageHandler(
            REQUESTED,
            Words("Something is to be done", "请求办理"),
            have_effect,
            recovered=keep_request_again,
        ),
        MessageHandler(ANSWERED, Words("It was done", "办理结果"), keep_answer),
    ),
    on_start=(make_tables,),
)
