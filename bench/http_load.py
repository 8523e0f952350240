"""A client that costs little: so many connections, each asking again as soon as it is answered."""

import asyncio
import time
from collections.abc import Callable, Mapping


class _Caller(asyncio.Protocol):
    """One connection. Reads just enough of HTTP/1.1 to know where an answer ends."""

    def __init__(self, next_request: Callable[[], bytes], tally: "_Tally") -> None:
        self._next_request = next_request
        self._tally = tally
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._next_request())

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = self._buffer[:head_end].lower()
        length_at = head.index(b"content-length:") + 15
        length = int(head[length_at:].split(b"\r\n", 1)[0])
        if len(self._buffer) < head_end + 4 + length:
            return
        if head.startswith(b"http/1.1 200"):
            self._tally.answered += 1
        else:
            self._tally.failures.append(self._buffer.decode(errors="replace"))
        self._buffer = b""
        if not self._tally.over:
            self._transport.write(self._next_request())

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._tally.over:
            self._tally.failures.append(f"connection lost: {exc}")


class Connection:
    """One kept connection on which requests are asked one after another, at next to no cost."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int) -> "Connection":
        """Connect to a server on loopback."""
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=2**24))

    async def ask(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes = b""
    ) -> tuple[int, bytes, bytes]:
        """Send one request; returns status, head and body of the answer."""
        lines = [f"{method} {target} HTTP/1.1", "Host: city", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = 0
        if b"content-length:" in head:
            length = int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        return int(head.split(b" ", 2)[1]), head, await self._reader.readexactly(length)

    async def close(self) -> None:
        """Hang up."""
        self._writer.close()
        await self._writer.wait_closed()


class _Tally:
    def __init__(self) -> None:
        self.answered = 0
        self.failures: list[str] = []
        self.over = False


async def requests_per_second(
    port: int, next_request: Callable[[], bytes], *, connections: int, seconds: float
) -> float:
    """Ask a server on loopback for ``seconds`` over so many connections, and return how often it answered 200.

    Raises:
        RuntimeError: if it answered anything else.
    """
    loop = asyncio.get_running_loop()
    tally = _Tally()
    transports = [
        (await loop.create_connection(lambda: _Caller(next_request, tally), "127.0.0.1", port))[0]
        for _ in range(connections)
    ]
    began, before = time.perf_counter(), tally.answered
    await asyncio.sleep(seconds)
    answered, took = tally.answered - before, time.perf_counter() - began
    tally.over = True
    for transport in transports:
        transport.close()
    if tally.failures or not answered:
        raise RuntimeError(f"The server did not answer as it should: {tally.failures[:1]}")
    return answered / took
