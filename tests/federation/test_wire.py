"""Neighbouring releases understand each other: today's nodes take yesterday's bytes, from below and from above."""

import base64
import json
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from sqlalchemy import update

from shared.federation import exchange, receipt
from shared.federation.compression import decompress
from shared.federation.dialler import Dialler
from shared.federation.keys import PublicKey
from shared.federation.models import Lane, Peer, RegistryEntry
from shared.federation.signature import HttpRequest, HttpResponse, sign_response, verify_request
from tests.conftest import Nation, TestNode
from tests.federation.conftest import numbers_at, post_numbers
from tests.federation.wire import CHILD, NOW, PARENT, fixtures, key_of

FIXTURES = Path(__file__).resolve().parents[2] / "docs" / "fixtures"
RELEASES = ["1.0", "1.1"]


def fixture(release: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((FIXTURES / f"wire-v{release}.json").read_text("utf-8"))
    return content


def request_of(written: dict[str, Any]) -> HttpRequest:
    return HttpRequest(
        written["method"],
        written["path"],
        "",
        written["headers"],
        base64.b64decode(written["body_base64"]),
    )


def test_this_release_writes_what_its_fixture_says() -> None:
    ours, written = orjson.loads(orjson.dumps(fixtures())), fixture("1.1")
    for content in (ours, written):
        content.pop("request")  # another zstd may compress otherwise; what it opens into is below
    assert ours == written


@pytest.mark.parametrize("release", RELEASES)
def test_a_fixture_is_signed_and_holds_what_it_shows(release: str) -> None:
    written = fixture(release)
    request = request_of(written["request"])
    key = PublicKey.from_text(written["public_keys"][CHILD])
    verified = verify_request(lambda code: [key] if code == CHILD else None, request, now=NOW)
    assert verified.sender == CHILD
    assert json.loads(decompress(request.body, limit=exchange.MAX_BODY)) == written["batch"]


async def know_the_child_of_the_fixtures(province: TestNode) -> None:
    """Let the parent know the child by the key that the fixtures are signed with."""
    text = key_of(CHILD).public.to_text()
    async with province.database.transaction() as session:
        await session.execute(update(Peer).where(Peer.code == CHILD).values(public_key=text))
        await session.execute(
            update(RegistryEntry)
            .where(RegistryEntry.code == CHILD)
            .values(public_key=text, keys=[])
        )


async def carry(province: TestNode, written: dict[str, Any]) -> httpx.Response:
    request = request_of(written)
    return await province.client.post(
        request.path, content=request.body, headers=dict(request.headers)
    )


@pytest.mark.parametrize("release", RELEASES)
async def test_a_parent_takes_the_batch_of_a_child_of_each_release(
    line: Nation, release: str
) -> None:
    province, written = line[PARENT], fixture(release)
    await know_the_child_of_the_fixtures(province)
    response = await carry(province, written["request"])
    assert response.status_code == 200, response.text
    answer = response.json()
    assert (answer["lane"], answer["received"]) == ("request", 2)
    assert await numbers_at(province) == [1, 2]
    if release == "1.1":
        link = bytes.fromhex(written["links"][-1])
        keys = [province.context.post.key.public]
        proven = receipt.check(answer["receipt"], keys, sender=CHILD, receiver=PARENT)
        assert proven.position.link == link


async def test_a_parent_answers_the_poll_of_a_child_of_the_release_before(line: Nation) -> None:
    province = line[PARENT]
    await know_the_child_of_the_fixtures(province)
    response = await carry(province, fixture("1.0")["poll_request"])
    assert response.status_code == 200, response.text
    assert {batch["lane"] for batch in response.json()["batches"]} <= {lane.value for lane in Lane}


class ParentOfTheReleaseBefore(httpx.MockTransport):
    """Answers as release 1.0 did: no receipts, no reconciling, no clock."""

    def __init__(self, parent: TestNode, release: dict[str, Any]) -> None:
        self.parent = parent
        self.release = release
        self.batches: list[dict[str, Any]] = []
        super().__init__(self.answer)

    def answer(self, request: httpx.Request) -> httpx.Response:
        sent = HttpRequest(
            request.method, request.url.path, "", dict(request.headers), request.content
        )
        if request.url.path.endswith("/batches"):
            batch = json.loads(decompress(request.content, limit=exchange.MAX_BODY))
            self.batches.append(batch)
            received = batch["first"] + len(batch["messages"]) - 1
            content = {**self.release["acknowledgement"], "received": received}
        elif request.url.path.endswith("/poll"):
            content = self.release["poll_answer"]
        else:
            problem = b'{"type": "urn:guanxi:problem:not-found"}'
            return httpx.Response(404, stream=httpx.ByteStream(problem))
        body = exchange.body_of(content)
        post = self.parent.context.post
        response = sign_response(
            post.key,
            post.code,
            HttpResponse(sent, 200, body.headers, body.content),
            now=self.parent.clock.now(),
            nonce=f"nonce-{len(self.batches)}-{request.url.path[-4:]}",
        )
        return httpx.Response(
            200, headers=dict(response.headers), stream=httpx.ByteStream(response.body)
        )


async def test_a_child_works_with_a_parent_of_the_release_before(line: Nation) -> None:
    city = line[CHILD]
    old = ParentOfTheReleaseBefore(line[PARENT], fixture("1.0"))
    city.node.dialler = Dialler(
        settings=city.node.settings,
        post=city.context.post,
        database=city.database,
        clock=city.clock,
        receiver=city.node.app.state.receiver,
        high_water=city.context.high_water,
        transport=old,
    )
    city.node.dialling._dialler = city.node.dialler
    await post_numbers(city, PARENT, 1, 2)
    assert await city.node.dialling.attempt(lambda: city.node.dialler.push(Lane.REQUEST)) is None
    assert await city.node.dialling.attempt(lambda: city.node.dialler.poll(wait=0)) is None
    assert [len(batch["messages"]) for batch in old.batches] == [2]
    await post_numbers(city, PARENT, 3)
    await city.node.dialler.push(Lane.REQUEST)
    assert old.batches[-1]["first"] == 3
    await city.node.dialler.close()
