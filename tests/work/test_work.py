"""Long work: asked for, done, watched, cancelled, taken up again."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from shared import organisation, staff, work
from shared.capability import Capability, NodeContext, Requester, Role, WorkHandle, WorkKind
from shared.kernel.ids import new_id
from shared.kernel.language import Text
from shared.kernel.listing import CursorInvalid
from shared.work.jobs import RETENTION
from shared.work.models import Work
from shared.work.running import LEASE, MOST_ATTEMPTS, Worker
from shared.work.service import Viewer, cancel, request_work
from tests.conftest import MakeNode, TestNode

OPERATOR = Viewer(None, "")


class Counting:
    """A kind of work that counts to three, a second a number, and does as the test says at each."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, int]] = []
        self.at: Any = None

    async def run(self, context: NodeContext, handle: WorkHandle) -> Mapping[str, Any] | None:
        for number in range(1, 4):
            context.clock.advance(timedelta(seconds=1))  # type: ignore[attr-defined]
            await handle.progress(number, 3, "rows")
            self.seen.append((handle.attempt, number))
            if self.at:
                await self.at(context, handle, number)
        return {"counted": 3}


@pytest.fixture
def counting() -> Counting:
    return Counting()


@pytest.fixture
async def node(make_node: MakeNode, counting: Counting) -> TestNode:
    kinds = (
        WorkKind("counting", Text("Count", "计数"), counting.run),
        WorkKind("other", Text("Other", "其他"), counting.run),
    )
    capability = Capability("counting", Text("Counting", "计数"), works=kinds)
    return await make_node(
        "440300",
        (organisation.capability, staff.capability, work.capability, capability),
    )


async def ask(node: TestNode, kind: str = "counting", **given: Any) -> UUID:
    requester = Requester("test", None, "440300", None)
    async with node.database.transaction() as session:
        asked = await request_work(
            session,
            kind,
            id=new_id(),
            title="three",
            parameters={},
            requester=given.get("requester", requester),
            now=node.clock.now(),
        )
    return asked.id


async def read(node: TestNode, work_id: UUID) -> Work:
    async with node.database.transaction() as session:
        found = await session.get(Work, work_id)
        assert found is not None
        return found


async def test_work_is_done_in_the_order_it_was_asked_for(
    node: TestNode, counting: Counting
) -> None:
    first, other, second = await ask(node), await ask(node, "other"), await ask(node)
    assert await node.run_work("counting")
    done, waiting = await read(node, first), await read(node, second)
    assert (done.state, done.result) == ("done", {"counted": 3})
    assert (done.progress_done, done.progress_total, done.progress_unit) == (3, 3, "rows")
    assert waiting.state == "queued"
    assert await node.run_work("counting")
    assert not await node.run_work("counting")
    assert (await read(node, other)).state == "queued"


async def test_progress_is_seen_while_work_runs(node: TestNode, counting: Counting) -> None:
    asked, shown = await ask(node), []

    async def look(_: NodeContext, handle: WorkHandle, number: int) -> None:
        seen = await read(node, asked)
        shown.append((seen.state, seen.progress_done))

    counting.at = look
    await node.run_work("counting")
    assert shown == [("running", 1), ("running", 2), ("running", 3)]


async def test_a_commit_that_asks_wakes_who_leads(node: TestNode, counting: Counting) -> None:
    done = asyncio.Event()

    async def tell(_: NodeContext, handle: WorkHandle, number: int) -> None:
        if number == 3:
            done.set()

    counting.at = tell
    await node.node.serve_background()
    working = asyncio.create_task(node.node.background.worker.run())
    await ask(node)
    async with asyncio.timeout(10):  # far less than an idle look at the line takes
        await done.wait()
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


async def test_cancelled_before_it_began_is_never_begun(node: TestNode, counting: Counting) -> None:
    asked = await ask(node)
    async with node.database.transaction() as session:
        await cancel(session, OPERATOR, asked, now=node.clock.now())
    assert not await node.run_work("counting")
    assert (await read(node, asked)).state == "cancelled"
    assert counting.seen == []


