"""Photos and signatures of a request, between two cities and over REST."""

import hashlib
from datetime import timedelta
from uuid import UUID

import pytest

from services.city_node import attachment
from services.city_node.attachment import content, jobs, problems, repository, service
from services.city_node.attachment.models import AttachmentKind
from services.city_node.attachment.schemas import chunk_context
from services.city_node.erasure import repository as erasures
from services.city_node.personal_data.service import seal
from services.city_node.service_request.service import RequestNotFound
from shared.access import Principal
from shared.federation.delivery import Delivery, MessageRefused
from shared.federation.envelope import Message
from shared.kernel.database import driver_connection
from shared.kernel.ids import new_id
from tests.city.two_cities import (
    HOME,
    MSISDN,
    NOON,
    OTHER_HALL,
    VISITED,
    City,
    TwoCities,
    clerk,
)

PHOTO = content.SIGNATURES["image/jpeg"] + bytes(range(256)) * 300
"""Three chunks."""
SIGNATURE = content.SIGNATURES["image/png"] + b"ink"


@pytest.fixture
async def request_id(cities: TwoCities) -> UUID:
    return await cities.approved(MSISDN)


async def attach(
    city: City, request_id: UUID, body: bytes = PHOTO, *, unit: str | None = None
) -> UUID:
    async with city.transaction() as session:
        by = clerk(unit) if unit else clerk()
        if city.code == HOME:
            by = clerk(HOME)
            object.__setattr__(by, "unit_path", f"000000/110000/{HOME}/")
        made, _ = await service.add(
            city.context,
            session,
            by,
            request_id,
            kind=AttachmentKind.DOCUMENT_PHOTO,
            body=body,
            said=None,
            now=city.clock.now(),
        )
        return made.id


async def state(city: City, attachment_id: UUID) -> str | None:
    rows = await city.fetch("SELECT state FROM attachment WHERE id = $1", attachment_id)
    return rows[0]["state"] if rows else None


async def body_of(city: City, attachment_id: UUID) -> bytes:
    async with city.transaction() as session:
        source = await repository.source_of(session, attachment_id)
        return await repository.content(session, city.context.cipher, attachment_id, source)


async def events(city: City, request_id: UUID) -> list[str]:
    return [event for _, event in await city.trail(request_id)]


@pytest.mark.parametrize("adder", [VISITED, HOME])
async def test_what_either_end_attaches_comes_whole_to_the_other(
    cities: TwoCities, request_id: UUID, adder: str
) -> None:
    other = HOME if adder == VISITED else VISITED
    attachment_id = await attach(cities[adder], request_id)
    await cities.settle(times=2)
    assert await state(cities[other], attachment_id) == "held"
    assert await body_of(cities[other], attachment_id) == PHOTO
    (row,) = await cities[other].fetch("SELECT * FROM attachment")
    assert (row["node"], row["size"], row["media_type"], row["sha256"]) == (
        adder,
        len(PHOTO),
        "image/jpeg",
        hashlib.sha256(PHOTO).hexdigest(),
    )
    assert (await events(cities[other], request_id))[-2:] == [
        "attachment-added",
        "attachment-received",
    ]
    assert (await events(cities[adder], request_id)).count("attachment-added") == 1


async def test_nothing_of_it_is_readable_on_the_way_or_at_rest(
    cities: TwoCities, request_id: UUID
) -> None:
    await attach(cities.visited, request_id)
    on_the_way = cities.lanes[VISITED, HOME]
    assert [m.type for m in on_the_way] == [service.ADDED, *[service.CHUNK] * 3]
    marker = bytes(range(256))
    assert all(
        marker.hex() not in str(m.data) and "AAECAwQF" not in str(m.data) for m in on_the_way
    )
    await cities.settle()
    for city in (cities.home, cities.visited):
        rows = await city.fetch("SELECT content_cipher FROM attachment_chunk")
        assert len(rows) == 3
        assert all(
            marker not in r["content_cipher"] and b"AAECAwQF" not in r["content_cipher"]
            for r in rows
        )


@pytest.mark.parametrize("order", [(1, 2, 3, 0), (3, 1, 0, 2), (0, 3, 2, 1)])
async def test_pieces_may_come_in_any_order_and_before_they_are_announced(
    cities: TwoCities, request_id: UUID, order: tuple[int, ...]
) -> None:
    attachment_id = await attach(cities.visited, request_id)
    messages = [cities.lanes[VISITED, HOME][place] for place in order]
    cities.lanes.clear()
    for message in messages:
        assert await state(cities.home, attachment_id) != "held"
        await cities.home.hear(message)
        await cities.home.hear(message)
    assert await state(cities.home, attachment_id) == "held"
    assert await body_of(cities.home, attachment_id) == PHOTO
    for message in messages:
        await cities.home.hear(message)
    assert len(await cities.home.fetch("SELECT FROM attachment_chunk")) == 3
    assert (await events(cities.home, request_id)).count("attachment-received") == 1


