"""A network in one process, whose links a test cuts."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx


class Reachable(httpx.AsyncBaseTransport):
    """Carries HTTP to nodes of this process by host name, ``http://440000``; a link can be cut."""

    def __init__(self) -> None:
        self.apps: dict[str, Any] = {}
        self.cut: set[str] = set()
        self.tap: Callable[[httpx.Request], Awaitable[None]] | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Carry one request, unless the link is cut."""
        host = request.url.host
        if host in self.cut or host not in self.apps:
            raise httpx.ConnectError(f"no route to {host}", request=request)
        if self.tap:
            await self.tap(request)
        return await httpx.ASGITransport(app=self.apps[host]).handle_async_request(request)
