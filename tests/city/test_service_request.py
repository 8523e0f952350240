"""The engine of requests between cities, with a small kind of its own."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.service_request import jobs, messages, repository, service
from services.city_node.service_request.kind import (
    EXPIRED,
    START,
    Kind,
    KindMisdeclared,
    Move,
    Party,
    State,
)
from services.city_node.service_request.models import ServiceRequest
from services.city_node.service_request.service import RequestNotInState, Step
from shared.capability import NodeContext
from shared.federation.delivery import Delivery, Hop, MessageRefused
from shared.federation.envelope import Message
from shared.kernel.ids import new_id
from shared.kernel.language import Text
from tests.city.two_cities import HALL, HOME, NOON, STRANGER, VISITED, City, TwoCities

HERE, THERE = Party.VISITED, Party.HOME
DONE = State("done", Text("Done", "办结"), final=True)
OPEN = State("open", Text("Open", "在办"), awaits=THERE)
GONE = State(EXPIRED, Text("Expired", "超时"), final=True)
MOVES = (
    Move(HERE, "sent", (START,), "open", by=HERE),
    Move(HERE, "returned", ("open",), "done", by=THERE),
    Move(HERE, EXPIRED, ("open",), EXPIRED, by=HERE),
)
LIMIT = timedelta(minutes=5)


def kind(states: tuple[State, ...] = (OPEN, DONE, GONE), moves: tuple[Move, ...] = MOVES) -> Kind:
    return Kind("errand", Text("Errand", "跑腿"), states, moves, LIMIT, timedelta(minutes=1), {})


ERRAND = kind()


def sent(at: datetime = NOON) -> Step:
    return Step("sent", HERE, at, VISITED, "li.na", Text("Sent", "已发"))


@pytest.fixture
async def city(pair: TwoCities) -> City:
    await pair.empty()
    return pair.visited


async def send(city: City, *, deadline: datetime = NOON + LIMIT) -> UUID:
    """Begin an errand at the visited city."""
    errand = ServiceRequest(
        id=new_id(),
        role=HERE,
        home=HOME,
        visited=VISITED,
        subject="a letter",
        deadline=deadline,
        data={},
        unit_code=HALL,
        created_by="li.na",
    )
    async with city.transaction() as session:
        await service.begin(session, ERRAND, errand, sent())
    return errand.id


def word(request_id: UUID, *, source: str = HOME, message_id: UUID | None = None) -> Message:
    return Message(
        id=message_id or new_id(),
        source=source,
        type="guanxi.errand.returned.v1",
        time=NOON,
        destination=VISITED,
        partitionkey=str(request_id),
        data={"request_id": str(request_id)},
    )


async def hear(city: City, message: Message) -> bool:
    """Handle the word that an errand is done; tells whether it moved the record."""
    async with city.transaction() as session:
        hops = (Hop(message.source, message.time), Hop(VISITED, NOON))
        delivery = Delivery(message, hops, session, NOON)
        errand = await messages.find(delivery, ERRAND, UUID(message.partitionkey), HERE)
        assert errand is not None
        return await messages.hear(delivery, ERRAND, errand, "returned", Text("Done", "办结"))


@pytest.mark.parametrize(
    ("states", "moves", "complaint"),
    [
        ((OPEN, DONE, GONE, DONE), MOVES, "twice"),
        ((OPEN, DONE, GONE, State(START, Text("a", "b"))), MOVES, "named 'start'"),
        ((OPEN, GONE), MOVES, "'done', which are not both states"),
        (
            (OPEN, DONE, GONE),
            (*MOVES, Move(HERE, "again", ("done",), "open", by=HERE)),
            "leaves the final state 'done'",
        ),
        (
            (OPEN, DONE, GONE),
            (*MOVES, Move(HERE, "returned", ("open",), "expired", by=THERE)),
            "declares twice",
        ),
        (
            (OPEN, DONE, GONE, State("lost", Text("a", "b"))),
            MOVES,
            "never reaches the state 'lost'",
        ),
        ((OPEN,), MOVES[:1], "cannot leave the state 'open'"),
    ],
)
def test_a_kind_that_contradicts_itself_is_not_declared(
    states: tuple[State, ...], moves: tuple[Move, ...], complaint: str
) -> None:
    with pytest.raises(KindMisdeclared, match=complaint):
        kind(states, moves)


def test_a_kind_tells_what_is_possible_and_for_whom() -> None:
    assert ERRAND.target(HERE, "open", "returned", THERE) == DONE
    assert ERRAND.target(HERE, "open", "returned", HERE) is None
    assert ERRAND.target(THERE, "open", "returned", THERE) is None
    assert ERRAND.possible(HERE, "open", HERE) == (EXPIRED,)
    assert ERRAND.expirable(HERE) == {"open"}
    assert ERRAND.expirable(THERE) == set()


async def test_a_record_begins_by_its_first_move(city: City) -> None:
    errand = await city.request(await send(city))
    assert (errand.kind, errand.state, errand.awaiting, errand.version) == (
        "errand",
        "open",
        "home",
        1,
    )
    assert errand.ended_at is None
    assert await city.trail(errand.id) == [(VISITED, "sent")]


async def test_a_move_that_is_not_declared_is_refused_with_what_is_possible(city: City) -> None:
    request_id = await send(city)
    async with city.transaction() as session:
        errand = await repository.lock(session, ERRAND, request_id)
        assert errand is not None
        with pytest.raises(RequestNotInState) as refused:
            await service.advance(session, ERRAND, errand, sent())
    assert "open" in str(refused.value)
    assert f"Possible now: {EXPIRED}" in str(refused.value)
    assert await city.trail(request_id) == [(VISITED, "sent")]


async def test_a_message_moves_a_record_once(city: City) -> None:
    request_id = await send(city)
    message = word(request_id)
    assert await hear(city, message)
    assert not await hear(city, message)
    errand = await city.request(request_id)
    assert (errand.state, errand.awaiting, errand.ended_at, errand.version) == (
        "done",
        None,
        NOON,
        2,
    )
    assert await city.trail(request_id) == [
        (VISITED, "sent"),
        (HOME, "departed"),
        (VISITED, "arrived"),
        (VISITED, "returned"),
    ]


async def test_a_message_after_the_end_is_noted_and_changes_nothing(city: City) -> None:
    request_id = await send(city)
    assert await hear(city, word(request_id))
    late = word(request_id)
    assert not await hear(city, late)
    assert not await hear(city, late)
    errand = await city.request(request_id)
    assert errand.state == "done"
    assert [event for _, event in await city.trail(request_id)].count("returned") == 2
    (line,) = await city.fetch(
        "SELECT state, note->>'en' AS note FROM service_request_event WHERE message_id = $1",
        late.id,
    )
    assert line["state"] is None
    assert "after the request had ended" in line["note"]


async def test_a_message_from_neither_end_is_refused(city: City) -> None:
    request_id = await send(city)
    with pytest.raises(MessageRefused, match=STRANGER):
        await hear(city, word(request_id, source=STRANGER))
    assert await city.state(request_id) == "open"


async def test_data_of_the_wrong_form_is_refused_by_place(city: City) -> None:
    class Form(BaseModel):
        number: int

    async with city.transaction() as session:
        message = word(uuid4())
        message.data["number"] = "thirteen"
        with pytest.raises(MessageRefused, match="number") as refused:
            messages.read(Form, Delivery(message, (), session, NOON))
    assert "thirteen" not in str(refused.value)


async def test_the_clock_ends_what_is_overdue_and_nothing_else(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "BATCH", 2)
    overdue = [await send(city, deadline=NOON - timedelta(minutes=minute)) for minute in range(5)]
    in_time = await send(city, deadline=NOON + timedelta(microseconds=1))
    ended = await send(city, deadline=NOON - timedelta(hours=1))
    await hear(city, word(ended))
    seen: list[UUID] = []

    async def expire(
        _: NodeContext, session: AsyncSession, errand: ServiceRequest, now: datetime
    ) -> None:
        seen.append(errand.id)
        if errand.id == overdue[3]:
            raise RuntimeError("this one fails")
        step = Step(EXPIRED, HERE, now, VISITED, "clock", Text("Over", "超时"))
        await service.advance(session, ERRAND, errand, step)

    await jobs.expire_overdue(ERRAND, expire, city.context, NOON)
    assert seen == overdue[::-1]
    states = [await city.state(request_id) for request_id in overdue]
    assert states == [EXPIRED, EXPIRED, EXPIRED, "open", EXPIRED]
    assert (await city.state(in_time), await city.state(ended)) == ("open", "done")
    await jobs.expire_overdue(ERRAND, expire, city.context, NOON)
    assert seen[5:] == [overdue[3]]