async def resealed(cities: TwoCities, message: Message, piece: bytes) -> Message:
    """Return the chunk with other content, sealed as the visited city would."""
    where = chunk_context(UUID(message.data["attachment_id"]), message.data["number"])
    async with cities.visited.transaction() as session:
        sealed = await cities.visited.context.post.seal_for(session, HOME, piece, context=where)
    message.data["sealed"] = sealed
    return message


async def test_what_is_not_as_announced_is_spoiled_until_it_comes_again(
    cities: TwoCities, request_id: UUID
) -> None:
    attachment_id = await attach(cities.visited, request_id)
    await resealed(cities, cities.lanes[VISITED, HOME][2], b"something else")
    await cities.settle()
    assert await state(cities.home, attachment_id) == "spoiled"
    assert await cities.home.fetch("SELECT FROM attachment_chunk") == []
    assert (await cities.home.request(request_id)).attention_code == service.SPOILED
    with pytest.raises(problems.AttachmentNotHeld):
        await look(cities.home, request_id, attachment_id)
    await ask_again(cities.home, request_id, attachment_id)
    assert (await cities.home.request(request_id)).attention_code is None
    await cities.settle(times=2)
    assert await state(cities.home, attachment_id) == "held"
    assert await body_of(cities.home, attachment_id) == PHOTO
    with pytest.raises(problems.AttachmentHeldHere):
        await ask_again(cities.home, request_id, attachment_id)


def at(city: City) -> Principal:
    by = clerk(city.code)
    province = f"{city.code[:2]}0000"
    object.__setattr__(by, "unit_path", f"000000/{province}/{city.code}/")
    return by


async def ask_again(city: City, request_id: UUID, attachment_id: UUID) -> None:
    async with city.transaction() as session:
        await service.ask_again(
            city.context, session, at(city), request_id, attachment_id, now=city.clock.now()
        )


async def look(city: City, request_id: UUID, attachment_id: UUID) -> bytes:
    async with city.transaction() as session:
        _, body = await service.read(
            city.context, session, at(city), request_id, attachment_id, now=city.clock.now()
        )
        return body


async def test_a_look_at_the_content_is_recorded(cities: TwoCities, request_id: UUID) -> None:
    attachment_id = await attach(cities.visited, request_id)
    assert await look(cities.visited, request_id, attachment_id) == PHOTO
    (row,) = await cities.visited.fetch(
        "SELECT by, subject_id, detail FROM audit_record WHERE action = 'attachment.looked'"
        " AND subject_id = $1",
        str(request_id),
    )
    assert (row["by"], row["subject_id"]) == ("li.na", str(request_id))
    assert str(attachment_id) in row["detail"]


async def test_a_chunk_of_a_stranger_is_not_put_in(cities: TwoCities, request_id: UUID) -> None:
    attachment_id = await attach(cities.visited, request_id)
    announced, first, *_ = cities.lanes[VISITED, HOME]
    forged = Message(
        id=new_id(),
        source="440100",
        type=service.CHUNK,
        time=NOON,
        destination=HOME,
        partitionkey="x",
        data=dict(first.data),
    )
    await cities.home.hear(forged)
    await cities.settle()
    assert await state(cities.home, attachment_id) == "held"
    assert await body_of(cities.home, attachment_id) == PHOTO
    forged.data["request_id"] = str(new_id())
    announcement = Message(
        id=new_id(),
        source="440100",
        type=service.ADDED,
        time=NOON,
        destination=HOME,
        partitionkey="x",
        data={**announced.data, "attachment_id": str(new_id())},
    )
    with pytest.raises(MessageRefused, match="440100"):
        await cities.home.hear(announcement)


@pytest.mark.parametrize("harm", ["sealed", "number"])
async def test_a_chunk_that_was_moved_or_altered_does_not_open(
    cities: TwoCities, request_id: UUID, harm: str
) -> None:
    await attach(cities.visited, request_id)
    _, first, second, _ = cities.lanes[VISITED, HOME]
    first.data[harm] = second.data[harm]
    with pytest.raises(MessageRefused, match="does not open"):
        await cities.home.hear(first)


async def test_the_same_content_is_one_attachment_and_there_is_a_most(
    cities: TwoCities, request_id: UUID
) -> None:
    first = await attach(cities.visited, request_id)
    assert await attach(cities.visited, request_id) == first
    for number in range(service.MOST_OF_ONE_END - 1):
        await attach(cities.visited, request_id, SIGNATURE + bytes([number]))
    with pytest.raises(problems.TooManyAttachments):
        await attach(cities.visited, request_id, SIGNATURE)
    await cities.settle()
    assert len(await cities.home.fetch("SELECT FROM attachment WHERE state = 'held'")) == 8
    await attach(cities.home, request_id, SIGNATURE)


