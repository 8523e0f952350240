"""A link does what its weather says, and is whole again afterwards."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.chaos import proxy
from tests.chaos.proxy import Link, Weather

PATIENCE = 10.0
BODY = b"x" * 2000


class Always(random.Random):
    """Chance that lets happen whatever may happen, at once, and cuts in the middle."""

    def random(self) -> float:
        return 0.0

    def randrange(self, start: int, stop: int | None = None, step: int = 1) -> int:
        del stop, step
        return start // 2


class Parent:
    """A server that counts what reaches it whole, and answers with the number."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.changed = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = proxy._Wire(reader, writer)
        with contextlib.suppress(ConnectionError):
            while (request := await wire.message()) is not None:
                self.bodies.append(request.partition(b"\r\n\r\n")[2])
                self.changed.set()
                text = str(len(self.bodies)).encode()
                await wire.send(
                    b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(text), text)
                )
        wire.abort()

    async def until_reached(self, times: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while len(self.bodies) < times:
                self.changed.clear()
                await self.changed.wait()


@pytest.fixture
async def parent() -> AsyncIterator[tuple[Parent, int]]:
    served = Parent()
    server = await asyncio.start_server(served.serve, "127.0.0.1", 0)
    yield served, server.sockets[0].getsockname()[1]
    server.close()


@pytest.fixture
async def link(parent: tuple[Parent, int]) -> AsyncIterator[Link]:
    made = Link(parent[1], Always())
    await made.open()
    yield made
    await made.close()


@pytest.fixture
async def child(link: Link) -> AsyncIterator[httpx.AsyncClient]:
    url = f"http://127.0.0.1:{link.port}"
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=PATIENCE) as client:
        yield client


async def ask(child: httpx.AsyncClient) -> str:
    return (await child.post("/", content=BODY)).text


async def test_a_clear_link_carries_whole_requests_and_answers_one_after_another(
    parent: tuple[Parent, int], child: httpx.AsyncClient
) -> None:
    assert [await ask(child) for _ in range(3)] == ["1", "2", "3"]
    assert parent[0].bodies == [BODY] * 3


async def test_a_refused_link_takes_no_connection_and_listens_again_on_the_same_port(
    parent: tuple[Parent, int], link: Link, child: httpx.AsyncClient
) -> None:
    assert await ask(child) == "1"
    port = link.port

    await link.change(Weather.REFUSED)
    with pytest.raises((httpx.ConnectError, httpx.RemoteProtocolError, httpx.ReadError)):
        await ask(child)
    with pytest.raises(httpx.ConnectError):
        await ask(child)

    await link.change(Weather.CLEAR)
    assert (link.port, await ask(child)) == (port, "2")


async def test_a_cut_request_never_arrives_whole(
    parent: tuple[Parent, int], link: Link, child: httpx.AsyncClient
) -> None:
    await link.change(Weather.CUT)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await ask(child)

    assert parent[0].bodies == []
    assert link.done["cut"] == 1


async def test_with_acknowledgements_lost_the_parent_has_it_and_the_child_does_not_know(
    parent: tuple[Parent, int], link: Link, child: httpx.AsyncClient
) -> None:
    await link.change(Weather.ACKS_LOST)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await ask(child)

    assert parent[0].bodies == [BODY]


@pytest.mark.parametrize(
    ("weather", "arrives"), [(Weather.ANSWERS_VANISH, 1), (Weather.REQUESTS_VANISH, 0)]
)
async def test_on_a_one_way_link_the_child_waits_in_vain_until_it_heals(
    parent: tuple[Parent, int],
    link: Link,
    child: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    weather: Weather,
    arrives: int,
) -> None:
    await link.change(weather)
    gone = asyncio.Event()
    monkeypatch.setattr(link, "_note", lambda _: gone.set())
    asking = asyncio.create_task(ask(child))
    async with asyncio.timeout(PATIENCE):
        await gone.wait()
    assert len(parent[0].bodies) == arrives
    assert not asking.done()

    await link.change(Weather.CLEAR)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await asking
    assert await ask(child) == str(arrives + 1)


async def test_a_recorded_request_comes_once_more(
    parent: tuple[Parent, int], link: Link, child: httpx.AsyncClient
) -> None:
    await link.change(Weather.RECORDED)
    assert await ask(child) == "1"
    await parent[0].until_reached(2)

    assert parent[0].bodies == [BODY, BODY]


async def test_a_held_connection_is_overtaken(
    parent: tuple[Parent, int],
    link: Link,
    child: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    is_held = asyncio.Event()
    release = asyncio.Event()

    async def hold(_: float) -> None:
        if not is_held.is_set():
            is_held.set()
            await release.wait()

    monkeypatch.setattr(proxy, "pause", hold)
    await link.change(Weather.REORDERED)
    first = asyncio.create_task(child.post("/", content=b"first"))
    async with asyncio.timeout(PATIENCE):
        await is_held.wait()
        await child.post("/", content=b"second")
        assert parent[0].bodies == [b"second"]
        release.set()
        await first

    assert parent[0].bodies == [b"second", b"first"]


async def test_a_parent_that_is_away_shows_as_a_connection_that_breaks(link: Link) -> None:
    nobody = Link(1, Always())
    await nobody.open()
    async with httpx.AsyncClient(trust_env=False) as client:
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            await client.post(f"http://127.0.0.1:{nobody.port}/", content=BODY)
    await nobody.close()
