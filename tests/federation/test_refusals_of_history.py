"""What contradicts a lane's history, its receipts or its part of the tree is refused and changes nothing."""

from datetime import timedelta
from typing import Any

import orjson
import pytest
import zstandard

from shared.federation import receipt
from shared.federation.keys import NodeKey
from shared.federation.lane import Position
from shared.federation.models import Lane, Peer
from tests.conftest import Nation
from tests.federation.conftest import numbers_at, post_numbers
from tests.federation.test_refusals import assert_refused, signed, wire_message

CITY, PROVINCE = "440300", "440000"
POLL = "/federation/v1/poll"


def packed(content: object) -> bytes:
    return zstandard.compress(orjson.dumps(content))


async def test_a_batch_that_goes_on_from_another_history(line: Nation) -> None:
    await post_numbers(line[CITY], PROVINCE, 1)
    await line.settle()
    body = packed(
        {
            "lane": "request",
            "first": 2,
            "previous": "0" * 64,
            "messages": [wire_message(line[CITY], number=2)],
        }
    )
    await assert_refused(
        line[PROVINCE], signed(line[CITY], body), 409, "lane-diverged", "chain is at 0000"
    )


async def test_a_batch_that_repeats_a_number_for_something_else(line: Nation) -> None:
    await post_numbers(line[CITY], PROVINCE, 1)
    await line.settle()
    messages = [wire_message(line[CITY], number=number) for number in (7, 8)]
    body = packed({"lane": "request", "first": 1, "previous": "ab" * 32, "messages": messages})
    await assert_refused(line[PROVINCE], signed(line[CITY], body), 409, "lane-diverged")


@pytest.mark.parametrize("previous", ["xyz", "AB" * 32, "00"])
async def test_a_link_that_is_none(line: Nation, previous: str) -> None:
    messages = [wire_message(line[CITY])]
    body = packed({"lane": "request", "first": 1, "previous": previous, "messages": messages})
    await assert_refused(
        line[PROVINCE], signed(line[CITY], body), 400, "exchange-malformed", "/previous"
    )


def _receipts(line: Nation, **changes: Any) -> str:
    """A receipt of the city for what the province sent it, changed as a test wants."""
    key = changes.pop("key", line[CITY].context.post.key)
    values = {
        "sender": PROVINCE,
        "receiver": CITY,
        "lane": "request",
        "position": Position(1, bytes(32)),
        "at": line.clock.now(),
        **changes,
    }
    return receipt.issue(key, receipt.Receipt(**values))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"sender": "110000"}, "received from 110000"),
        ({"lane": "bulk"}, "of bulk"),
        ({"position": Position(9, bytes(32))}, "message 9"),
        ({"key": NodeKey.generate()}, "not signed by a key"),
    ],
    ids=["of somebody else's messages", "of another lane", "of another number", "another key"],
)
async def test_a_receipt_that_does_not_prove_what_is_acknowledged(
    line: Nation, changes: dict[str, Any], why: str
) -> None:
    await post_numbers(line[PROVINCE], CITY, 1)
    async with line[PROVINCE].database.transaction() as session:
        assert await session.get(Peer, CITY)
    body = packed(
        {
            "received": {"request": 1},
            "receipts": {"request": _receipts(line, **changes)},
            "wait": 0,
        }
    )
    request = signed(line[CITY], body, path=POLL)
    await assert_refused(line[PROVINCE], request, 400, "receipt-refused", why)


async def test_a_receipt_for_another_history(line: Nation) -> None:
    await post_numbers(line[PROVINCE], CITY, 1)
    await line.settle()
    await post_numbers(line[PROVINCE], CITY, 2)
    line.network.cut.add(PROVINCE)
    await line.settle()
    statement = _receipts(line, position=Position(2, bytes(32)))
    body = packed({"received": {"request": 2}, "receipts": {"request": statement}, "wait": 0})
    await assert_refused(
        line[PROVINCE], signed(line[CITY], body, path=POLL), 409, "lane-diverged", "restored"
    )


async def test_a_report_about_somebody_elses_part_of_the_tree(line: Nation) -> None:
    report = {
        "code": "110100",
        "version": "1",
        "at": line.clock.now().isoformat(),
        **dict.fromkeys(("waiting", "oldest_seconds", "parked", "stopped", "failures"), 0),
        "epoch": 1,
        "links": [],
    }
    body = packed({"received": {}, "reports": [report], "wait": 0})
    await assert_refused(
        line[PROVINCE], signed(line[CITY], body, path=POLL), 403, "origin-foreign", "110100"
    )


async def test_a_reconciliation_that_is_none(line: Nation) -> None:
    body = packed({"version": "1", "epoch": 0, "lanes": {}})
    request = signed(line[CITY], body, path="/federation/v1/reconciliations")
    await assert_refused(line[PROVINCE], request, 400, "exchange-malformed", "/epoch")


async def test_giving_back_what_was_never_sent_stops_the_lane_and_changes_nothing_else(
    line: Nation,
) -> None:
    city, province = line[CITY], line[PROVINCE]
    lane = {"numbered": 0, "acknowledged": 0, "received": 5, "received_link": "cd" * 32}
    forged = {
        "lane": "request",
        "first": 1,
        "previous": "ef" * 32,
        "messages": [wire_message(city, source=PROVINCE)],
    }
    body = packed({"version": "1", "epoch": 1, "lanes": {"request": lane}, "returned": [forged]})
    request = signed(city, body, path="/federation/v1/reconciliations")
    response = await province.client.post(
        request.path, content=request.body, headers=dict(request.headers)
    )
    assert response.status_code == 200
    assert await numbers_at(province) == []
    content = response.json()  # the client has opened it
    assert content["lanes"]["rollup"]["stopped"] is None
    await post_numbers(province, CITY, 1, lane=Lane.ROLLUP)
    await line.settle()
    assert await numbers_at(city) == [1]


@pytest.mark.parametrize("minutes", [-10, 10])
async def test_a_child_whose_clock_is_wrong_goes_by_its_parents(line: Nation, minutes: int) -> None:
    city, province = line[CITY], line[PROVINCE]
    here = line.clock.now
    city.node.dialler._link._clock = _Shifted(line, timedelta(minutes=minutes))
    await post_numbers(city, PROVINCE, 1)
    await city.node.dialler.push(Lane.REQUEST)
    assert await numbers_at(province) == [1]
    await city.node.dialler.poll(wait=0)
    async with city.database.transaction() as session:
        known = await session.get_one(Peer, PROVINCE)
    assert known.clock_offset_seconds == pytest.approx(-60 * minutes, abs=1)
    assert here() == line.clock.now()


class _Shifted:
    def __init__(self, line: Nation, by: timedelta) -> None:
        self._line, self._by = line, by

    def now(self) -> Any:
        return self._line.clock.now() + self._by
