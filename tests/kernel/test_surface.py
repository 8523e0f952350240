"""The surface that every endpoint shares, on a capability that keeps notes."""

import asyncio
from datetime import datetime
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, Header, Response
from pydantic import BaseModel, Field
from sqlalchemy import BigInteger, Column, MetaData, Table, Text, insert, select, text, update
from starlette.requests import Request

from shared.capability import Capability, NodeContext
from shared.kernel.database import driver_connection
from shared.kernel.edge import ExpectedVersion, NodeDatabase, Now, Page, Transaction
from shared.kernel.idempotency import Once, forget_old_keys
from shared.kernel.language import Text as Words
from shared.kernel.listing import Listing, Sort
from shared.kernel.preconditions import entity_tag, require_version
from shared.kernel.problems import Problem
from tests.conftest import MakeNode, TestNode

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


@pytest.fixture
async def node(make_node: MakeNode) -> TestNode:
    return await make_node("440300", [NOTES])


async def add(node: TestNode, key: str, **body: Any) -> Any:
    return await node.client.post(
        "/notes", json={"topic": "a", **body}, headers={"Idempotency-Key": key}
    )


async def topics(node: TestNode) -> list[str]:
    async with node.database.transaction() as session:
        return list(await session.scalars(select(notes.c.topic).order_by(notes.c.id)))


async def test_a_commit_that_fails_never_answers_2xx(node: TestNode) -> None:
    """The failure comes after the endpoint has returned: only at COMMIT."""
    async with node.database.engine.begin() as connection:
        await connection.execute(
            text(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'disk full'; END $$"
            )
        )
        await connection.execute(
            text(
                "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON test_note DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()"
            )
        )
    response = await add(node, "k")
    assert response.status_code == 500
    assert response.json()["type"] == "urn:guanxi:problem:internal-error"
    assert response.headers["x-request-id"] in response.json()["detail"]
    assert await topics(node) == []


async def test_a_defect_changes_nothing_and_says_no_more_than_it_must(node: TestNode) -> None:
    response = await node.client.post("/notes/defect", headers={"X-Request-ID": "my-own-id"})
    assert (response.status_code, response.headers["x-request-id"]) == (500, "my-own-id")
    assert "ZeroDivision" not in response.text
    assert await topics(node) == []


