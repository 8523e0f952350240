"""Every violation of the exchange gets its documented problem and changes nothing."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import orjson
import pytest
import zstandard
from sqlalchemy import func, select

from shared.federation import exchange
from shared.federation.envelope import Message, pack
from shared.federation.keys import NodeKey
from shared.federation.models import InboxMessage, LaneState, PeerStatus
from shared.federation.repository import peer
from shared.federation.signature import HttpRequest, sign_request
from shared.kernel.ids import new_id
from tests.conftest import Nation, TestNode
from tests.federation.conftest import COUNTED, numbers_at

PATH = "/federation/v1/lanes/request/batches"
HEADERS = {
    "content-type": exchange.MEDIA_TYPE,
    "content-encoding": exchange.ENCODING,
    exchange.RECEIVER_HEADER: "440000",
}


def wire_message(
    node: TestNode, *, source: str | None = None, key: NodeKey | None = None, number: int = 1
) -> dict[str, Any]:
    """A message as it stands in a batch, by default one that the node may rightly send."""
    message = Message(
        id=new_id(),
        source=source or node.code,
        type=COUNTED,
        time=node.clock.now(),
        subject=None,
        destination="440000",
        partitionkey="k",
        correlationid=None,
        causationid=None,
        deadline=None,
        traceparent=None,
        data={"number": number},
    )
    packed = pack(message, key or node.context.post.key)
    return {
        "envelope": packed.envelope.decode(),
        "signature": packed.signature,
        "hops": [{"node": source or node.code, "at": node.clock.now().isoformat()}],
    }


def batch(node: TestNode, *, first: int = 1, lane: str = "request", **message: Any) -> bytes:
    """The body of a batch of one."""
    content = {"lane": lane, "first": first, "messages": [wire_message(node, **message)]}
    return zstandard.compress(orjson.dumps(content))


def signed(
    node: TestNode, body: bytes, *, path: str = PATH, ago: timedelta = timedelta(0), **more: Any
) -> HttpRequest:
    """A request of the node's, signed."""
    request = HttpRequest("POST", path, "", more.pop("headers", HEADERS), body)
    return sign_request(
        more.pop("key", node.context.post.key),
        more.pop("sender", node.code),
        request,
        now=node.clock.now() - ago,
        nonce=more.pop("nonce", uuid4().hex),
    )


async def send(to: TestNode, request: HttpRequest) -> httpx.Response:
    """Send a request as it is."""
    return await to.client.post(request.path, content=request.body, headers=dict(request.headers))


async def assert_refused(
    to: TestNode, request: HttpRequest, status: int, slug: str, reason: str = ""
) -> Mapping[str, Any]:
    """Send a request that must be refused and must change nothing."""
    before = await state_of(to)
    response = await send(to, request)
    problem: dict[str, Any] = response.json()
    assert (response.status_code, problem["type"]) == (status, f"urn:guanxi:problem:{slug}"), (
        problem
    )
    assert reason in problem["detail"], problem["detail"]
    assert response.headers["content-type"] == "application/problem+json"
    assert await state_of(to) == before
    return problem


async def state_of(node: TestNode) -> tuple[Any, ...]:
    """All that a batch could change."""
    async with node.database.transaction() as session:
        inbox = await session.scalar(select(func.count()).select_from(InboxMessage))
        lanes = (
            await session.execute(
                select(
                    LaneState.peer,
                    LaneState.lane,
                    LaneState.direction,
                    LaneState.numbered,
                    LaneState.acknowledged,
                ).order_by(LaneState.peer, LaneState.lane, LaneState.direction)
            )
        ).all()
    return inbox, tuple(lanes), tuple(await numbers_at(node))


async def test_the_pattern_of_these_tests_is_accepted_when_nothing_is_wrong(line: Nation) -> None:
    city = line["440300"]
    response = await send(line["440000"], signed(city, batch(city)))
    assert response.status_code == 200, response.text
    assert await numbers_at(line["440000"]) == [1]


async def test_unsigned(line: Nation) -> None:
    city = line["440300"]
    await assert_refused(
        line["440000"],
        HttpRequest("POST", PATH, "", HEADERS, batch(city)),
        401,
        "signature-refused",
        "signature-missing",
    )


async def test_signed_by_another_key(line: Nation) -> None:
    city = line["440300"]
    request = signed(city, batch(city), key=NodeKey.generate())
    await assert_refused(line["440000"], request, 401, "signature-refused", "signature-wrong")


async def test_body_exchanged_after_signing(line: Nation) -> None:
    city = line["440300"]
    request = replace(signed(city, batch(city)), body=batch(city, number=2))
    await assert_refused(line["440000"], request, 401, "signature-refused", "digest-wrong")


async def test_path_exchanged_after_signing(line: Nation) -> None:
    city = line["440300"]
    request = replace(signed(city, batch(city)), path="/federation/v1/lanes/control/batches")
    await assert_refused(line["440000"], request, 401, "signature-refused", "signature-wrong")


