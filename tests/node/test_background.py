"""Work beside requests: one process leads, and what ends by mistake begins again."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from shared.capability import Every, Job
from shared.node import background
from tests.conftest import MakeNode


class FragileDialler:
    """Fails the first time it is run."""

    def __init__(self) -> None:
        self.runs = 0
        self.again = asyncio.Event()

    async def run(self) -> None:
        self.runs += 1
        if self.runs == 1:
            raise ConnectionError("a defect, or a database that was away for a moment")
        self.again.set()
        await asyncio.Event().wait()


async def test_dialling_that_ends_by_mistake_begins_again(
    make_node: MakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "RETRY_SECONDS", 0.0)
    node = await make_node("440300")
    dialler: Any = FragileDialler()
    leading = asyncio.create_task(background.Background(node.context, (), dialler).run())
    async with asyncio.timeout(10):
        await dialler.again.wait()
    leading.cancel()
    await asyncio.gather(leading, return_exceptions=True)
    assert dialler.runs == 2


async def test_a_second_process_waits_until_the_first_is_gone(make_node: MakeNode) -> None:
    node = await make_node("440300")
    first, second = FragileDialler(), FragileDialler()
    first.runs = second.runs = 1  # the second run is the one that stays
    leaders: list[Any] = [
        background.Background(node.context, (), dialler)  # type: ignore[arg-type]
        for dialler in (first, second)
    ]
    leading = asyncio.create_task(leaders[0].run())
    async with asyncio.timeout(10):
        await first.again.wait()
        waiting = asyncio.create_task(leaders[1].run())
        pool = await node.database.pool()
        while not await pool.fetchval(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database ="
            " (SELECT oid FROM pg_database WHERE datname = current_database())"
        ):
            await asyncio.wait({waiting}, timeout=0.01)
        assert second.runs == 1
        leading.cancel()
        await second.again.wait()
    waiting.cancel()
    await asyncio.gather(leading, waiting, return_exceptions=True)


async def test_a_job_that_fails_is_logged_and_comes_again(make_node: MakeNode) -> None:
    node = await make_node("440300")

    async def fail(*_: object) -> None:
        raise ZeroDivisionError

    job = Job("odd", background.TIDY.summary, background.TIDY.schedule, fail)
    node.node.background.jobs["odd"] = job
    await node.node.background.run_job("odd")
    await node.node.background.run_job("tidy")


async def test_what_is_due_while_a_node_recalls_is_done_as_soon_as_it_has(
    make_node: MakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = await make_node("440300")
    recalled, done = asyncio.Event(), asyncio.Event()
    waiting = asyncio.Semaphore(0)

    async def work(*_: object) -> None:
        done.set()

    async def wait() -> None:
        waiting.release()
        await recalled.wait()

    mark: Any = SimpleNamespace(wait=wait)
    dialler: Any = FragileDialler()
    dialler.runs = 1
    leader = background.Background(replace(node.context, high_water=mark), (), dialler)
    soon = Every(timedelta(milliseconds=1))
    leader.jobs = {"odd": Job("odd", background.TIDY.summary, soon, work)}
    leading = asyncio.create_task(leader.run())
    async with asyncio.timeout(10):
        await dialler.again.wait()
        for _ in ("long work", "calls of ports", "the job"):
            await waiting.acquire()
        assert not done.is_set()
        recalled.set()
        await done.wait()
    leading.cancel()
    await asyncio.gather(leading, return_exceptions=True)
