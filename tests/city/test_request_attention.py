"""Requests that call for a person when automation gives up."""

from datetime import timedelta
from uuid import UUID

import pytest

from services.city_node.card_replacement.kind import KIND
from services.city_node.service_request import attention, repository, service
from services.city_node.service_request.kind import Party
from services.city_node.service_request.models import ServiceRequest
from shared.access import Principal
from shared.capability import Role
from shared.kernel.language import Text
from shared.kernel.preconditions import VersionStale
from tests.city.drafts import SignIn
from tests.city.two_cities import (
    MSISDN,
    NOON,
    OTHER_HALL,
    VISITED,
    City,
    TwoCities,
    clerk,
)
from tests.conftest import MakeNode

WRITTEN = KIND.state("written")
A_MINUTE = timedelta(minutes=1)


@pytest.fixture
async def written(cities: TwoCities) -> UUID:
    """A request whose card is written, with home's word still to come."""
    request_id = await cities.approved(MSISDN)
    await cities.write(request_id)
    return request_id


async def run_clock(cities: TwoCities, wait: timedelta) -> None:
    cities.clock.advance(wait)
    await attention.call_waiting(cities.visited.context, cities.clock.now())


async def events(city: City, request_id: UUID) -> list[str]:
    return [event for _, event in await city.trail(request_id)]


async def resolve(
    cities: TwoCities, request_id: UUID, version: int, *, by: Principal | None = None
) -> None:
    async with cities.visited.transaction() as session:
        await attention.resolve(
            cities.visited.context,
            session,
            by or clerk(),
            request_id,
            "called Beijing",
            version=version,
            now=cities.clock.now(),
        )


async def test_a_written_card_without_a_word_calls_a_person_once(
    cities: TwoCities, written: UUID
) -> None:
    assert WRITTEN.patience is not None
    await run_clock(cities, WRITTEN.patience - A_MINUTE)
    assert (await cities.visited.request(written)).attention_code is None
    await run_clock(cities, A_MINUTE)
    await run_clock(cities, A_MINUTE)
    request = await cities.visited.request(written)
    assert (request.attention_code, request.attention_since, request.state) == (
        "waiting",
        NOON + WRITTEN.patience,
        "written",
    )
    assert request.attention_text is not None
    assert "110100" in request.attention_text["zh"]
    assert (await events(cities.visited, written)).count("attention-called") == 1


async def test_the_awaited_word_settles_it(cities: TwoCities, written: UUID) -> None:
    assert WRITTEN.patience is not None
    await run_clock(cities, WRITTEN.patience)
    await cities.settle()
    request = await cities.visited.request(written)
    assert request.ended_at is not None
    assert (request.attention_code, request.attention_text, request.attend_at) == (None, None, None)
    await run_clock(cities, timedelta(days=2))
    assert (await cities.visited.request(written)).attention_code is None


async def test_a_person_settles_it_and_is_called_again_a_day_later(
    cities: TwoCities, written: UUID
) -> None:
    assert WRITTEN.patience is not None
    await run_clock(cities, WRITTEN.patience)
    version = (await cities.visited.request(written)).version
    with pytest.raises(VersionStale):
        await resolve(cities, written, version - 1)
    await resolve(cities, written, version)
    request = await cities.visited.request(written)
    assert (request.attention_code, request.state) == (None, "written")
    assert (await events(cities.visited, written))[-1] == "attention-resolved"
    with pytest.raises(attention.AttentionNotCalled):
        await resolve(cities, written, version + 1)
    await run_clock(cities, attention.AGAIN - A_MINUTE)
    assert (await cities.visited.request(written)).attention_code is None
    await run_clock(cities, A_MINUTE)
    assert (await cities.visited.request(written)).attention_code == "waiting"


async def test_somebody_of_another_hall_does_not_see_it(cities: TwoCities, written: UUID) -> None:
    assert WRITTEN.patience is not None
    await run_clock(cities, WRITTEN.patience)
    with pytest.raises(service.RequestNotFound):
        await resolve(cities, written, 1, by=clerk(OTHER_HALL))


