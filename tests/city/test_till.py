"""The till over REST: shifts, cashing up, a difference, and what stands against each; billing accounts."""

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any

import httpx
import pytest

from services.city_node.customer.models import Bill
from services.city_node.till import service as till
from services.city_node.till.models import EntryKind
from services.city_node.till.repository import lock_within
from shared.capability import Role
from shared.kernel.ids import new_id
from tests.city.drafts import CITY, line, person
from tests.conftest import MakeNode, TestNode

Headers = dict[str, str]
SignIn = Callable[..., Awaitable[Headers]]


class Counter:
    """Somebody who works at the city over REST."""

    def __init__(self, node: TestNode, headers: Headers) -> None:
        self.node = node
        self.headers = headers

    async def get(self, path: str, status: int = 200) -> Any:
        """Read ``path``."""
        answer = await self.node.client.get(path, headers=self.headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def post(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """Post to ``path``."""
        once = {"Idempotency-Key": str(new_id()), **headers}
        return await self.node.client.post(path, json=body, headers={**self.headers, **once})


def problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, str(answer.json()["type"]).rpartition(":")[2]


@pytest.fixture
async def node(make_node: MakeNode) -> TestNode:
    return await make_node(CITY)


@pytest.fixture
async def cashier(node: TestNode, sign_in: SignIn) -> Counter:
    return Counter(node, await sign_in(node, Role.CLERK))


@pytest.fixture
async def supervisor(node: TestNode, sign_in: SignIn) -> Counter:
    return Counter(node, await sign_in(node, Role.SUPERVISOR))


async def put_in(node: TestNode, shift: str, fen: int) -> None:
    """Let a payment go into a shift's drawer."""
    async with node.database.transaction() as session:
        found = await lock_within(session, shift, "")  # type: ignore[arg-type]
        assert found is not None
        payment = new_id()
        till.move(
            session, found, EntryKind.TAKEN, fen, payment_id=payment, cause_id=payment, by="test",
            now=node.clock.now(),
        )  # fmt: skip


async def test_a_shift_that_agrees_is_closed_at_once(node: TestNode, cashier: Counter) -> None:
    opened = await cashier.post("/tills/shifts", {"float_fen": 500}, **{"Idempotency-Key": "k"})
    again = await cashier.post("/tills/shifts", {"float_fen": 500}, **{"Idempotency-Key": "k"})
    assert (opened.status_code, opened.json()) == (again.status_code, again.json())
    second = await cashier.post("/tills/shifts", {"float_fen": 1})
    assert problem(second) == (409, "shift-already-open")
    path = opened.headers["location"]
    await put_in(node, opened.json()["id"], 700)
    shown = await cashier.get(path)
    assert (shown["taken_fen"], shown["expected_fen"], shown["state"]) == (700, 1200, "open")
    stale = await cashier.post(f"{path}/cash-up", {"counted_fen": 1200}, **{"If-Match": '"9"'})
    assert problem(stale) == (412, "version-stale")
    closed = await cashier.post(f"{path}/cash-up", {"counted_fen": 1200}, **{"If-Match": '"1"'})
    assert (closed.json()["state"], closed.json()["difference_fen"]) == ("closed", 0)
    twice = await cashier.post(f"{path}/cash-up", {"counted_fen": 1200}, **{"If-Match": '"2"'})
    assert problem(twice) == (409, "shift-state-unfit")
    assert (await cashier.post("/tills/shifts", {"float_fen": 0})).status_code == 201


async def test_a_difference_takes_a_second_person(
    cashier: Counter, supervisor: Counter, node: TestNode, sign_in: SignIn
) -> None:
    opened = await supervisor.post("/tills/shifts", {"float_fen": 500})
    path = opened.headers["location"]
    other = await cashier.post(f"{path}/cash-up", {"counted_fen": 1}, **{"If-Match": '"1"'})
    assert problem(other) == (403, "shift-not-yours")
    early = await supervisor.post(f"{path}/confirm", {"note": "x"}, **{"If-Match": '"1"'})
    assert problem(early) == (409, "shift-state-unfit")
    counted = await supervisor.post(f"{path}/cash-up", {"counted_fen": 490}, **{"If-Match": '"1"'})
    assert (counted.json()["state"], counted.json()["difference_fen"]) == ("counted", -10)
    alone = await supervisor.post(f"{path}/confirm", {"note": "lost"}, **{"If-Match": '"2"'})
    assert problem(alone) == (403, "second-person-needed")
    second = Counter(node, await sign_in(node, Role.SUPERVISOR))
    confirmed = await second.post(f"{path}/confirm", {"note": "lost"}, **{"If-Match": '"2"'})
    assert (confirmed.json()["state"], confirmed.json()["note"]) == ("closed", "lost")
    listed = await cashier.get("/tills/shifts?state=closed")
    assert [shift["id"] for shift in listed["items"]] == [opened.json()["id"]]
    done = await node.database.pool()
    actions = await done.fetch("SELECT action FROM audit_record WHERE action LIKE 'till.%' ORDER BY id")  # fmt: skip
    assert [row["action"] for row in actions] == ["till.opened", "till.cashed_up", "till.confirmed"]


@pytest.mark.parametrize("amount", [0, -1, 5_000_001, "100", 1.5, None])
async def test_what_is_no_amount_is_refused_and_moves_nothing(
    cashier: Counter, amount: Any
) -> None:
    await cashier.post("/tills/shifts", {"float_fen": 0})
    body = {"msisdn": "13800005678", "home": "110100", "amount_fen": amount}
    answer = await cashier.post("/payments", body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/amount_fen")
    assert (await cashier.get("/payments/totals"))["taken_fen"] == 0


async def test_where_a_payment_cannot_go(cashier: Counter) -> None:
    body = {"msisdn": "13800005678", "home": "110100", "amount_fen": 100}
    assert problem(await cashier.post("/payments", body)) == (409, "shift-not-open")
    await cashier.post("/tills/shifts", {"float_fen": 0})
    for home, why in (
        (CITY, "home-is-here"),
        ("110000", "home-not-city"),
        ("999999", "unknown-division"),
        ("110100", "home-node-unknown"),
    ):
        assert problem(await cashier.post("/payments", body | {"home": home})) == (422, why)
    assert (await cashier.get("/tills/entries"))["items"] == []


@pytest.mark.parametrize(
    ("number", "why"),
    [
        ("440300261123000000000000", (422, "receipt-mistyped")),
        ("1", (422, "receipt-mistyped")),
    ],
)
async def test_a_mistyped_receipt_number(cashier: Counter, number: str, why: Any) -> None:
    answer = await cashier.node.client.get(f"/receipts/{number}", headers=cashier.headers)
    assert problem(answer) == why


async def test_a_line_is_suspended_for_what_it_owes(
    node: TestNode, cashier: Counter, supervisor: Counter
) -> None:
    made = (await cashier.post("/customers", person(1))).json()["id"]
    await cashier.post(f"/customers/{made}/subscriptions", line(1))
    (held,) = (await cashier.get(f"/customers/{made}/subscriptions"))["items"]
    account = f"/customers/{made}/subscriptions/{held['id']}/billing-account"
    assert problem(await supervisor.post(f"{account}/suspend")) == (409, "nothing-owed")
    async with node.database.transaction() as session:
        session.add(
            Bill(subscription_id=held["id"], customer_id=made, period=date(2026, 9, 1), charge_fen=70)
        )  # fmt: skip
    (shown,) = (await cashier.get(f"/customers/{made}/billing-accounts"))["items"]
    assert (shown["unpaid_fen"], shown["owed_fen"], shown["balance_fen"]) == (70, 70, 0)
    suspended = await supervisor.post(f"{account}/suspend")
    assert suspended.status_code == 200, suspended.text
    assert suspended.json()["suspended_at"] is not None
    (held,) = (await cashier.get(f"/customers/{made}/subscriptions"))["items"]
    assert held["status"] == "suspended"
    assert problem(await supervisor.post(f"{account}/suspend")) == (409, "line-not-active")
    assert (await cashier.get(f"{account}/entries"))["items"] == []
    nobody = str(new_id())
    wrong = f"/customers/{made}/subscriptions/{nobody}/billing-account/suspend"
    assert problem(await supervisor.post(wrong)) == (404, "subscription-not-found")