async def test_nothing_is_attached_to_what_has_ended_or_belongs_to_another_hall(
    cities: TwoCities, request_id: UUID
) -> None:
    with pytest.raises(RequestNotFound):
        await attach(cities.visited, request_id, unit=OTHER_HALL)
    await cities.cancel(request_id)
    with pytest.raises(problems.RequestEnded):
        await attach(cities.visited, request_id)


async def test_content_is_erased_some_time_after_the_end(
    cities: TwoCities, request_id: UUID
) -> None:
    attachment_id = await attach(cities.visited, request_id)
    stray = cities.lanes[VISITED, HOME][1]
    await cities.settle()
    await cities.cancel(request_id)
    await cities.settle()
    stray.data["attachment_id"] = str(new_id())
    await cities.home.hear(await resealed(cities, stray, b"x"))
    cities.clock.advance(jobs.KEPT)
    for city in (cities.visited, cities.home):
        await jobs.erase(city.context, city.clock.now())
        assert await state(city, attachment_id) == "held"
    cities.clock.advance(timedelta(seconds=1))
    for city in (cities.visited, cities.home):
        await jobs.erase(city.context, city.clock.now())
        assert await state(city, attachment_id) == "erased"
        assert await city.fetch("SELECT FROM attachment_chunk") == []
    with pytest.raises(problems.AttachmentNotHeld):
        await look(cities.home, request_id, attachment_id)


async def test_a_restored_node_recalls_what_it_attached_from_the_other_end(
    cities: TwoCities, request_id: UUID
) -> None:
    attachment_id = await attach(cities.visited, request_id)
    announced = cities.lanes[VISITED, HOME][0]
    await cities.settle()
    pool = await cities.visited.context.database.pool()
    for table in ("attachment_chunk", "attachment"):
        await pool.execute(f"DELETE FROM {table}")  # noqa: S608 - a fixed list
    recalls = {m.type: m.recovered for m in attachment.capability.messages}[service.ADDED]
    assert recalls is not None
    for _ in range(2):
        async with cities.visited.transaction() as session:
            delivery = Delivery(announced, (), session, cities.clock.now())
            await recalls(cities.visited.context, delivery)
    assert await state(cities.visited, attachment_id) == "expected"
    await cities.settle(times=2)
    assert await state(cities.visited, attachment_id) == "held"
    assert await body_of(cities.visited, attachment_id) == PHOTO
    assert await look(cities.visited, request_id, attachment_id) == PHOTO


async def test_asking_for_what_the_other_end_lost_is_said_in_the_trail(
    cities: TwoCities, request_id: UUID
) -> None:
    attachment_id = await attach(cities.visited, request_id)
    announced = cities.lanes[VISITED, HOME][0]
    cities.lanes.clear()
    await cities.home.hear(announced)
    pool = await cities.visited.context.database.pool()
    for table in ("attachment_chunk", "attachment"):
        await pool.execute(f"DELETE FROM {table}")  # noqa: S608 - a fixed list
    await ask_again(cities.home, request_id, attachment_id)
    await cities.settle(times=2)
    assert await state(cities.home, attachment_id) == "expected"
    assert (await events(cities.visited, request_id)).count("attachment-wanted") == 1


async def test_a_new_data_key_seals_content_anew(cities: TwoCities, request_id: UUID) -> None:
    attachment_id = await attach(cities.visited, request_id)
    context = cities.visited.context
    key = context.cipher.add_key()
    async for _ in seal(context.database, context.cipher):
        pass
    rows = await cities.visited.fetch(
        "SELECT get_byte(content_cipher, 0) AS key FROM attachment_chunk"
    )
    assert {row["key"] for row in rows} == {key}
    assert await body_of(cities.visited, attachment_id) == PHOTO


async def test_erasing_the_customer_erases_what_was_attached(
    cities: TwoCities, request_id: UUID
) -> None:
    await attach(cities.visited, request_id)
    await cities.settle()
    assert len(await cities.home.fetch("SELECT FROM attachment")) == 1
    async with cities.home.transaction() as session:
        (customer,) = await cities.home.fetch(
            "SELECT c.id FROM customer c JOIN subscription s ON s.customer_id = c.id WHERE s.msisdn = $1",
            MSISDN,
        )
        for statement in erasures._ERASE:
            await (await driver_connection(session)).execute(statement, [customer["id"]])
    assert await cities.home.fetch("SELECT FROM attachment") == []
    assert await cities.home.fetch("SELECT FROM attachment_chunk") == []