async def test_a_kind_calls_for_a_person_and_its_next_move_settles_it(
    cities: TwoCities, written: UUID
) -> None:
    words = Text("Cash is to be given back.", "待退款。")
    for _ in range(2):
        async with cities.visited.transaction() as session:
            request = await repository.lock(session, KIND, written)
            assert request is not None
            await attention.call(session, request, "give-back", words, node=VISITED, now=NOON)
    assert (await events(cities.visited, written)).count("attention-called") == 1
    await cities.settle()
    assert (await cities.visited.request(written)).attention_code is None


async def test_many_wait_and_one_that_fails_holds_up_none(
    cities: TwoCities, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention, "BATCH", 1)
    made = []
    for _ in range(2):
        request_id = await cities.ask(MSISDN)
        await cities.settle()
        made.append(request_id)
    async with cities.visited.transaction() as session:
        for request_id in made:
            request = await repository.lock_of_any_kind(session, request_id)
            assert request is not None
            request.attend_at, request.ended_at = NOON, None
    failing = made[0]
    call = attention.call

    async def sometimes(session: object, request: object, *rest: object, **more: object) -> None:
        if request.id == failing:  # type: ignore[attr-defined]
            raise RuntimeError("this one fails")
        await call(session, request, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(attention, "call", sometimes)
    await run_clock(cities, A_MINUTE)
    codes = [(await cities.visited.request(request_id)).attention_code for request_id in made]
    assert codes == [None, "waiting"]


async def test_supervisors_find_and_settle_what_calls_for_them(
    make_node: MakeNode, sign_in: SignIn
) -> None:
    node = await make_node(VISITED)
    city = City(node.context, node.clock)
    supervisor = await sign_in(node, Role.SUPERVISOR)
    clerk_headers = await sign_in(node, Role.CLERK)
    made = [await _waiting(city, place) for place in range(2)]
    async with city.transaction() as session:
        request = await repository.lock_of_any_kind(session, made[0])
        assert request is not None
        await attention.call(
            session, request, "waiting", Text("Look.", "请查看。"), node=VISITED, now=NOON
        )
    listed = await node.client.get("/service-requests?attention=true", headers=supervisor)
    (item,) = listed.json()["items"]
    assert (item["id"], item["attention"]["code"], item["attention"]["text"]["zh"]) == (
        str(made[0]),
        "waiting",
        "请查看。",
    )
    others = await node.client.get("/service-requests?attention=false", headers=supervisor)
    assert [each["id"] for each in others.json()["items"]] == [str(made[1])]
    path, body = f"/service-requests/{made[0]}/attention/resolve", {"note": "已联系归属地"}
    match = {"If-Match": f'"{item["version"]}"'}
    refused = await node.client.post(path, json=body, headers={**clerk_headers, **match})
    assert refused.status_code == 403
    blind = await node.client.post(path, json=body, headers=supervisor)
    assert blind.status_code == 428
    done = await node.client.post(path, json=body, headers={**supervisor, **match})
    assert (done.status_code, done.json()["attention"]) == (200, None), done.text
    assert done.headers["etag"] == f'"{item["version"] + 1}"'
    assert done.json()["trail"][-1]["event"] == "attention-resolved"
    again = await node.client.post(path, json=body, headers={**supervisor, **match})
    assert again.status_code == 412


async def _waiting(city: City, place: int) -> UUID:
    end = service.Step("asked", Party.VISITED, NOON, VISITED, "li.na", Text("Asked", "已申请"))
    async with city.transaction() as session:
        request = ServiceRequest(
            id=UUID(int=place + 1),
            role=Party.VISITED,
            home="110100",
            visited=VISITED,
            subject="138****5678",
            deadline=NOON,
            data={},
            unit_code=VISITED,
            created_by="li.na",
        )
        await service.begin(session, KIND, request, end)
    return UUID(int=place + 1)
