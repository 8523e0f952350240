"""A trail as it grows: polled, streamed over a real connection, and from the command line."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest
import uvicorn
from typer.testing import CliRunner

from services.city_node.service_request import repository, service, trail, trail_endpoints
from services.city_node.service_request.kind import Party
from services.city_node.service_request.models import ServiceRequest
from services.city_node.service_request.trail import CHANNEL, MOST_LINES
from shared.capability import Role
from shared.kernel.ids import new_id
from shared.kernel.language import Text
from shared.node.command import app
from tests.city.drafts import SignIn, make_city
from tests.city.test_service_request import ERRAND
from tests.city.two_cities import NOON, VISITED
from tests.conftest import MakeNode, TestNode

HALL, OTHER_HALL = "440300-01", "440300-02"


@pytest.fixture
async def node(make_node: MakeNode) -> TestNode:
    """Shenzhen with two teams."""
    return await make_city(make_node, None)  # type: ignore[arg-type]  # with all it has


def step(event: str, party: Party = Party.VISITED) -> service.Step:
    return service.Step(event, party, NOON, VISITED, "li.na", Text(event, "已办"))


async def begin(node: TestNode, unit: str = HALL) -> UUID:
    errand = ServiceRequest(
        id=new_id(),
        role=Party.VISITED,
        home="110100",
        visited=VISITED,
        subject="a letter",
        deadline=NOON,
        data={},
        unit_code=unit,
        created_by="li.na",
    )
    async with node.context.database.transaction() as session:
        await service.begin(session, ERRAND, errand, step("sent"))
    return errand.id


async def write(node: TestNode, request_id: UUID, *events: str) -> None:
    """Add lines, each in a transaction of its own; ``returned`` ends the request."""
    for event in events:
        async with node.context.database.transaction() as session:
            request = await repository.lock(session, ERRAND, request_id)
            assert request is not None
            if event == "returned":
                await service.advance(session, ERRAND, request, step(event, Party.HOME))
            else:
                await service.note(session, request, step(event))


@contextlib.asynccontextmanager
async def served(node: TestNode) -> AsyncIterator[tuple[str, uvicorn.Server]]:
    """Serve a started node on a free port of loopback, listening for notifications."""
    await node.node.serve_background()
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(node.app, log_config=None, access_log=False, lifespan="off")
    )
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", server
    finally:
        node.node.let_go()
        server.should_exit = True
        await asyncio.wait_for(serving, 10)
        listening.close()


class Events:
    """The events of a stream, read one by one."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.aiter_lines()

    async def next(self) -> dict[str, str] | None:
        """Return the next event, or ``None`` at the end of the stream; comments are not told."""
        found: dict[str, str] = {}
        async with asyncio.timeout(10):
            async for line in self._lines:
                if not line:
                    if found:
                        return found
                elif not line.startswith(":"):
                    name, _, value = line.partition(": ")
                    found[name] = value
        return None

    async def trail(self) -> tuple[int, str]:
        event = await self.next()
        assert event is not None
        assert event["event"] == "trail"
        return int(event["id"]), orjson.loads(event["data"])["event"]


