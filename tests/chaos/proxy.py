"""A proxy on the link between a child and its parent, which does to it what networks do.

It carries HTTP/1.1 over TCP, one exchange after another on each connection, and knows just enough of it to tell where
a request or an answer ends: so that it can cut one in its middle, drop one whole, or send one again later.
"""

import asyncio
import contextlib
import random
import re
import socket
from dataclasses import dataclass
from enum import StrEnum

LARGEST = 64 * 1024 * 1024
LONGEST_HOLD = 3.0
LONGEST_DELAY = 1.0
LATEST_DUPLICATE = 12.0
"""Seconds after which a recorded request has been sent again."""
CUT_SHARE, HELD_SHARE, LOST_SHARE = 0.3, 0.5, 0.7
"""To how many of the requests and answers it happens while the weather is like that."""
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)


pause = asyncio.sleep
"""How time is spent; tests spend it otherwise."""


class Weather(StrEnum):
    """How a link is."""

    CLEAR = "clear"
    REFUSED = "refused"
    """Nobody listens, and who was connected is thrown out."""
    CUT = "cut"
    """Many requests and answers break off in their middle."""
    DELAYED = "delayed"
    """Everything takes longer."""
    REQUESTS_VANISH = "requests-vanish"
    """Requests never arrive, and the child is not told."""
    ANSWERS_VANISH = "answers-vanish"
    """Requests pass, and the child never gets an answer."""
    ACKS_LOST = "acks-lost"
    """Requests pass and are answered, and the connection breaks with the answer."""
    RECORDED = "recorded"
    """Requests pass, and come once more later, each after a time of its own."""
    REORDERED = "reordered"
    """Some connections are held while later ones pass."""


@dataclass(frozen=True, slots=True)
class _Wire:
    """One end of a connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def message(self) -> bytes | None:
        """Return the next request or answer, head and body; ``None`` if none comes any more."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            return head + await self.reader.readexactly(int(length[1]) if length else 0)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    async def send(self, data: bytes) -> None:
        """Send ``data``."""
        self.writer.write(data)
        await self.writer.drain()

    @property
    def has_ended(self) -> bool:
        """Whether the other side is known to have gone."""
        return self.reader.at_eof() or self.reader.exception() is not None

    def abort(self) -> None:
        """Break off."""
        self.writer.transport.abort()


class Link:
    """The way from a child to its parent.

    Args:
        upstream: the port that the parent listens on.
        chance: decides what happens to which request or answer.
        port: what to listen on; a free one without it.
    """

    def __init__(self, upstream: int, chance: random.Random, *, port: int = 0) -> None:
        self._upstream = upstream
        self._chance = chance
        self._server: asyncio.Server | None = None
        self._holder: socket.socket | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._duplicates: set[asyncio.Task[None]] = set()
        self.weather = Weather.CLEAR
        self.port = port
        self.done: dict[str, int] = {}
        """How often what was done to a request or answer."""

    async def open(self) -> None:
        """Listen, always on the same port."""
        if self._holder is None:
            # Bound and not listening: it refuses connections, and no other program gets the port while the link does.
            self._holder = socket.socket()
            self._holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            self._holder.bind(("127.0.0.1", self.port))
            self.port = self._holder.getsockname()[1]
        self._server = await asyncio.start_server(
            self._begin, "127.0.0.1", self.port, limit=LARGEST, reuse_port=True
        )

    async def close(self) -> None:
        """Listen no more, and let go of everything."""
        self._hang_up()
        if self._holder is not None:
            self._holder.close()
            self._holder = None
        for task in self._duplicates:
            task.cancel()
        await asyncio.gather(*self._duplicates, return_exceptions=True)

    async def change(self, weather: Weather) -> None:
        """Make the link behave like that from now on.

        Every change throws out who is connected: no stream lacks a part of what it carried.
        """
        self._hang_up()
        self.weather = weather
        if weather is not Weather.REFUSED:
            await self.open()

    def _hang_up(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in self._connections:
            task.cancel()

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(_Wire(reader, writer)))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, child: _Wire) -> None:
        parent: _Wire | None = None
        try:
            while (request := await child.message()) is not None:
                if parent is None or parent.has_ended:
                    parent = await self._dial()
                await self._carry(request, parent, is_request=True)
                answer = await parent.message()
                if answer is None:
                    break
                await self._carry(answer, child, is_request=False)
        except OSError:
            self._note("broken")
        finally:
            child.abort()
            if parent is not None:
                parent.abort()

    async def _dial(self) -> _Wire:
        return _Wire(*await asyncio.open_connection("127.0.0.1", self._upstream, limit=LARGEST))

    async def _carry(self, message: bytes, to: _Wire, *, is_request: bool) -> None:
        match self.weather:
            case Weather.CUT if self._chance.random() < CUT_SHARE:
                await to.send(message[: self._chance.randrange(len(message))])
                self._note("cut")
                raise ConnectionAbortedError
            case Weather.DELAYED:
                await pause(self._chance.random() * LONGEST_DELAY)
                self._note("delayed")
            case Weather.REORDERED if self._chance.random() < HELD_SHARE:
                await pause(self._chance.random() * LONGEST_HOLD)
                self._note("held")
            case Weather.REQUESTS_VANISH if is_request:
                await self._vanish()
            case Weather.ANSWERS_VANISH if not is_request:
                await self._vanish()
            case Weather.ACKS_LOST if not is_request and self._chance.random() < LOST_SHARE:
                self._note("lost")
                raise ConnectionAbortedError
            case Weather.RECORDED if is_request:
                task = asyncio.create_task(self._send_again(message))
                self._duplicates.add(task)
                task.add_done_callback(self._duplicates.discard)
            case _:
                pass
        await to.send(message)

    async def _vanish(self) -> None:
        """Do nothing more on this connection until the weather changes."""
        self._note("vanished")
        await asyncio.Event().wait()

    async def _send_again(self, request: bytes) -> None:
        await pause(self._chance.random() * LATEST_DUPLICATE)
        with contextlib.suppress(OSError):
            parent = await self._dial()
            try:
                await parent.send(request)
                await parent.message()
                self._note("sent again")
            finally:
                parent.abort()

    def _note(self, what: str) -> None:
        self.done[what] = self.done.get(what, 0) + 1