async def test_cancelled_under_way_ends_at_the_next_step(
    node: TestNode, counting: Counting
) -> None:
    asked = await ask(node)

    async def cancel_at_two(context: NodeContext, handle: WorkHandle, number: int) -> None:
        if number == 2:
            async with context.database.transaction() as session:
                await cancel(session, OPERATOR, asked, now=context.clock.now())

    counting.at = cancel_at_two
    await node.run_work("counting")
    ended = await read(node, asked)
    assert ended.state == "cancelled"
    assert ended.finished_at is not None
    assert counting.seen == [(1, 1), (1, 2)]


async def test_a_process_that_ends_gives_its_work_back(node: TestNode, counting: Counting) -> None:
    asked, begun = await ask(node), asyncio.Event()

    async def hang(_: NodeContext, handle: WorkHandle, number: int) -> None:
        if handle.attempt == 1:
            begun.set()
            await asyncio.Event().wait()

    counting.at = hang
    working = asyncio.create_task(node.node.background.worker.run())
    await begun.wait()
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    assert (await read(node, asked)).state == "queued"
    assert await node.run_work("counting")
    assert (await read(node, asked)).state == "done"
    assert counting.seen == [(1, 1), (2, 1), (2, 2), (2, 3)]


async def test_work_of_a_dead_process_is_taken_up_when_its_lease_is_over(
    node: TestNode, counting: Counting
) -> None:
    asked = await ask(node)
    await leave_running(node, asked)
    node.clock.advance(LEASE)
    assert not await node.run_work("counting")
    node.clock.advance(timedelta(seconds=1))
    assert await node.run_work("counting")
    assert (await read(node, asked)).state == "done"


async def leave_running(node: TestNode, work_id: UUID, **values: Any) -> None:
    """Leave the row as a process leaves it that is killed."""
    async with node.database.transaction() as session:
        found = await session.get(Work, work_id)
        assert found is not None
        found.state, found.heartbeat_at, found.attempt = "running", node.clock.now(), 1
        for name, value in values.items():
            setattr(found, name, value)


async def test_work_that_was_thought_dead_cannot_speak_for_the_next_attempt(
    node: TestNode, counting: Counting
) -> None:
    asked = await ask(node)
    second = Worker(node.context, [WorkKind("counting", Text("", ""), Counting().run)])

    async def sleep_through_the_lease(
        context: NodeContext, handle: WorkHandle, number: int
    ) -> None:
        if number == 2:
            node.clock.advance(LEASE + timedelta(seconds=1))
            assert await second.step("counting")

    counting.at = sleep_through_the_lease
    assert await node.run_work("counting")
    done = await read(node, asked)
    assert (done.state, done.attempt) == ("done", 2)
    assert counting.seen == [(1, 1), (1, 2)]  # it learns so at its next step


async def test_what_kills_its_process_again_and_again_is_given_up(
    node: TestNode, counting: Counting
) -> None:
    asked = await ask(node)
    await leave_running(node, asked, attempt=MOST_ATTEMPTS)
    node.clock.advance(2 * LEASE)
    assert await node.run_work("counting")
    failed = await read(node, asked)
    assert failed.error is not None
    assert failed.error["en"]["type"] == "urn:guanxi:problem:work-interrupted"
    assert counting.seen == []


async def test_a_cancelled_process_that_dies_leaves_cancelled_work(
    node: TestNode, counting: Counting
) -> None:
    asked = await ask(node)
    await leave_running(node, asked, cancel_requested=True)
    node.clock.advance(2 * LEASE)
    assert await node.run_work("counting")
    assert (await read(node, asked)).state == "cancelled"
    assert counting.seen == []


async def test_a_refusal_is_kept_in_both_languages(node: TestNode, counting: Counting) -> None:
    asked = await ask(node)

    async def refuse(*_: object) -> None:
        raise CursorInvalid

    counting.at = refuse
    await node.run_work("counting")
    failed = await read(node, asked)
    assert failed.state == "failed"
    assert failed.error is not None
    assert [failed.error[language]["title"] for language in ("en", "zh")] == [
        "Cursor invalid",
        "分页游标无效",
    ]