async def test_a_trail_is_polled_from_any_place(
    node: TestNode, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = await sign_in(node, Role.CLERK)
    request_id = await begin(node)
    path = f"/service-requests/{request_id}/trail"

    async def poll(after: int) -> dict[str, Any]:
        answer = await node.client.get(path, params={"after": after}, headers=headers)
        assert answer.status_code == 200, answer.text
        page: dict[str, Any] = answer.json()
        return page

    first = await poll(0)
    assert [line["event"] for line in first["items"]] == ["sent"]
    assert (first["state"], first["ended"], first["more"]) == ("open", False, False)
    assert first["items"][0]["note"] == {"en": "sent", "zh": "已办"}
    nothing = await poll(first["last"])
    assert (nothing["items"], nothing["last"]) == ([], first["last"])
    await write(node, request_id, "called", "returned")
    rest = await poll(first["last"])
    assert [line["event"] for line in rest["items"]] == ["called", "returned"]
    assert (rest["state"], rest["ended"]) == ("done", True)
    whole = await node.client.get(f"/service-requests/{request_id}", headers=headers)
    assert whole.json()["trail"] == [*first["items"], *rest["items"]]


async def test_a_long_trail_comes_in_pages(node: TestNode, sign_in: SignIn) -> None:
    headers = await sign_in(node, Role.CLERK)
    request_id = await begin(node)
    async with node.context.database.transaction() as session:
        request = await repository.lock(session, ERRAND, request_id)
        assert request is not None
        for _ in range(MOST_LINES):
            await service.note(session, request, step("called"))
        await service.advance(session, ERRAND, request, step("returned", Party.HOME))
    path, seen, after = f"/service-requests/{request_id}/trail", 0, 0
    pages = []
    while True:
        page = (await node.client.get(f"{path}?after={after}", headers=headers)).json()
        pages.append((len(page["items"]), page["more"], page["ended"]))
        seen, after = seen + len(page["items"]), page["last"]
        if page["ended"]:
            break
    assert seen == MOST_LINES + 2
    assert pages == [(MOST_LINES, True, False), (2, False, True)]


@pytest.mark.parametrize("end", ["/trail", "/trail/stream"])
async def test_another_unit_s_trail_is_not_found(node: TestNode, sign_in: SignIn, end: str) -> None:
    request_id = await begin(node, OTHER_HALL)
    headers = await sign_in(node, Role.CLERK, unit=HALL)
    answer = await node.client.get(f"/service-requests/{request_id}{end}", headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (
        404,
        "urn:guanxi:problem:request-not-found",
    )


async def test_lines_come_as_they_are_written_until_the_end_and_are_resumed(
    node: TestNode, sign_in: SignIn
) -> None:
    headers = await sign_in(node, Role.CLERK)
    request_id = await begin(node)
    path = f"/service-requests/{request_id}/trail/stream"
    async with served(node) as (url, _), httpx.AsyncClient(base_url=url) as client:
        async with client.stream("GET", path, headers=headers) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            events = Events(answer)
            first, name = await events.trail()
            assert name == "sent"
            await write(node, request_id, "called")
            second, name = await events.trail()
            assert (second > first, name) == (True, "called")
        resumed = {**headers, "Last-Event-ID": str(first)}
        async with client.stream("GET", path, headers=resumed) as answer:
            events = Events(answer)
            assert await events.trail() == (second, "called")
            await write(node, request_id, "returned")
            assert (await events.trail())[1] == "returned"
            end = await events.next()
            assert end == {"event": "end", "data": '{"state":"done"}'}
            assert await events.next() is None
        assert len(node.node.watchers[CHANNEL]) == 0


async def test_a_request_that_has_ended_streams_what_there_is_and_ends(
    node: TestNode, sign_in: SignIn
) -> None:
    headers = await sign_in(node, Role.CLERK)
    request_id = await begin(node)
    await write(node, request_id, "returned")
    answer = await node.client.get(f"/service-requests/{request_id}/trail/stream", headers=headers)
    assert [line for line in answer.text.splitlines() if line.startswith("event")] == [
        "event: trail",
        "event: trail",
        "event: end",
    ]


async def test_a_node_that_ends_does_not_wait_for_open_streams(
    node: TestNode, sign_in: SignIn
) -> None:
    headers = await sign_in(node, Role.CLERK)
    request_id = await begin(node)
    async with served(node) as (url, _), httpx.AsyncClient(base_url=url) as client:
        path = f"/service-requests/{request_id}/trail/stream"
        async with client.stream("GET", path, headers=headers) as answer:
            events = Events(answer)
            await events.trail()
            node.node.let_go()
            assert await events.next() is None


async def test_a_token_that_expires_ends_the_stream(
    node: TestNode, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = await sign_in(node, Role.CLERK)
    request_id = await begin(node)
    async with served(node) as (url, _), httpx.AsyncClient(base_url=url) as client:
        path = f"/service-requests/{request_id}/trail/stream"
        async with client.stream("GET", path, headers=headers) as answer:
            events = Events(answer)
            await events.trail()
            node.clock.advance(timedelta(hours=3))
            await write(node, request_id, "called")
            assert await events.next() is None, "nothing is told to one who is not signed in"


async def test_a_request_that_passes_to_another_unit_is_told_no_longer(
    node: TestNode, sign_in: SignIn
) -> None:
    headers = await sign_in(node, Role.CLERK, unit=HALL)
    request_id = await begin(node)
    async with served(node) as (url, _), httpx.AsyncClient(base_url=url) as client:
        path = f"/service-requests/{request_id}/trail/stream"
        async with client.stream("GET", path, headers=headers) as answer:
            events = Events(answer)
            await events.trail()
            async with node.context.database.transaction() as session:
                request = await repository.lock(session, ERRAND, request_id)
                assert request is not None
                request.unit_code = OTHER_HALL
                await service.note(session, request, step("called"))
            assert await events.next() is None


async def test_streams_are_bounded(
    node: TestNode, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trail_endpoints, "MOST_STREAMS", 1)
    headers = await sign_in(node, Role.CLERK)
    request_id = await begin(node)
    path = f"/service-requests/{request_id}/trail/stream"
    with node.node.watchers[CHANNEL].watch("another"):
        refused = await node.client.get(path, headers=headers)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert refused.json()["type"] == "urn:guanxi:problem:too-many-streams"
    await write(node, request_id, "returned")
    assert (await node.client.get(path, headers=headers)).status_code == 200


async def test_nothing_is_missed_between_a_look_and_the_wait(node: TestNode) -> None:
    """Whoever is woken while it looks looks again."""
    request_id = await begin(node)
    pool = await node.context.database.pool()
    watchers = node.node.watchers[CHANNEL]
    looks = 0

    async def look_after(place: int) -> trail.Look | None:
        nonlocal looks
        looks += 1
        found = await trail.look(pool, request_id, unit_path="", after=place)
        if looks == 1:
            await write(node, request_id, "returned")
            watchers.wake(str(request_id))
        return found

    with watchers.watch(str(request_id)) as watch:
        async with asyncio.timeout(5):
            seen = [
                found.id if isinstance(found, trail.Line) else found.state
                async for found in trail.follow(look_after, lambda: watch.wait(None))
            ]
    assert seen[-1] == "done"
    assert len(seen) == 3


async def test_the_command_follows_to_the_end(
    node: TestNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    request_id = await begin(node)
    settings = node.node.settings
    monkeypatch.setenv("GUANXI_HOME", str(settings.home))
    monkeypatch.setenv("GUANXI_DATABASE_URL", str(settings.database_url))
    monkeypatch.setenv("GUANXI_DATABASE_OWNER_URL", str(settings.database_owner_url))
    arguments = ["request", "follow", str(request_id), "--node", VISITED]
    following = asyncio.create_task(
        asyncio.to_thread(CliRunner().invoke, app, [*arguments, "--json"])
    )
    await write(node, request_id, "called", "returned")
    result = await asyncio.wait_for(following, 30)
    assert result.exit_code == 0, result.output
    lines = [orjson.loads(line) for line in result.output.splitlines()]
    assert [line.get("event") for line in lines[:-1]] == ["sent", "called", "returned"]
    assert lines[-1] == {"state": "done", "ended": True}
    spoken = await asyncio.to_thread(CliRunner().invoke, app, arguments)
    assert "Ended: done" in spoken.output
    unknown = [*arguments[:2], str(new_id()), *arguments[3:]]
    missing = await asyncio.to_thread(CliRunner().invoke, app, unknown)
    assert missing.exit_code == 1
