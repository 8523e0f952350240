"""A node that is served over HTTP from a thread, for tools that are not asynchronous."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator

import uvicorn

from shared.node.app import Node


@contextlib.contextmanager
def served(node: Node) -> Iterator[str]:
    """Serve a node on a free port of loopback until the block ends; gives its address."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(node.app, log_config=None, access_log=False, lifespan="on")
    )
    thread = threading.Thread(
        target=lambda: asyncio.run(server.serve(sockets=[listening])), daemon=True
    )
    thread.start()
    try:
        while not server.started and thread.is_alive():
            thread.join(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)
        listening.close()
