"""A capability that keeps notes, for tests of the surface that every endpoint shares."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Response
from pydantic import BaseModel, Field
from sqlalchemy import BigInteger, Column, MetaData, Table, Text, insert, select, update
from starlette.requests import Request

from shared.capability import Capability, NodeContext
from shared.kernel.database import driver_connection
from shared.kernel.edge import ExpectedVersion, NodeDatabase, Now, Page, Transaction
from shared.kernel.idempotency import Once
from shared.kernel.language import Text as Words
from shared.kernel.listing import Listing, Sort
from shared.kernel.preconditions import entity_tag, require_version
from shared.kernel.problems import Problem

notes = Table(
    "test_note",
    MetaData(),
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("topic", Text, nullable=False),
    Column("words", Text, nullable=False),
    Column("version", BigInteger, nullable=False, server_default="1"),
)
LISTING = Listing(
    source="test_note n",
    key=Sort("n.id", "bigint"),
    columns={"id": "n.id", "topic": "n.topic", "words": "n.words"},
    sorts={"id": Sort("n.id", "bigint"), "topic": Sort("n.topic", "text")},
    filters={"topic": "n.topic = {}"},
)
router = APIRouter(prefix="/notes")


class NewNote(BaseModel):
    topic: str = Field(min_length=1)
    words: str = ""


class NoteMissing(Problem):
    """There is no such note."""

    status = 404
    title = Words("Note missing", "没有该记录")
    sentence = Words("There is no note {note}.", "没有记录 {note}。")


@router.get("")
async def list_notes(page: Page, database: NodeDatabase, topic: str | None = None) -> Response:
    content = await LISTING.page(await database.pool(), page, {"topic": topic})
    return Response(content, media_type="application/json")


async def claim(
    request: Request,
    session: Transaction,
    now: Now,
    idempotency_key: Annotated[str | None, Header()] = None,
) -> Once:
    connection = await driver_connection(session)
    return await Once.begin(request, connection, "tester", idempotency_key, now=now)


@router.post("", status_code=201)
async def add_note(
    body: NewNote, session: Transaction, once: Annotated[Once, Depends(claim)]
) -> Response:
    note = await session.scalar(
        insert(notes).values(topic=body.topic, words=body.words).returning(notes.c.id)
    )
    return await once.answer(201, {"id": note}, Location=f"/notes/{note}")


@router.put("/{note}")
async def change_note(
    note: int, body: NewNote, session: Transaction, expected: ExpectedVersion, response: Response
) -> dict[str, int]:
    version = await session.scalar(
        select(notes.c.version).where(notes.c.id == note).with_for_update()
    )
    if version is None:
        raise NoteMissing(note=note)
    require_version(version, expected)
    await session.execute(
        update(notes).where(notes.c.id == note).values(words=body.words, version=version + 1)
    )
    response.headers["ETag"] = entity_tag(version + 1)
    return {"version": version + 1}


@router.post("/defect")
async def defect(session: Transaction) -> None:
    await session.execute(insert(notes).values(topic="defect", words=""))
    raise ZeroDivisionError


async def _make_table(context: NodeContext) -> None:
    async with context.database.engine.begin() as connection:
        await connection.run_sync(notes.metadata.create_all)


NOTES = Capability(
    name="notes", summary=Words("Notes", "记录"), routers=(router,), on_start=(_make_table,)
)
