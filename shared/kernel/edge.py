"""The edge of a node over HTTP: what every endpoint may ask for.

An endpoint that changes something asks for :data:`Transaction`, or for :data:`HotTransaction` if it is a hot write:
opened before it runs and committed when it returns, before the answer is sent. ``scope="function"`` is what makes it
*before*: FastAPI otherwise runs the end of a dependency after the response, and a failed commit would already have
said 200.
"""

from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import datetime
from typing import Annotated, Any, TypeVar

import asyncpg
from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from shared.kernel.clock import Clock
from shared.kernel.database import Database
from shared.kernel.language import Language
from shared.kernel.listing import PageRequest, page_request
from shared.kernel.preconditions import expected_version
from shared.kernel.problems import language_of
from shared.kernel.settings import Settings

Found = TypeVar("Found")


def database_of(request: Request) -> Database:
    """Return the database of the node that serves ``request``."""
    database: Database = request.app.state.database
    return database


def settings_of(request: Request) -> Settings:
    """Return the settings of the node that serves ``request``."""
    settings: Settings = request.app.state.settings
    return settings


def now_of(request: Request) -> datetime:
    """Read the node's clock, once for the request."""
    if not hasattr(request.state, "now"):
        clock: Clock = request.app.state.clock
        request.state.now = clock.now()
    now: datetime = request.state.now
    return now


async def transaction(request: Request) -> AsyncIterator[AsyncSession]:
    """Open the request's one transaction."""
    async with database_of(request).transaction() as session:
        yield session


async def hot_transaction(request: Request) -> AsyncIterator[asyncpg.Connection]:
    """Open the request's one transaction on a bare connection."""
    async with database_of(request).writer() as connection, connection.transaction():
        yield connection


def awaited(read: Callable[[Request], Found]) -> Callable[[Request], Coroutine[Any, Any, Found]]:
    """Return ``read`` as a dependency that FastAPI awaits; a plain function it would run in a thread, which costs."""

    async def dependency(request: Request) -> Found:
        return read(request)

    return dependency


NodeDatabase = Annotated[Database, Depends(awaited(database_of))]
NodeSettings = Annotated[Settings, Depends(awaited(settings_of))]
Now = Annotated[datetime, Depends(awaited(now_of))]
Transaction = Annotated[AsyncSession, Depends(transaction, scope="function")]
HotTransaction = Annotated[asyncpg.Connection, Depends(hot_transaction, scope="function")]
Page = Annotated[PageRequest, Depends(page_request)]
ExpectedVersion = Annotated[int, Depends(expected_version)]
Speech = Annotated[Language, Depends(awaited(language_of))]