async def test_a_defect_is_told_without_its_details(node: TestNode, counting: Counting) -> None:
    asked = await ask(node)

    async def break_down(*_: object) -> None:
        raise ZeroDivisionError("13800000001")

    counting.at = break_down
    await node.run_work("counting")
    failed = await read(node, asked)
    assert failed.error is not None
    assert failed.error["en"]["type"] == "urn:guanxi:problem:work-broken"
    assert "13800000001" not in str(failed.error)


async def test_work_that_finishes_with_its_own_transaction_is_done_or_undone_with_it(
    node: TestNode, counting: Counting
) -> None:
    asked = await ask(node)

    async def finish(context: NodeContext, handle: WorkHandle, number: int) -> None:
        async with context.database.transaction() as session:
            await handle.finish(session, {"by": "itself"})
            if handle.attempt == 1:
                raise asyncio.CancelledError  # killed before the commit

    counting.at = finish
    with pytest.raises(asyncio.CancelledError):
        await node.run_work("counting")
    assert (await read(node, asked)).state == "queued"
    await node.run_work("counting")
    done = await read(node, asked)
    assert (done.state, done.result) == ("done", {"by": "itself"})


async def test_ended_work_is_forgotten_after_its_time(node: TestNode, counting: Counting) -> None:
    old = await ask(node)
    await node.run_work("counting")
    node.clock.advance(RETENTION)
    waiting, recent = await ask(node, "other"), await ask(node)
    await node.run_work("counting")
    await node.run_job("forget-work")
    async with node.database.transaction() as session:
        assert await session.get(Work, old) is None
        assert await session.get(Work, waiting) is not None
        assert await session.get(Work, recent) is not None


async def test_people_see_their_own_work_and_supervisors_that_of_their_unit(
    node: TestNode, sign_in: Any
) -> None:
    clerk, colleague = await sign_in(node, Role.CLERK), await sign_in(node, Role.CLERK)
    supervisor = await sign_in(node, Role.SUPERVISOR)
    me = (await node.client.get("/staff/me", headers=clerk)).json()
    mine = await ask(
        node, requester=Requester(me["username"], UUID(me["id"]), "440300", frozenset())
    )
    path = f"/works/{mine}"
    assert (await node.client.get(path, headers=clerk)).json()["state"] == "queued"
    assert (await node.client.get(path, headers=supervisor)).status_code == 200
    assert (await node.client.get(path, headers=colleague)).status_code == 404
    assert (await node.client.get("/works", headers=clerk)).json()["items"][0]["id"] == str(mine)
    assert (await node.client.get("/works", headers=colleague)).json()["items"] == []
    assert len((await node.client.get("/works", headers=supervisor)).json()["items"]) == 1

    assert (await node.client.post(f"{path}/cancel", headers=colleague)).status_code == 404
    for _ in range(2):
        cancelled = await node.client.post(f"{path}/cancel", headers=clerk)
        assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")


async def test_the_error_is_read_in_the_readers_language(
    node: TestNode, counting: Counting, sign_in: Any
) -> None:
    asked = await ask(node)

    async def refuse(*_: object) -> None:
        raise CursorInvalid

    counting.at = refuse
    await node.run_work("counting")
    headers = {**await sign_in(node, Role.SUPERVISOR), "Accept-Language": "zh"}
    one = (await node.client.get(f"/works/{asked}", headers=headers)).json()
    listed = (await node.client.get("/works?kind=counting&state=failed", headers=headers)).json()
    assert one["error"]["title"] == listed["items"][0]["error"]["title"] == "分页游标无效"
    refused = await node.client.post(f"/works/{asked}/cancel", headers=headers)
    assert (refused.status_code, refused.json()["title"]) == (409, "后台任务已结束")
    assert refused.json()["detail"] == "该后台任务已结束（已失败），无法取消。"
