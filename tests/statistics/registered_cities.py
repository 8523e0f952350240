"""A node that knows some cities and has their slices, without any federation."""

from datetime import datetime, timedelta
from typing import Any

import httpx
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation.models import RegistryEntry
from shared.statistics import repository
from shared.statistics.slices import Slice
from tests.conftest import TestNode

CITIES = ("110100", "310100", "440100", "440300")
Headers = dict[str, str]


async def register(session: AsyncSession, now: datetime, *cities: str) -> None:
    """Enter cities into the registry, as if they had joined two years ago."""
    entries = [
        {
            "code": code,
            "parent": f"{code[:2]}0000",
            "public_key": "-",
            "version": 1,
            "entered_at": now - timedelta(days=730),
            "statement": None,
        }
        for code in cities
    ]
    await session.execute(insert(RegistryEntry), entries)


async def enter(node: TestNode, *cities: str) -> None:
    """Enter cities into a node's registry."""
    async with node.database.transaction() as session:
        await register(session, node.clock.now(), *cities)


async def keep(node: TestNode, *slices: Slice) -> None:
    """Keep slices as if they had come."""
    async with node.database.transaction() as session:
        for slice_ in slices:
            await repository.store(session, slice_, received_at=node.clock.now())


async def get(node: TestNode, headers: Headers, **question: Any) -> httpx.Response:
    """Put a question over HTTP."""
    return await node.client.get("/statistics/values", params=question, headers=headers)


async def ask(node: TestNode, headers: Headers, **question: Any) -> dict[str, Any]:
    """Put a question over HTTP that will be answered."""
    answer = await get(node, headers, **question)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def table(answer: dict[str, Any], indicator: str, *by: str) -> dict[Any, Any]:
    """The values of one indicator by what its rows are told apart by."""
    keys = [
        tuple(row["region"]["code"] if name == "region" else row[name] for name in by)
        for row in answer["rows"]
    ]
    assert len(set(keys)) == len(keys)
    cells = zip(keys, answer["rows"], strict=True)
    return {key if len(key) > 1 else key[0]: row["values"][indicator] for key, row in cells}
