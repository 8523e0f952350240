"""A transfer over REST, through real nodes of three tiers: whose the customer is can be read everywhere."""

import re
import shlex
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from services.city_node.card_replacement.outside import SWITCH
from services.city_node.transfer.kind import KIND
from shared import port
from shared.capability import Role
from shared.federation.models import Lane
from shared.kernel.ids import new_id
from shared.port.contracts import network
from tests.conftest import Nation, TestNode
from tests.transfer.nation import HQ, NEW, OLD, Place
from tests.transfer.people import id_card, msisdn, settle

Headers = dict[str, str]
SignIn = Callable[..., Awaitable[Headers]]
CREATED, OK, NOT_FOUND, CONFLICT = 201, 200, 404, 409
ASKED = {
    "msisdn": msisdn(70),
    "home": OLD,
    "document_type": "id_card",
    "document_number": id_card(7),
    "consent": "转网登记表 2026-0007",
}


class Counter:
    """Somebody who works at a node over REST."""

    def __init__(self, node: TestNode, headers: Headers) -> None:
        self._node = node
        self._headers = headers

    async def get(self, path: str, status: int = OK) -> Any:
        answer = await self._node.client.get(path, headers=self._headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def post(self, path: str, body: Any = None, *, key: str | None = None) -> httpx.Response:
        headers = {**self._headers, "Idempotency-Key": key or str(new_id())}
        return await self._node.client.post(path, json=body, headers=headers)

    async def patch(self, path: str, body: Any) -> httpx.Response:
        version = (await self._node.client.get(path, headers=self._headers)).headers["etag"]
        headers = {**self._headers, "If-Match": version}
        return await self._node.client.patch(path, json=body, headers=headers)

    async def ownership(self, customer: UUID) -> tuple[str, int]:
        """Return what the customer is to this city."""
        page = await self.get(f"/customers/{customer}?fields=id&include=ownership")
        return page["ownership"]["state"], page["ownership"]["epoch"]


@pytest.fixture
async def nation(joined: Callable[..., Awaitable[Nation]]) -> Nation:
    """HQ, two provinces and a city of each: real nodes, in the place of the small nation of the other tests."""
    return await joined((HQ, "440000", "110000", NEW, OLD))


@pytest.fixture
async def customer(nation: Nation) -> UUID:
    """A customer of Beijing."""
    old = nation[OLD]
    return await settle(Place(old.context, old.clock, hall=OLD), running=7)


@pytest.fixture
async def old(nation: Nation, customer: UUID, sign_in: SignIn) -> Counter:
    del customer
    return Counter(nation[OLD], await sign_in(nation[OLD], Role.SUPERVISOR))


@pytest.fixture
async def new(nation: Nation, sign_in: SignIn) -> Counter:
    return Counter(nation[NEW], await sign_in(nation[NEW], Role.SUPERVISOR))


@pytest.fixture
async def hq(nation: Nation, sign_in: SignIn) -> Counter:
    return Counter(nation[HQ], await sign_in(nation[HQ], Role.OPERATOR))


async def test_a_customer_of_beijing_moves_to_shenzhen(
    nation: Nation, customer: UUID, old: Counter, new: Counter, hq: Counter
) -> None:
    before = await old.get(f"/customers/{customer}?include=subscriptions,points")
    assert await old.ownership(customer) == ("live", 1)
    await hq.get(f"/ownership/{customer}", NOT_FOUND)
    asked = await new.post("/transfers", ASKED, key="once")
    assert asked.status_code == CREATED, asked.text
    again = await new.post("/transfers", ASKED, key="once")
    assert again.json()["id"] == asked.json()["id"]
    await nation.settle()
    transfer = await new.get(asked.headers["location"])
    assert (transfer["state"], transfer["customer_id"]) == ("completed", str(customer))
    nodes = {line["node"] for line in transfer["trail"]}
    assert nodes == {OLD, "110000", HQ, "440000", NEW}
    events = [line["event"] for line in transfer["trail"] if line["state"]]
    assert events == ["asked", "offered", "prepared", "moved"]
    after = await new.get(f"/customers/{customer}?include=subscriptions,points")
    assert after["subscriptions"] == before["subscriptions"]
    assert after["points"]["balance"] == before["points"]["balance"] > 0
    assert (after["unit_code"], after["library"]) == (NEW, "in_network")
    found = await new.get(f"/customers?document={id_card(7)}")
    assert [item["id"] for item in found["items"]] == [str(customer)]
    earlier = await new.get(f"/customers/{customer}?as_of=2026-01-01T00:00:00Z")
    assert earlier["unit_code"] == OLD
    directory = await hq.get(f"/ownership/{customer}")
    assert (directory["owner"], directory["epoch"]) == (NEW, 2)
    assert [change["former_owner"] for change in directory["history"]] == [OLD]
    assert await old.ownership(customer) == ("left", 2)
    assert await new.ownership(customer) == ("live", 2)
    copy = await old.get(f"/customers/{customer}?include=points")
    assert (copy["library"], copy["left_reason"], copy["left_destination"]) == (
        "retained",
        "transferred",
        NEW,
    )
    assert copy["points"]["balance"] == 0


async def test_while_the_link_is_cut_the_customer_is_frozen_and_then_moves(
    nation: Nation, customer: UUID, old: Counter, new: Counter, hq: Counter
) -> None:
    asked = await new.post("/transfers", ASKED)
    await _carry(nation, NEW, "440000", "110000", OLD)
    card = {"iccid": "89860099990000000001", "imsi": "460090000000001"}
    await new.post("/sim-cards", {"cards": [card]})
    question = {name: value for name, value in ASKED.items() if name != "consent"}
    replacement = await new.post("/card-replacements", {**question, "reason": "lost"})
    assert replacement.status_code == CREATED, replacement.text
    handset = {"make": "Huawei", "model": "Mate 60", "imei": "490154203237518"}
    repair = await new.post("/repairs", {**question, **handset, "fault": "broken glass"})
    assert repair.status_code == CREATED, repair.text
    await _carry(nation, NEW, "440000", "110000", OLD)
    nation.network.cut = {HQ}
    await nation.settle()
    assert await old.ownership(customer) == ("frozen", 1)
    refused = await old.patch(f"/customers/{customer}", {"payment_method": "cash"})
    assert (refused.status_code, refused.json()["type"]) == (
        CONFLICT,
        "urn:guanxi:problem:customer-in-transfer",
    )
    assert NEW in refused.json()["detail"]
    line = {"kind": "phone", "value": "13912345678"}
    assert (await old.post(f"/customers/{customer}/contacts", line)).status_code == CONFLICT
    assert (await old.get(f"/customers/{customer}"))["library"] == "in_network"
    nation.network.cut = set()
    nation.clock.advance(timedelta(minutes=6))
    await nation.settle()
    assert (await new.get(asked.headers["location"]))["state"] == "completed"
    for request in (replacement, repair):
        refused = await new.get(request.headers["location"])
        assert (refused["state"], refused["refusal"]["code"]) == ("refused", "in-transfer")
    changed = await new.patch(f"/customers/{customer}", {"payment_method": "cash"})
    assert changed.status_code == OK, changed.text
    moved = await old.patch(f"/customers/{customer}", {"payment_method": "cash"})
    assert moved.json()["type"] == "urn:guanxi:problem:customer-moved-away"
    assert (await hq.get(f"/ownership/{customer}"))["owner"] == NEW


async def _carry(nation: Nation, *codes: str) -> None:
    """Let nodes exchange with their parents, in this order."""
    for code in codes:
        for lane in Lane:
            await nation[code].node.dialler.push(lane)
        await nation[code].node.dialler.poll(wait=0)


async def test_nobody_moves_before_the_network_has_heard_of_the_last_card(
    nation: Nation, customer: UUID, old: Counter, new: Counter
) -> None:
    page = await old.get(f"/customers/{customer}?include=subscriptions")
    (line,) = page["subscriptions"]
    on = {"port_network_url": "http://network"}
    home = nation[OLD].context
    context = replace(home, settings=home.settings.model_copy(update=on))
    switch = network.SimSwitch(
        msisdn=line["msisdn"], iccid=line["iccid"], imsi="460090000000001", replaces="8986" * 5
    )
    async with home.database.transaction() as session:
        call = await port.call(
            context, session, SWITCH, switch, cause=new_id(), order=line["id"], now=home.clock.now()
        )
    asked = await new.post("/transfers", ASKED)
    await nation.settle()
    refused = await new.get(asked.headers["location"])
    assert (refused["state"], refused["refusal"]["code"]) == ("refused", "replacement-under-way")
    pool = await home.database.pool()
    await pool.execute(
        "UPDATE port_call SET state = 'done', ended_at = now(), due_at = NULL, content_cipher = NULL WHERE id = $1",
        call,
    )
    asked = await new.post("/transfers", ASKED)
    await nation.settle()
    assert (await new.get(asked.headers["location"]))["state"] == "completed"


async def test_a_cancelled_one_stays_and_a_late_one_expires(
    nation: Nation, customer: UUID, old: Counter, new: Counter, sign_in: SignIn
) -> None:
    asked = await new.post("/transfers", ASKED)
    cancelled = await new.post(f"{asked.headers['location']}/cancel", {"note": "客户不办了"})
    assert (cancelled.status_code, cancelled.json()["state"]) == (OK, "cancelled")
    await nation.settle()
    assert await old.ownership(customer) == ("live", 1)
    late = await new.post("/transfers", ASKED)
    nation.clock.advance(KIND.time_limit + timedelta(minutes=1))
    await nation[NEW].run_job("transfer-expiry")
    await nation.settle()
    old = Counter(
        nation[OLD], await sign_in(nation[OLD], Role.SUPERVISOR)
    )  # the tokens are over, too
    new = Counter(nation[NEW], await sign_in(nation[NEW], Role.SUPERVISOR))
    assert (await new.get(late.headers["location"]))["state"] == "expired"
    assert await old.ownership(customer) == ("live", 1)


async def test_another_persons_document_is_refused(
    nation: Nation, customer: UUID, old: Counter, new: Counter
) -> None:
    asked = await new.post("/transfers", {**ASKED, "document_number": id_card(8)})
    await nation.settle()
    refused = await new.get(asked.headers["location"])
    assert (refused["state"], refused["refusal"]["code"]) == ("refused", "identity-mismatch")
    assert refused["customer_id"] is None
    assert await old.ownership(customer) == ("live", 1)


async def test_who_is_known_here_already_is_not_asked_for(
    nation: Nation, customer: UUID, new: Counter
) -> None:
    del customer
    here = nation[NEW]
    await settle(Place(here.context, here.clock, hall=NEW), running=7)
    answer = await new.post("/transfers", ASKED)
    assert answer.json()["type"] == "urn:guanxi:problem:customer-known-here"
    taken = {**ASKED, "document_number": id_card(9), "new_msisdn": msisdn(70)}
    answer = await new.post("/transfers", taken)
    assert answer.json()["type"] == "urn:guanxi:problem:number-in-use-here"


def commands() -> list[list[str]]:
    """Return the commands of the page for front ends, as a shell would read them."""
    page = (Path(__file__).parents[2] / "docs" / "transfer.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```\n(curl .*?)^```", page, re.MULTILINE | re.DOTALL)
    return [shlex.split(block) for block in blocks]


async def test_the_page_for_front_ends_works_as_it_stands(
    nation: Nation, customer: UUID, sign_in: SignIn
) -> None:
    tokens = {
        "$TOKEN": (await sign_in(nation[NEW], Role.CLERK))["Authorization"],
        "$HQ_TOKEN": (await sign_in(nation[HQ], Role.OPERATOR))["Authorization"],
    }
    hosts = {"$SHENZHEN": nation[NEW], "$HQ": nation[HQ]}
    known = {"$DOCUMENT": id_card(7), "$CUSTOMER": str(customer), "$TRANSFER": "", "$OTHER": ""}
    answers = []
    for _, *words in commands():
        method = words[words.index("-X") + 1] if "-X" in words else "GET"
        url = next(word for word in words if word.startswith(("$SHENZHEN", "$HQ/")))
        host = next(name for name in hosts if url.startswith(f"{name}/"))
        headers = dict(word.split(": ", 1) for word in words if ": " in word and "{" not in word)
        headers["Authorization"] = tokens[headers["Authorization"].removeprefix("Bearer ")]
        body = words[words.index("-d") + 1] if "-d" in words else None
        path = url.removeprefix(host)
        for name, value in known.items():
            path, body = path.replace(name, value), body and body.replace(name, value)
        answer = await hosts[host].client.request(
            method, path, content=body, headers={**headers, "Content-Type": "application/json"}
        )
        answers.append((method, path.partition("?")[0].split("/")[1], answer.status_code))
        if answer.status_code == CREATED:
            known["$TRANSFER"] = known["$OTHER"] = answer.json()["id"]
            await nation.settle()
    assert answers == [
        ("POST", "transfers", CREATED),
        ("GET", "transfers", OK),
        (
            "POST",
            "transfers",
            CONFLICT,
        ),  # it has ended: what the page says of a city that is prepared
        ("GET", "customers", OK),
        ("GET", "ownership", OK),
    ]
