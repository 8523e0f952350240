"""Customers who moved: the question follows them, and the visited city remembers where they are."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from services.city_node.attachment import jobs
from services.city_node.attachment import service as attachments
from services.city_node.attachment.content import SIGNATURES, digest
from services.city_node.attachment.models import AttachmentKind
from services.city_node.card_replacement import recall
from services.city_node.card_replacement.kind import ASKED, KIND
from services.city_node.service_request import finding, following
from services.city_node.service_request.finding import REMEMBERED
from services.city_node.service_request.kind import MOVED
from services.city_node.service_request.problems import HomeNotFound
from shared.capability import NodeContext, Role
from shared.federation.delivery import Delivery
from shared.federation.keys import NodeKey
from shared.kernel.ids import new_id
from tests.city.drafts import SignIn
from tests.city.two_cities import (
    DOCUMENT,
    HOME,
    MSISDN,
    NOON,
    STRANGER,
    VISITED,
    City,
    TwoCities,
    add_line,
    clerk,
)
from tests.conftest import Nation, TestNode

MOVED_NUMBER = "13800007777"
"""A number that the home city has not any more."""
GUANGZHOU = STRANGER


async def note_moved(
    context: NodeContext, home: str, *, epoch: int = 2, msisdn: str = MOVED_NUMBER
) -> None:
    async with context.database.transaction() as session:
        await finding.note_moved(
            session, context.cipher, msisdn, home, epoch=epoch, now=context.clock.now()
        )


async def found_home(context: NodeContext, *, msisdn: str = MOVED_NUMBER) -> str | None:
    async with context.database.transaction() as session:
        return await finding.moved_to(session, context.cipher, msisdn)


@pytest.fixture
async def known(cities: TwoCities) -> AsyncIterator[TwoCities]:
    """Two cities, and a third that the federation knows; home's customer has moved there."""
    post: Any = cities.visited.context.post
    post._keys[STRANGER] = NodeKey.generate().public
    await note_moved(cities.home.context, STRANGER)
    yield cities
    del post._keys[STRANGER]


async def test_the_question_goes_on_to_the_new_home_once(known: TwoCities) -> None:
    request_id = await known.ask(MOVED_NUMBER)
    await known.carry(VISITED, times=2)
    await known.carry(HOME, times=3)
    request = await known.visited.request(request_id)
    assert (request.state, request.home, request.data["asked_at"]) == (
        "asked",
        STRANGER,
        [HOME, STRANGER],
    )
    (asked,) = known.lanes[VISITED, STRANGER]
    assert (asked.type, asked.deadline) == (ASKED, request.deadline)
    assert asked.data["reason"] == "lost"
    events = [event for _, event in await known.visited.trail(request_id)]
    assert events.count("followed") == 1
    assert await known.home.state(request_id) == "refused"
    assert await known.cards() == {"reserved": 1, "in_stock": 1}


async def test_the_question_is_kept_sealed_until_it_is_answered(cities: TwoCities) -> None:
    request_id = await cities.ask(MSISDN)
    kept = (await cities.visited.request(request_id)).question
    assert kept is not None
    assert DOCUMENT not in kept
    assert MSISDN not in kept
    await cities.settle()
    assert (await cities.visited.request(request_id)).question is None


async def test_what_was_attached_follows_too(known: TwoCities) -> None:
    request_id = await known.ask(MOVED_NUMBER)
    context = known.visited.context
    async with context.database.transaction() as session:
        await attachments.add(
            context,
            session,
            clerk(),
            request_id,
            kind=AttachmentKind.SIGNATURE,
            body=SIGNATURES["image/png"],
            said=None,
            now=NOON,
        )
    await jobs.forward(context, NOON)
    assert known.lanes[VISITED, STRANGER] == []
    await known.settle()
    assert await known.home.fetch("SELECT FROM attachment WHERE state = 'held'")
    for _ in range(2):
        await jobs.forward(context, NOON)
    sent = known.lanes[VISITED, STRANGER]
    assert [message.type for message in sent] == [ASKED, attachments.ADDED, attachments.CHUNK]
    assert sent[1].data["sha256"] == digest(SIGNATURES["image/png"])


@pytest.mark.parametrize("end", ["cancelled", "expired"])
async def test_a_question_that_is_given_up_is_not_kept(cities: TwoCities, end: str) -> None:
    request_id = await cities.ask(MSISDN)
    if end == "cancelled":
        await cities.cancel(request_id)
    else:
        cities.clock.advance(KIND.time_limit)
        await cities.visited.expire_overdue()
    request = await cities.visited.request(request_id)
    assert (request.state, request.question) == (end, None)


