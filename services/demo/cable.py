"""A cable between two nodes of the demo, which can be cut and mended: what arrives at one end goes on as it is."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

PIECE = 65536
"""Bytes that are carried at a time."""


class Cable:
    """The way from a node to its parent.

    Args:
        host: the address of this machine.
        port: where the child finds its parent.
        parent: the port that the parent listens on.
    """

    def __init__(self, host: str, port: int, parent: int) -> None:
        self._host, self._port, self._parent = host, port, parent
        self._server: asyncio.Server | None = None
        self._carrying: set[asyncio.Task[None]] = set()

    async def mend(self) -> None:
        """Carry from now on."""
        self._server = await asyncio.start_server(self._carry, self._host, self._port)

    async def cut(self) -> None:
        """Break off what is being carried, and take nothing any more."""
        if self._server is not None:
            self._server.close()
            self._server = None
        carrying = list(self._carrying)
        for task in carrying:
            task.cancel()
        await asyncio.gather(*carrying, return_exceptions=True)

    def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._connect(reader, writer))
        self._carrying.add(task)
        task.add_done_callback(self._carrying.discard)

    async def _connect(
        self, from_child: asyncio.StreamReader, to_child: asyncio.StreamWriter
    ) -> None:
        ends = [to_child]
        try:
            from_parent, to_parent = await asyncio.open_connection(self._host, self._parent)
            ends.append(to_parent)
            await asyncio.gather(_pass_on(from_child, to_parent), _pass_on(from_parent, to_child))
        except OSError:  # the parent does not listen, or somebody has hung up
            pass
        finally:
            for end in ends:
                end.transport.abort()


async def _pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while piece := await source.read(PIECE):
        sink.write(piece)
        await sink.drain()
    sink.write_eof()


@contextlib.asynccontextmanager
async def laid(host: str, port: int, parent: int) -> AsyncIterator[Cable]:
    """Give a cable that carries, for as long as the context is open."""
    cable = Cable(host, port, parent)
    await cable.mend()
    try:
        yield cable
    finally:
        await cable.cut()