async def test_a_database_that_is_away_is_a_503_to_come_back_to(
    node: TestNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise ConnectionRefusedError("nobody listens")

    monkeypatch.setattr(node.context.database, "transaction", away)
    response = await add(node, "k")
    assert (response.status_code, response.headers["retry-after"]) == (503, "5")
    assert response.json()["type"] == "urn:guanxi:problem:database-unavailable"


async def test_problems_speak_the_readers_language(node: TestNode) -> None:
    english = await node.client.put("/notes/7", json={"topic": "a"}, headers={"If-Match": '"1"'})
    chinese = await node.client.put(
        "/notes/7",
        json={"topic": "a"},
        headers={"If-Match": '"1"', "Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"},
    )
    assert english.json() == {
        "type": "urn:guanxi:problem:note-missing",
        "title": "Note missing",
        "status": 404,
        "detail": "There is no note 7.",
    }
    assert chinese.json()["detail"] == "没有记录 7。"
    assert chinese.headers["content-language"] == "zh"
    assert chinese.json()["type"] == english.json()["type"]


async def test_wrong_input_is_named_by_pointer(node: TestNode) -> None:
    response = await node.client.post(
        "/notes", json={"topic": ""}, headers={"Idempotency-Key": "k"}
    )
    assert response.status_code == 422
    assert [error["pointer"] for error in response.json()["errors"]] == ["/topic"]
    broken = {"Idempotency-Key": "k", "Content-Type": "application/json"}
    response = await node.client.post("/notes", content=b'{"topic": ', headers=broken)
    assert [error["pointer"] for error in response.json()["errors"]] == [""]
    assert "not JSON" in response.json()["errors"][0]["detail"]
    response = await node.client.get("/notes", params={"limit": 0})
    assert [error["pointer"] for error in response.json()["errors"]] == ["query:limit"]


@pytest.mark.parametrize(
    ("method", "path", "status", "slug"),
    [("GET", "/nothing", 404, "not-found"), ("DELETE", "/notes", 405, "method-not-allowed")],
)
async def test_what_is_not_there_is_a_problem_too(
    node: TestNode, method: str, path: str, status: int, slug: str
) -> None:
    response = await node.client.request(method, path)
    assert (response.status_code, response.json()["type"]) == (status, f"urn:guanxi:problem:{slug}")
    assert response.headers["content-type"] == "application/problem+json"


async def test_pages_follow_one_another_whatever_comes_in_between(node: TestNode) -> None:
    for number in range(7):
        await add(node, f"k{number}", topic=f"t{number % 3}")
    seen: list[int] = []
    cursor = None
    while True:
        page = (
            await node.client.get(
                "/notes",
                params={"limit": 2, "sort": "-topic", **({"cursor": cursor} if cursor else {})},
            )
        ).json()
        seen += [item["id"] for item in page["items"]]
        await add(node, f"late-{len(seen)}", topic="t9")  # sorts before every page still to come
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == [6, 3, 5, 2, 7, 4, 1]


async def test_fields_filters_and_count(node: TestNode) -> None:
    for number, topic in enumerate("aabc"):
        await add(node, f"k{number}", topic=topic, words=f"w{number}")
    page = (
        await node.client.get(
            "/notes", params={"topic": "a", "fields": "words", "count": "true", "limit": 1}
        )
    ).json()
    assert page["items"] == [{"words": "w0"}]
    assert page["count"] == 2
    assert page["next"]
    twice = await node.client.get("/notes", params={"fields": "words, id,words", "limit": 1})
    assert twice.text.startswith('{"items":[{"words":"w0","id":1}]')


@pytest.mark.parametrize(
    ("parameters", "slug", "pointer"),
    [
        ({"fields": "id,secret"}, "query-invalid", "query:fields"),
        ({"sort": "words; DROP TABLE test_note"}, "query-invalid", "query:sort"),
        ({"tpoic": "a"}, "query-invalid", "query:tpoic"),
        ({"cursor": "bm9uc2Vuc2U="}, "cursor-invalid", None),
        ({"cursor": "é"}, "cursor-invalid", None),
        ({"cursor": "WyJpZCIsZmFsc2UsImEiLCJiIl0="}, "cursor-invalid", None),
    ],
)
async def test_a_list_asked_for_wrongly(
    node: TestNode, parameters: dict[str, str], slug: str, pointer: str | None
) -> None:
    response = await node.client.get("/notes", params=parameters)
    assert (response.status_code, response.json()["type"]) == (400, f"urn:guanxi:problem:{slug}")
    assert [error["pointer"] for error in response.json().get("errors", [])] == (
        [pointer] if pointer else []
    )


async def test_a_cursor_of_another_order_is_refused(node: TestNode) -> None:
    for number in range(3):
        await add(node, f"k{number}")
    cursor = (await node.client.get("/notes", params={"limit": 1})).json()["next"]
    response = await node.client.get("/notes", params={"limit": 1, "cursor": cursor, "sort": "-id"})
    assert response.json()["type"] == "urn:guanxi:problem:cursor-invalid"


async def test_an_update_says_which_version_it_changes(node: TestNode) -> None:
    note = (await add(node, "k")).json()["id"]
    change = {"topic": "a", "words": "new"}
    missing = await node.client.put(f"/notes/{note}", json=change)
    done = await node.client.put(f"/notes/{note}", json=change, headers={"If-Match": '"1"'})
    stale = await node.client.put(f"/notes/{note}", json=change, headers={"If-Match": '"1"'})
    odd = await node.client.put(f"/notes/{note}", json=change, headers={"If-Match": "*"})
    assert [r.status_code for r in (missing, done, stale, odd)] == [428, 200, 412, 400]
    assert done.headers["etag"] == '"2"'


@pytest.mark.parametrize(
    "tag", [b'"\xb2"', b'"' + b"9" * 5000 + b'"', b'"01"', b'W/"1"', b'"1", "2"', b'""', b"1"]
)
async def test_a_tag_that_was_never_given_is_no_tag(node: TestNode, tag: bytes) -> None:
    note = (await add(node, "k")).json()["id"]
    response = await node.client.put(
        f"/notes/{note}", json={"topic": "a", "words": "new"}, headers={b"If-Match": tag}
    )
    assert (response.status_code, response.json()["type"]) == (
        400,
        "urn:guanxi:problem:entity-tag-invalid",
    )


async def test_of_two_updates_at_once_one_is_stale(node: TestNode) -> None:
    note = (await add(node, "k")).json()["id"]
    change = {"topic": "a", "words": "new"}
    answers = await asyncio.gather(
        *[
            node.client.put(f"/notes/{note}", json=change, headers={"If-Match": '"1"'})
            for _ in range(4)
        ]
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412]


class TestIdempotency:
    async def test_the_same_request_again_gets_the_stored_answer(self, node: TestNode) -> None:
        first, again = await add(node, "k"), await add(node, "k")
        assert (first.status_code, again.status_code) == (201, 201)
        assert first.json() == again.json()
        assert again.headers["location"] == first.headers["location"]
        assert again.headers["idempotent-replayed"] == "true"
        assert await topics(node) == ["a"]

    async def test_many_at_once_take_effect_once(self, node: TestNode) -> None:
        answers = await asyncio.gather(*[add(node, "k") for _ in range(5)])
        assert len({answer.text for answer in answers}) == 1
        assert await topics(node) == ["a"]

    async def test_the_same_key_for_another_request_is_refused(self, node: TestNode) -> None:
        await add(node, "k")
        response = await add(node, "k", topic="b")
        assert (response.status_code, response.json()["type"]) == (
            422,
            "urn:guanxi:problem:idempotency-key-reused",
        )
        assert await topics(node) == ["a"]

    async def test_a_refused_request_does_not_use_its_key_up(self, node: TestNode) -> None:
        assert (await add(node, "k", topic="")).status_code == 422
        assert (await add(node, "k")).status_code == 201

    @pytest.mark.parametrize("key", ["", " ", "x" * 201])
    async def test_a_key_is_needed(self, node: TestNode, key: str) -> None:
        response = await add(node, key)
        assert (response.status_code, response.json()["type"]) == (
            400,
            "urn:guanxi:problem:idempotency-key-missing",
        )

    async def test_old_keys_are_forgotten(self, node: TestNode) -> None:
        await add(node, "k")
        later: datetime = node.clock.now().replace(year=2027)
        async with node.database.transaction() as session:
            await forget_old_keys(session, now=later)
        assert (await add(node, "k")).status_code == 201
        assert await topics(node) == ["a", "a"]


async def test_the_interface_describes_itself_offline(node: TestNode) -> None:
    page = (await node.client.get("/docs")).text
    assert "http://" not in page.replace("http://440300", "")
    assert "https://" not in page
    assets = await node.client.get("/docs/assets/swagger-ui-bundle.js")
    assert assets.status_code == 200
    assert (await node.client.get("/openapi.json")).json()["openapi"].startswith("3.1")


async def test_an_answer_with_fields_is_described_as_partial(make_node: MakeNode) -> None:
    city = await make_node("440300")
    schemas = (await city.client.get("/openapi.json")).json()["components"]["schemas"]
    assert schemas["UnitPage"]["properties"]["items"]["items"] == {
        "$ref": "#/components/schemas/UnitOutPartial"
    }
    assert "required" in schemas["UnitOut"]
    assert "required" not in schemas["UnitOutPartial"]


async def test_health(node: TestNode) -> None:
    assert (await node.client.get("/health/live")).json() == {"status": "alive"}
    ready = await node.client.get("/health/ready")
    assert ready.json()["checks"]["parent"] == {"status": "not enrolled"}
    assert ready.json()["checks"]["database"] == {"status": "up"}