@pytest.mark.parametrize("where", ["unknown", "itself", "again", "too late", "too often"])
async def test_what_cannot_be_followed_ends_refused(
    known: TwoCities, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = {"unknown": "310100", "itself": VISITED, "again": HOME}.get(where, STRANGER)
    await note_moved(known.home.context, target, epoch=9)
    if where == "too often":
        monkeypatch.setattr(following, "MOST_FOLLOWED", 0)
    request_id = await known.ask(MOVED_NUMBER)
    await known.carry(VISITED)
    if where == "too late":
        known.clock.advance(KIND.time_limit)
    await known.settle()
    request = await known.visited.request(request_id)
    assert (request.state, request.refusal_code) == ("refused", MOVED)
    assert known.lanes[VISITED, STRANGER] == []
    assert await known.cards() == {"in_stock": 2}


async def test_a_later_epoch_counts_and_a_return_is_known(cities: TwoCities) -> None:
    context = cities.home.context
    assert await found_home(context) is None
    await note_moved(context, STRANGER, epoch=4)
    await note_moved(context, VISITED, epoch=3)
    assert await found_home(context) == STRANGER
    await note_moved(context, VISITED, epoch=6)
    assert await found_home(context) == VISITED
    async with context.database.transaction() as session:
        await finding.note_returned(session, context.cipher, MOVED_NUMBER)
    assert await found_home(context) is None


async def test_what_was_learned_is_gone_by_for_a_time_and_never_told_as_own(
    cities: TwoCities,
) -> None:
    context = cities.visited.context
    async with context.database.transaction() as session:
        await finding.remember(session, context.cipher, MOVED_NUMBER, STRANGER, now=NOON)
        assert await finding.moved_to(session, context.cipher, MOVED_NUMBER) is None

    async def asked_where(named: str | None = None) -> str:
        async with context.database.transaction() as session:
            now = cities.clock.now()
            return await finding.home_of(
                session, context.cipher, MOVED_NUMBER, named=named, now=now
            )

    assert await asked_where() == STRANGER
    assert await asked_where(HOME) == HOME
    cities.clock.advance(REMEMBERED - timedelta(seconds=1))
    assert await asked_where() == STRANGER
    cities.clock.advance(timedelta(seconds=1))
    with pytest.raises(HomeNotFound):
        await asked_where()
    async with context.database.transaction() as session:
        await finding.forget_learned(session, now=cities.clock.now())
    assert await cities.visited.fetch("SELECT FROM moved_number") == []
    await note_moved(context, HOME)
    async with context.database.transaction() as session:
        await finding.remember(session, context.cipher, MOVED_NUMBER, STRANGER, now=NOON)
    assert await found_home(context) == HOME, "what a city knows itself is not overwritten"


async def test_a_restored_city_finds_where_it_had_asked_last(known: TwoCities) -> None:
    request_id = await known.ask(MOVED_NUMBER)
    (first,) = known.lanes[VISITED, HOME]
    await known.settle()
    (second,) = known.lanes[VISITED, STRANGER]
    pool = await known.visited.context.database.pool()
    await pool.execute("UPDATE sim_card_stock SET state = 'in_stock', request_id = NULL")
    await pool.execute("DELETE FROM service_request_event")
    await pool.execute("DELETE FROM service_request")
    for message in (first, second, second):
        async with known.visited.transaction() as session:
            delivery = Delivery(message, (), session, known.clock.now())
            await recall.recall_asked(known.visited.context, delivery)
    request = await known.visited.request(request_id)
    assert (request.state, request.home) == ("asked", STRANGER)


class Counter:
    """A clerk in Shenzhen."""

    def __init__(self, node: TestNode, headers: dict[str, str]) -> None:
        self.node = node
        self.headers = headers

    async def ask(self, **given: Any) -> dict[str, Any]:
        body = {
            "msisdn": MOVED_NUMBER,
            "home": HOME,
            "document_type": "id_card",
            "document_number": DOCUMENT,
            "reason": "lost",
            **given,
        }
        headers = {**self.headers, "Idempotency-Key": str(new_id())}
        answer = await self.node.client.post("/card-replacements", json=body, headers=headers)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def read(self, request_id: str) -> dict[str, Any]:
        answer = await self.node.client.get(
            f"/card-replacements/{request_id}", headers=self.headers
        )
        found: dict[str, Any] = answer.json()
        return found


async def test_a_customer_who_moved_is_found_and_the_next_question_goes_there_at_once(
    nation: Nation, sign_in: SignIn
) -> None:
    beijing, visited = nation[HOME], nation[VISITED]
    other = nation[GUANGZHOU]
    await add_line(City(other.context, other.clock), MOVED_NUMBER)
    await note_moved(beijing.context, GUANGZHOU)
    supervisor = await sign_in(visited, Role.SUPERVISOR)
    cards = [{"iccid": f"8986009999000000000{n}", "imsi": f"46009000000000{n}"} for n in (1, 2)]
    loaded = await visited.client.post(
        "/sim-cards", json={"cards": cards}, headers={**supervisor, "Idempotency-Key": "cards"}
    )
    assert loaded.status_code == 201, loaded.text
    counter = Counter(visited, await sign_in(visited, Role.CLERK))

    made = await counter.ask()
    await nation.settle()
    approved = await counter.read(made["id"])
    assert (approved["state"], approved["home"]) == ("approved", GUANGZHOU)
    way = [(line["node"], line["event"]) for line in approved["trail"]]
    followed = way.index((VISITED, "followed"))
    assert way[0] == (VISITED, "asked")
    assert (HOME, "arrived") in way[:followed]
    assert (GUANGZHOU, "arrived") in way[followed:]
    assert way[-1] == (VISITED, "approved")
    path = f"/card-replacements/{made['id']}"
    headers = {**counter.headers, "Idempotency-Key": "write"}
    await visited.client.post(f"{path}/write-card", headers=headers)
    await nation.settle()
    assert (await counter.read(made["id"]))["state"] == "completed"

    again = await counter.ask(home=None)
    assert again["home"] == GUANGZHOU
    await nation.settle()
    assert (await counter.read(again["id"]))["state"] == "approved"
    pool = await beijing.database.pool()
    rows = await pool.fetch("SELECT id, state, refusal_code FROM service_request")
    assert [(row["id"], row["state"], row["refusal_code"]) for row in rows] == [
        (UUID(made["id"]), "refused", MOVED)
    ]
