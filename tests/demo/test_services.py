"""What the demo makes of the nodes' answers: it believes none of them that does not fit the others."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from rich.console import Console

from services.demo import clearing, outage, rest, tills, transfers
from services.demo.cable import Cable
from services.demo.clearing import CASH, CUSTOMERS, Clearing, Ledger
from services.demo.memory import FILE, Memory
from services.demo.nodes import plan_nodes
from services.demo.people import Person, read_table, settle
from services.demo.rest import Counter as Desk
from services.demo.services import Served
from services.demo.stage import Stage
from services.demo.telling import headline, trail
from shared.commandline import CommandFailed

TODAY = date(2026, 11, 23)
CITIES = ["110100", "310100", "440100", "440300"]
Answers = Mapping[str, Any]
"""What a node answers, by method and path: the next of a list each time, and its last from then on."""


def node(answers: Answers, asked: list[tuple[str, Any]] | None = None) -> httpx.AsyncClient:
    """Give a client of a node that answers so; ``asked`` notes what it was asked to do."""
    times: Counter[str] = Counter()

    def answer(request: httpx.Request) -> httpx.Response:
        place = f"{request.method} {request.url.path}"
        if asked is not None and request.method == "POST":
            asked.append((request.url.path, orjson.loads(request.content or b"null")))
        given = answers.get(place)
        if isinstance(given, list):
            given = given[min(times[place], len(given) - 1)]
        times[place] += 1
        if given is None:
            return httpx.Response(404, json={"title": "not found"})
        return httpx.Response(200, json=given, headers={"ETag": '"1"'})

    return httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://node")


class Scene(Stage):
    """A stage whose nodes answer what a test says."""

    answers: Mapping[str, Answers] = {}

    @asynccontextmanager
    async def client(self, code: str, _username: str) -> AsyncIterator[httpx.AsyncClient]:
        async with node(self.answers.get(code, {})) as client:
            yield client


@pytest.fixture(scope="module")
def people() -> list[Person]:
    return settle(read_table()[:200], CITIES)


@pytest.fixture
def scene(tmp_path: Path, people: list[Person]) -> Scene:
    memory = Memory(reference=TODAY)
    return Scene(tmp_path, memory, plan_nodes(tmp_path, memory), people, Console(quiet=True))


def request(state: str, *, ended: bool = False, **more: Any) -> dict[str, Any]:
    return {
        "id": "r",
        "kind": "payment",
        "state": state,
        "ended_at": "2026-11-23T02:00:00+00:00" if ended else None,
        "refusal": None,
        "subject": "199****0001",
        "amount_fen": 500,
        **more,
    }


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.demo.rest.ANSWER_SECONDS", 0.2)
    monkeypatch.setattr("services.demo.outage.ANSWER_SECONDS", 0.2)


async def test_a_request_is_awaited_though_nobody_has_heard_of_it_yet() -> None:
    path = "GET /transfers/r"
    async with node({path: [None, request("asked"), request("completed", ended=True)]}) as city:
        found = await Desk(city, "/transfers").answered(request("asked"), "completed")
    assert found["state"] == "completed"


async def test_a_request_that_ends_otherwise_is_no_success() -> None:
    refused = request("refused", ended=True, refusal={"code": "bills-unpaid"})
    async with node({"GET /transfers/r": refused}) as city:
        with pytest.raises(CommandFailed, match=r"not completed but refused: .*bills-unpaid"):
            await Desk(city, "/transfers").answered(request("asked"), "completed")


@pytest.mark.usefixtures("quickly")
async def test_nothing_is_awaited_for_ever() -> None:
    waits = {"GET /transfers/r": request("asked"), "GET /payments": {"items": [request("taken")]}}
    async with node(waits) as city:
        with pytest.raises(CommandFailed, match="still asked"):
            await rest.ended_or(city, "/transfers/r", "completed")
        with pytest.raises(CommandFailed, match="still unheard of"):
            await rest.ended_or(city, "/transfers/other", "completed")
        with pytest.raises(CommandFailed, match="still has something"):
            await rest.await_none(city, "/payments", open="true")


async def test_a_till_goes_on_with_the_shift_that_was_left_open() -> None:
    left = {"id": "s", "expected_fen": 61_000}
    asked: list[tuple[str, Any]] = []
    answers = {"GET /tills/shifts": {"items": [left]}, "POST /payments": request("taken")}
    async with node(answers, asked) as city:
        till = await tills.open_till("440300", city)
        await till.take(settle(read_table()[:1], CITIES)[0], 500)
    assert (till.shift, till.drawer_fen) == ("s", 61_500)
    assert [path for path, _ in asked] == ["/payments"]


async def test_a_till_is_opened_with_a_float_and_cashed_up_with_what_was_counted() -> None:
    asked: list[tuple[str, Any]] = []
    answers = {
        "GET /tills/shifts": {"items": []},
        "POST /tills/shifts": {"id": "s", "expected_fen": tills.FLOAT_FEN},
        "GET /tills/shifts/s": {},
        "POST /tills/shifts/s/cash-up": [
            {"state": "closed", "difference_fen": 0},
            {"state": "counted", "difference_fen": -500},
        ],
    }
    async with node(answers, asked) as city:
        till = await tills.open_till("440300", city)
        assert (await till.cash_up())["state"] == "closed"
        with pytest.raises(CommandFailed, match=r"440300 holds 500\.00 yuan"):
            await till.cash_up()
    assert asked[:2] == [
        ("/tills/shifts", {"float_fen": tills.FLOAT_FEN}),
        ("/tills/shifts/s/cash-up", {"counted_fen": tills.FLOAT_FEN}),
    ]


@pytest.mark.parametrize("wrong", [{"state": "taken"}, {"amount_fen": 499}])
async def test_a_receipt_that_says_anything_else_is_noticed(wrong: dict[str, Any]) -> None:
    receipt = {"number": "1", "state": "credited", "amount_fen": 500}
    paid = request("credited", ended=True, receipt_number="1")
    answers = {"GET /payments/r": paid, "GET /receipts/1": [receipt, receipt | wrong]}
    async with node(answers) as city:
        till = tills.Till("440300", city, "s", 0)
        assert await till.credited(request("taken")) == paid
        with pytest.raises(CommandFailed, match="does not verify"):
            await till.credited(request("taken"))


def whole(came_on: str) -> dict[str, Any]:
    return {"id": "c", "ownership": {"state": "live", "came_on": came_on}}


async def test_who_has_moved_is_known_however_a_run_was_interrupted(scene: Scene) -> None:
    mover, stays = scene.people[0], scene.people[1]
    scene.memory.moving = [mover.key, stays.key]
    scene.answers = {
        "440300": {
            "GET /service-requests": [{"items": [{"id": "r"}]}, {"items": []}],
            "GET /customers": [{"items": [{"id": "c"}]}, {"items": []}],
            "GET /customers/c": whole("2026-11-24"),
        }
    }

    await transfers.settle(scene, "440300")

    again = Memory.of(scene.home, today=TODAY)
    assert again.moving == []
    assert {key: (to.city, to.on) for key, to in again.moved.items()} == {
        mover.key: ("440300", date(2026, 11, 24))
    }


async def test_nothing_is_asked_where_nobody_was_moving(scene: Scene) -> None:
    await transfers.settle(scene, "440300")

    assert not (scene.home / FILE).exists()


async def test_a_refusal_for_another_reason_is_not_what_was_to_be_shown(scene: Scene) -> None:
    refused = request("refused", ended=True, refusal={"code": "legal-hold"})
    answers = {"POST /transfers": request("asked"), "GET /transfers/r": refused}
    async with node(answers) as city:
        till = tills.Till("440300", city, "s", 0)
        with pytest.raises(CommandFailed, match="legal-hold"):
            await transfers.move(scene, till, scene.people[0])
    assert Memory.of(scene.home, today=TODAY).moving == [scene.people[0].key]


class Wire(Cable):
    """A cable of which is only noted what was done to it."""

    def __init__(self) -> None:
        super().__init__("127.0.0.1", 0, 0)
        self.done: list[str] = []

    async def mend(self) -> None:
        self.done.append("mended")

    async def cut(self) -> None:
        self.done.append("cut")


def cut_city(status: str = "down") -> Answers:
    parent = {"status": status, "last_error": "refused"}
    return {
        "GET /health/ready": {"checks": {"parent": parent}},
        "POST /payments": request("taken", home="440100", visited="310100"),
        "POST /card-replacements": request("asked"),
        "POST /card-replacements/r/cancel": request("cancelled", ended=True),
        "GET /card-replacements/r": request("cancelled", ended=True),
        "GET /payments/r": request("credited", ended=True, receipt_number="1"),
        "GET /receipts/1": {"number": "1", "state": "credited", "amount_fen": 500},
    }


def home_city(*, credits_: int, card: str = "cancelled", heard_early: bool = False) -> Answers:
    entries = [{"kind": "credited", "cause_id": "r"}] * credits_
    account = "/customers/c/subscriptions/l/billing-account/entries"
    ended = request(card, ended=True, home="110100")
    return {
        "GET /service-requests/r": ended if heard_early else [None, None, ended],
        "GET /customers": {"items": [{"id": "c"}]},
        "GET /customers/c/billing-accounts": {"items": [{"subscription_id": "l"}]},
        f"GET {account}": {"items": [*entries, {"kind": "applied", "cause_id": None}]},
    }


async def interrupted(scene: Scene, cable: Cable, city: Answers, home: Answers) -> outage.Outage:
    scene.answers = dict.fromkeys(CITIES, home)
    async with node(city) as client:
        till = tills.Till("310100", client, "s", 0)
        payer, loser = scene.people[:2]
        return await outage.interrupt(scene, cable, till, payer, loser)


async def test_what_was_paid_behind_a_cut_link_is_credited_once(scene: Scene) -> None:
    cable = Wire()

    found = await interrupted(scene, cable, cut_city(), home_city(credits_=1))

    assert cable.done == ["cut", "mended"]
    assert found.facts() == {
        "id": "r",
        "while_cut": "taken",
        "mended": "credited",
        "credits": 1,
    }
    assert (found.failure, found.heard["state"]) == ("refused", "cancelled")


@pytest.mark.usefixtures("quickly")
@pytest.mark.parametrize(
    ("city", "home", "why"),
    [
        (cut_city(), home_city(credits_=2), "2 times"),
        (cut_city(), home_city(credits_=0), "0 times"),
        (cut_city(), home_city(credits_=1, card="completed"), "not cancelled"),
        (cut_city(), home_city(credits_=1, heard_early=True), "though the link is cut"),
        (cut_city("up"), home_city(credits_=1), "does not notice"),
    ],
)
async def test_an_outage_that_left_anything_wrong_is_no_success(
    scene: Scene, city: Answers, home: Answers, why: str
) -> None:
    cable = Wire()

    with pytest.raises(CommandFailed, match=why):
        await interrupted(scene, cable, city, home)

    assert cable.done == ["cut", "mended"]


def ledgers() -> dict[str, Ledger]:
    """Give the books after 100 yuan were paid in Shenzhen for a line of Guangzhou."""

    def ledger(parent: str | None, ever: dict[str, int], **more: Any) -> Ledger:
        return Ledger(parent, ever, ever, [], Counter(), **more)

    return {
        "000000": ledger(None, {}),
        "440000": ledger("000000", {"440300": 10_000, "440100": -10_000}),
        "440300": ledger("440000", {"440000": -10_000, CASH: 10_000}, tills_fen=10_000),
        "440100": ledger("440000", {"440000": 10_000, CUSTOMERS: -10_000}, credited_fen=10_000),
    }


def test_books_that_agree_are_out_by_nothing() -> None:
    cleared = Clearing(TODAY, ledgers())

    assert (cleared.sum_fen, cleared.difference_fen) == (0, 0)
    assert (cleared.tills_fen, cleared.credited_fen) == (10_000, 10_000)


@pytest.mark.parametrize(
    ("code", "wrong"),
    [
        ("440300", {"tills_fen": 9_999}),
        ("440100", {"credited_fen": 10_001}),
        ("440300", {"ever": {"440000": -10_000, CASH: 9_999}}),
        ("440100", {"ever": {"440000": 10_001, CUSTOMERS: -10_001}}),
        ("440000", {"ever": {"440300": 10_000, "440100": -9_999}}),
        ("440000", {"ever": {"440300": 10_001, "440100": -10_001}}),
        ("000000", {"ever": {"440000": 1, "110000": -1}}),
    ],
)
def test_books_that_differ_by_a_fen_are_out(code: str, wrong: dict[str, Any]) -> None:
    books = ledgers()
    books[code] = replace(books[code], **wrong)

    assert Clearing(TODAY, books).difference_fen > 0


def quiet_books(cash: int) -> dict[str, Answers]:
    """Give nodes of which only Shenzhen has booked anything."""
    empty = {
        "GET /payments": {"items": []},
        "GET /clearing/positions": {"accounts": []},
        "GET /clearing/netting": {"transfers": []},
        "GET /clearing/statements": {"items": [{"state": "agreed"}]},
        "GET /payments/totals": {"credited_fen": 0},
        "GET /billing-accounts/totals": {"credited_fen": 0, "reversed_fen": 0},
    }
    nodes: dict[str, Answers] = dict.fromkeys(
        [*CITIES, "000000", "110000", "310000", "440000"], empty
    )
    totals = {"GET /payments/totals": {"credited_fen": cash}}
    return nodes | {"440300": {**empty, **totals}}


async def test_the_day_is_cleared_when_the_books_equal_the_tills(scene: Scene) -> None:
    scene.answers = quiet_books(0)

    cleared = await clearing.clear(scene, TODAY)

    facts = Served(cleared=cleared, requests=[request("credited", home="", visited="", trail=[])])
    assert facts.facts()["clearing"]["difference_fen"] == 0
    assert facts.facts()["services"] == {"payment": {"credited": 1}}
    assert cleared.ledgers["440000"].statements == {"agreed": 1}


async def test_the_day_is_not_cleared_when_a_till_has_more(scene: Scene) -> None:
    scene.answers = quiet_books(1)

    with pytest.raises(CommandFailed, match=r"out by 0\.01 yuan"):
        await clearing.clear(scene, TODAY)


def test_a_trail_is_told_whole_or_where_the_state_changed() -> None:
    note = {"en": "Asked.", "zh": "已请求。"}
    entry = {"at": "2026-11-23T02:00:00+00:00", "node": "440300", "note": note}
    told = request(
        "refused",
        refusal={"text": {"en": "No.", "zh": "否。"}},
        trail=[
            {**entry, "event": "asked", "state": "asked"},
            {**entry, "event": "carried", "state": None},
        ],
    )

    assert headline(told) == "Payment for 199****0001: refused: No. 否。"
    assert [line.split()[:4] for line in trail(told, whole=False)] == [
        ["10:00:00.000", "440300", "asked", "[asked]"],
        ["Asked.", "已请求。"],
    ]
    assert [line.split()[-1] for line in trail(told, whole=True)][-1] == "carried"
