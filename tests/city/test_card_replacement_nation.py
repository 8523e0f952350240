"""Card replacement over REST, through real nodes of three tiers."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from services.city_node.card_replacement.kind import KIND
from shared.capability import Role
from shared.kernel.ids import new_id
from tests.city.two_cities import DOCUMENT, HOME, OTHER_DOCUMENT, VISITED, City, add_line
from tests.conftest import Nation, TestNode

MSISDN = "13800005678"
ICCID, IMSI = "89860099990000000001", "460090000000001"
ASKED = {
    "msisdn": MSISDN,
    "home": HOME,
    "document_type": "id_card",
    "document_number": DOCUMENT,
    "reason": "lost",
}

Headers = dict[str, str]
SignIn = Callable[..., Awaitable[Headers]]


class Counter:
    """Somebody who works at a node over REST."""

    def __init__(self, node: TestNode, headers: Headers) -> None:
        self._node = node
        self._headers = headers

    async def get(self, path: str, status: int = 200) -> Any:
        """Read ``path``."""
        answer = await self._node.client.get(path, headers=self._headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def post(self, path: str, body: Any = None, *, key: str | None = None) -> httpx.Response:
        """Post to ``path``, as somebody who repeats nothing unless a ``key`` is given."""
        headers = {**self._headers, "Idempotency-Key": key or str(new_id())}
        return await self._node.client.post(path, json=body, headers=headers)


@pytest.fixture
async def counter(nation: Nation, sign_in: SignIn) -> Counter:
    """A clerk in Shenzhen, with one card in stock; the customer's home is Beijing."""
    home = nation[HOME]
    await add_line(City(home.context, home.clock), MSISDN)
    supervisor = Counter(nation[VISITED], await sign_in(nation[VISITED], Role.SUPERVISOR))
    loaded = await supervisor.post("/sim-cards", {"cards": [{"iccid": ICCID, "imsi": IMSI}]})
    assert (loaded.status_code, loaded.json()) == (201, {"unit": VISITED, "loaded": 1, "known": 0})
    return Counter(nation[VISITED], await sign_in(nation[VISITED], Role.CLERK))


async def sims(nation: Nation) -> list[tuple[str, str]]:
    pool = await nation[HOME].database.pool()
    return [
        tuple(row) for row in await pool.fetch("SELECT state, iccid FROM sim ORDER BY activated_at")
    ]


def places(trail: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(line["node"], line["event"]) for line in trail]


async def test_a_customer_of_beijing_gets_a_card_in_shenzhen(
    nation: Nation, counter: Counter, sign_in: SignIn
) -> None:
    asked = await counter.post("/card-replacements", ASKED, key="once")
    assert asked.status_code == 201, asked.text
    request, path = asked.json(), asked.headers["location"]
    assert (request["state"], request["awaiting"], request["subject"]) == (
        "asked",
        "home",
        "138****5678",
    )
    assert request["card"] == {"iccid": ICCID, "imsi": IMSI, "state": "reserved"}
    assert asked.headers["etag"] == '"1"'
    again = await counter.post("/card-replacements", ASKED, key="once")
    assert (again.status_code, again.json(), again.headers["location"]) == (201, request, path)
    early = await counter.post(f"{path}/write-card")
    assert (early.status_code, early.json()["type"]) == (
        409,
        "urn:guanxi:problem:request-not-in-state",
    )

    await nation.settle()
    approved = await counter.get(path)
    there = [("440000", "carried"), ("000000", "carried"), ("110000", "carried"), (HOME, "arrived")]
    back = [
        ("110000", "carried"),
        ("000000", "carried"),
        ("440000", "carried"),
        (VISITED, "arrived"),
    ]
    assert places(approved["trail"]) == [
        (VISITED, "asked"),
        *there,
        (HOME, "departed"),
        *back,
        (VISITED, "approved"),
    ]

    written = await counter.post(f"{path}/write-card")
    assert (written.status_code, written.json()["state"]) == (200, "written"), written.text
    assert [state for state, _ in await sims(nation)] == ["active"]
    await nation.settle()
    done = await counter.get(path)
    assert (done["state"], done["awaiting"], done["card"]["state"]) == ("completed", None, "issued")
    assert [state for state, _ in await sims(nation)] == ["replaced", "active"]
    assert (await sims(nation))[1][1] == ICCID

    at_home = Counter(nation[HOME], await sign_in(nation[HOME], Role.CLERK))
    seen = await at_home.get(f"/service-requests/{request['id']}")
    assert (seen["role"], seen["state"], seen["home"], seen["visited"]) == (
        "home",
        "completed",
        HOME,
        VISITED,
    )
    found = await at_home.get(
        f"/service-requests?kind={KIND.code}&role=home&state=completed&visited={VISITED}&open=false"
    )
    assert [item["id"] for item in found["items"]] == [request["id"]]
    assert (await at_home.get("/service-requests?role=visited"))["items"] == []


async def test_a_refused_and_a_cancelled_request_leave_everything_as_it_was(
    nation: Nation, counter: Counter, sign_in: SignIn
) -> None:
    wrong = await counter.post("/card-replacements", ASKED | {"document_number": OTHER_DOCUMENT})
    await nation.settle()
    refused = await counter.get(wrong.headers["location"])
    assert (refused["state"], refused["card"]) == ("refused", None)
    assert refused["refusal"]["code"] == "identity-mismatch"
    assert refused["refusal"]["text"]["zh"]

    asked = await counter.post("/card-replacements", ASKED)
    await nation.settle()
    note = {"note": "The customer found the old card."}
    cancelled = await counter.post(f"{asked.headers['location']}/cancel", note)
    assert cancelled.status_code == 200, cancelled.text
    assert (cancelled.json()["state"], cancelled.json()["card"]) == ("cancelled", None)
    await nation.settle()
    at_home = Counter(nation[HOME], await sign_in(nation[HOME], Role.CLERK))
    seen = await at_home.get(f"/service-requests/{asked.json()['id']}?fields=state,data")
    assert seen == {"state": "cancelled", "data": {"reason": "lost", "document_type": "id_card"}}

    assert [card["state"] for card in (await counter.get("/sim-cards"))["items"]] == ["in_stock"]
    assert [state for state, _ in await sims(nation)] == ["active"]


async def test_a_question_that_waits_too_long_for_the_link_expires(
    nation: Nation, counter: Counter, sign_in: SignIn
) -> None:
    nation.network.cut = {"000000"}
    asked = await counter.post("/card-replacements", ASKED)
    path = asked.headers["location"]
    await nation.settle()
    waiting = await counter.get(path)
    assert (waiting["state"], places(waiting["trail"])) == ("asked", [(VISITED, "asked")])

    nation.clock.advance(KIND.time_limit)
    await nation[VISITED].run_job("card-replacement-expiry")
    counter = Counter(nation[VISITED], await sign_in(nation[VISITED], Role.CLERK))
    expired = await counter.get(path)
    assert (expired["state"], expired["card"]) == ("expired", None)

    nation.network.cut = set()
    nation.clock.advance(timedelta(minutes=10))  # longer than links wait before they try again
    await nation.settle()
    late = await counter.get(path)
    assert late["state"] == "expired"
    assert "after the request had ended" in late["trail"][-1]["note"]["en"]
    assert [state for state, _ in await sims(nation)] == ["active"]