@pytest.mark.parametrize(
    ("ago", "reason"),
    [(timedelta(minutes=10), "timestamp-stale"), (timedelta(minutes=-10), "timestamp-future")],
)
async def test_clock_off_by_ten_minutes(line: Nation, ago: timedelta, reason: str) -> None:
    city = line["440300"]
    await assert_refused(
        line["440000"], signed(city, batch(city), ago=ago), 401, "signature-refused", reason
    )


async def test_replayed(line: Nation) -> None:
    city = line["440300"]
    request = signed(city, batch(city))
    assert (await send(line["440000"], request)).status_code == 200
    await assert_refused(line["440000"], request, 401, "nonce-replayed")
    assert await numbers_at(line["440000"]) == [1]


async def test_replayed_to_another_node(line: Nation) -> None:
    """Were the receiver not signed, a parent could pass on what a child sent to it."""
    city = line["440300"]
    request = signed(city, batch(city))
    await assert_refused(line["000000"], request, 421, "receiver-wrong", "440000")
    forged = replace(request, headers={**request.headers, exchange.RECEIVER_HEADER: "000000"})
    await assert_refused(line["000000"], forged, 401, "signature-refused")


async def test_nonce_too_long_to_keep(line: Nation) -> None:
    city = line["440300"]
    request = signed(city, batch(city), nonce="n" * (exchange.LONGEST_NONCE + 1))
    await assert_refused(line["440000"], request, 400, "exchange-malformed", "nonce")


async def test_stranger(line: Nation) -> None:
    city = line["440300"]
    await assert_refused(
        line["440000"],
        signed(city, batch(city), sender="440100"),
        401,
        "signature-refused",
        "key-unknown",
    )


async def test_revoked_child(line: Nation) -> None:
    city, province = line["440300"], line["440000"]
    async with province.database.transaction() as session:
        child = await peer(session, city.code)
        assert child is not None
        child.status = PeerStatus.REVOKED
    await assert_refused(province, signed(city, batch(city)), 403, "peer-revoked")


async def test_origin_outside_the_senders_subtree(line: Nation) -> None:
    city = line["440300"]
    await assert_refused(
        line["440000"], signed(city, batch(city, source="110100")), 403, "origin-foreign", "110100"
    )


async def test_child_that_speaks_for_its_parent(line: Nation) -> None:
    city = line["440300"]
    await assert_refused(
        line["440000"], signed(city, batch(city, source="440000")), 403, "origin-foreign"
    )


async def test_envelope_not_signed_by_its_origin_is_kept_aside_and_has_no_effect(
    line: Nation,
) -> None:
    city, province = line["440300"], line["440000"]
    response = await send(province, signed(city, batch(city, key=NodeKey.generate())))
    assert response.status_code == 200
    assert await numbers_at(province) == []
    async with province.database.transaction() as session:
        kept = (
            await session.scalars(select(InboxMessage).where(InboxMessage.type == COUNTED))
        ).one()
    assert kept.state == "parked"
    assert "EnvelopeForged" in (kept.reason or "")


async def test_gap(line: Nation) -> None:
    city = line["440300"]
    await assert_refused(
        line["440000"],
        signed(city, batch(city, first=2)),
        409,
        "sequence-gap",
        "goes on with message 1",
    )


async def test_lane_of_the_path_and_of_the_batch_differ(line: Nation) -> None:
    city = line["440300"]
    await assert_refused(
        line["440000"], signed(city, batch(city, lane="bulk")), 400, "exchange-malformed"
    )


async def test_no_such_lane(line: Nation) -> None:
    city = line["440300"]
    path = "/federation/v1/lanes/express/batches"
    await assert_refused(line["440000"], signed(city, batch(city), path=path), 422, "input-invalid")


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
async def test_not_zstd(line: Nation, encoding: str) -> None:
    city = line["440300"]
    request = signed(city, batch(city), headers={**HEADERS, "content-encoding": encoding})
    await assert_refused(line["440000"], request, 415, "encoding-unsupported", encoding)


@pytest.mark.parametrize(
    "body",
    [
        b"not zstd at all",
        zstandard.compress(b"not json"),
        zstandard.compress(orjson.dumps({"lane": "request"})),
        zstandard.compress(orjson.dumps({"lane": "request", "first": 1, "messages": []})),
    ],
    ids=["plain", "no json", "no batch", "empty batch"],
)
async def test_malformed(line: Nation, body: bytes) -> None:
    await assert_refused(line["440000"], signed(line["440300"], body), 400, "exchange-malformed")


async def test_oversize(line: Nation) -> None:
    await assert_refused(
        line["440000"],
        signed(line["440300"], b"\0" * (exchange.MAX_COMPRESSED + 1)),
        413,
        "body-too-large",
    )


async def test_small_body_that_unpacks_to_too_much(line: Nation) -> None:
    bomb = zstandard.compress(b"\0" * (exchange.MAX_BODY + 1))
    assert len(bomb) < 100_000
    await assert_refused(
        line["440000"], signed(line["440300"], bomb), 400, "exchange-malformed", "opens into more"
    )


async def test_acknowledging_what_was_never_sent(line: Nation) -> None:
    body = zstandard.compress(orjson.dumps({"received": {"request": 99}, "wait": 0}))
    request = signed(line["440300"], body, path="/federation/v1/poll")
    await assert_refused(line["440000"], request, 409, "lane-diverged", "99")
