"""The cable between a city and its province: what it carries, and what it does when it is cut."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from services.demo.cable import laid

HOST = "127.0.0.1"


async def _shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(65536):
        writer.write(piece.upper())
    writer.close()


def free_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture
async def parent() -> AsyncIterator[int]:
    server = await asyncio.start_server(_shout, HOST, 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def exchange(port: int, said: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(said)
    writer.write_eof()
    try:
        return await reader.read()
    finally:
        writer.close()


async def test_everything_is_carried_both_ways(parent: int) -> None:
    port = free_port()
    async with laid(HOST, port, parent):
        assert await exchange(port, b"what a city says" * 50_000) == b"WHAT A CITY SAYS" * 50_000


async def test_what_is_carried_breaks_off_and_nothing_more_is_taken(parent: int) -> None:
    port = free_port()
    async with laid(HOST, port, parent) as cable:
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(b"before")
        assert await reader.readexactly(6) == b"BEFORE"

        await cable.cut()

        assert await reader.read() == b""
        writer.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(HOST, port)
        await cable.mend()
        assert await exchange(port, b"after") == b"AFTER"
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(HOST, port)


async def test_a_parent_that_does_not_listen_is_no_fault_of_the_cable() -> None:
    port = free_port()
    async with laid(HOST, port, free_port()):
        reader, writer = await asyncio.open_connection(HOST, port)
        assert await reader.read() == b""
        writer.close()
