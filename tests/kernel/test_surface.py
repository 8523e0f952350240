"""The surface that every endpoint shares, on a capability that keeps notes."""

import asyncio
from datetime import datetime
from typing import Any

import pytest
import structlog
from sqlalchemy import select, text

from shared.kernel.idempotency import forget_old_keys
from tests.conftest import MakeNode, TestNode
from tests.kernel.notes import NOTES, notes


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
    with structlog.testing.capture_logs() as lines:
        response = await add(node, "k")
    assert (response.status_code, response.headers["retry-after"]) == (503, "5")
    assert lines == []  # no error, and so no traceback; a warning is not shown in tests
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


async def test_wrong_input_is_told_in_the_readers_language(node: TestNode) -> None:
    chinese = {"Idempotency-Key": "k", "Accept-Language": "zh-CN"}
    body = await node.client.post("/notes", json={"topic": "", "words": 5}, headers=chinese)
    query = await node.client.get("/notes", params={"limit": "x", "count": "x"}, headers=chinese)
    broken = await node.client.post(
        "/notes", content=b"{", headers={**chinese, "Content-Type": "application/json"}
    )
    told = [
        error["detail"] for answer in (body, query, broken) for error in answer.json()["errors"]
    ]
    assert told == [
        "至少 1 个字符",
        "必须是文本",
        "必须是整数",
        "必须是 true 或 false",
        "不是有效的 JSON：第 1 个字符处有误",
    ]


@pytest.mark.parametrize(
    ("media_type", "body", "status", "slug"),
    [
        ("text/plain", b'{"topic": "a"}', 415, "media-type-unsupported"),
        ("application/x-www-form-urlencoded", b"topic=a", 415, "media-type-unsupported"),
        ("application/json", b"[" * 100_000, 400, "body-unreadable"),
    ],
)
async def test_a_body_that_cannot_be_read_as_json_is_told_so(
    node: TestNode, media_type: str, body: bytes, status: int, slug: str
) -> None:
    headers = {"Idempotency-Key": "k", "Content-Type": media_type}
    english = await node.client.post("/notes", content=body, headers=headers)
    chinese = await node.client.post(
        "/notes", content=body, headers={**headers, "Accept-Language": "zh"}
    )
    assert (english.status_code, english.json()["type"]) == (status, f"urn:guanxi:problem:{slug}")
    assert "Nothing was changed" in english.json()["detail"]
    assert "未作任何更改" in chinese.json()["detail"]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_character_that_no_text_can_hold_is_refused(node: TestNode, method: str) -> None:
    if method == "GET":
        response = await node.client.get("/notes", params={"topic": "a\0b"})
    else:
        response = await add(node, "k", topic="a\0b")
    assert (response.status_code, response.json()["type"]) == (
        422,
        "urn:guanxi:problem:character-not-storable",
    )
    assert await topics(node) == []


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


async def test_a_method_that_is_not_taken_is_told_which_are(node: TestNode) -> None:
    of_all, of_one = await node.client.delete("/notes"), await node.client.post("/notes/7")
    assert (of_all.status_code, of_all.headers["allow"]) == (405, "GET, POST")
    assert (of_one.status_code, of_one.headers["allow"]) == (405, "PUT")


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
        ({"tpoic": "a"}, "parameter-unknown", "query:tpoic"),
        ({"topic": ["a", "b"]}, "parameter-repeated", "query:topic"),
        ({"cursor": "bm9uc2Vuc2U="}, "cursor-invalid", None),
        ({"cursor": "é"}, "cursor-invalid", None),
        ({"cursor": "WyJpZCIsZmFsc2UsImEiLCJiIl0="}, "cursor-invalid", None),
    ],
)
async def test_a_list_asked_for_wrongly(
    node: TestNode, parameters: dict[str, str | list[str]], slug: str, pointer: str | None
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
