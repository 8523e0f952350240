"""When calls of ports are sent: in trouble, by request of the port, in order, and when a node ends."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.simulator.faults import Faults
from shared.kernel.ids import new_id
from shared.port import service
from shared.port.contracts import network, sms
from shared.port.dispatching import GRACE, TOLERATED, Dispatcher
from tests.port.outside import NUMBER, PORTS, Killed, Outside


def outcomes(out: Outside, port: str = "sms") -> list[str]:
    return [call.outcome for call in out.simulators[port].calls]


async def test_a_call_is_sent_answered_and_its_content_forgotten(out: Outside) -> None:
    called = await out.say("hello")
    assert await out.work() == 1
    row = await out.row(called)
    assert (row["state"], row["attempts"], row["content_cipher"]) == ("done", 1, None)
    assert row["answer"] is not None
    assert [entry.content for entry in out.simulators["sms"].journal] == [
        {"to": NUMBER, "text": "hello"}
    ]


async def test_a_port_that_is_off_is_queued_nothing(out: Outside) -> None:
    off = out.context.settings.model_copy(update={"port_sms_url": None})
    out.context = replace(out.context, settings=off)
    content = sms.ShortMessage(to=NUMBER, text="hello")
    assert await out.call(out.send, content, cause=new_id()) is None
    assert await out.fetch("SELECT id FROM port_call") == []
    out.restart()
    assert [port.name for port in out.dispatcher.ports] == ["network"]


async def test_one_cause_has_each_effect_once(out: Outside) -> None:
    cause = new_id()
    content = sms.ShortMessage(to=NUMBER, text="hello")
    first = await out.call(out.send, content, cause=cause)
    await out.work()
    assert await out.call(out.send, content, cause=cause) == first
    other = await out.call(out.suspend, network.Suspension(msisdn=NUMBER), cause=cause)
    assert other != first
    assert await out.work() == 0


async def test_retry_after_is_honoured_for_the_whole_port(out: Outside) -> None:
    out.faults(sms.PORT, busy_rate=1, retry_after=40)
    await out.say("one")
    await out.say("two")
    assert await out.work() == 1
    out.faults(sms.PORT)
    await out.wait(39.9)
    assert await out.work() == 0
    (trouble,) = await out.fetch("SELECT port, failures, last_error FROM port_trouble")
    assert trouble == {"port": "sms", "failures": 1, "last_error": "Answered 429: it is busy."}
    await out.wait(0.1)
    assert await out.work() == 2
    assert await out.fetch("SELECT port FROM port_trouble") == []
    assert outcomes(out) == ["busy", "done", "done"]


async def test_a_port_in_trouble_is_tried_by_one_call_and_keeps_no_other_waiting(
    out: Outside,
) -> None:
    out.network.cut.add("sms")
    for n in range(3):
        await out.say(str(n))
    await out.call(out.suspend, network.Suspension(msisdn=NUMBER), cause=new_id())
    assert await out.work() == 1
    assert await out.work(network.PORT) == 1
    pauses = []
    for _ in range(8):
        (trouble,) = await out.fetch("SELECT retry_at FROM port_trouble")
        pauses.append((trouble["retry_at"] - out.clock.now()).total_seconds())
        await out.wait(pauses[-1])
        assert await out.work() == 1
    assert pauses == [1, 2, 4, 8, 10, 10, 10, 10]
    out.network.cut.clear()
    await out.wait(10)
    assert await out.work() == 3


async def test_a_node_that_is_started_tries_a_port_in_trouble_at_once(out: Outside) -> None:
    out.faults(sms.PORT, down=True, retry_after=3000)
    called = await out.say()
    await out.work()
    out.faults(sms.PORT)
    out.restart()
    other = await out.say("another")
    assert await out.work() == 1
    assert await out.state(other) == "done"
    assert await out.fetch("SELECT port FROM port_trouble") == []
    assert await out.state(called) == "waiting"


async def test_a_call_that_fails_keeps_no_other_waiting_until_many_have(out: Outside) -> None:
    out.faults(sms.PORT, error_rate=1)
    for n in range(TOLERATED + 5):
        await out.say(str(n))
    assert await out.work() == TOLERATED + 1
    (trouble,) = await out.fetch("SELECT failures FROM port_trouble")
    assert trouble["failures"] == TOLERATED + 1
    await out.finish()
    assert len(out.simulators["sms"].journal) == TOLERATED + 5


async def test_attempts_at_one_call_are_farther_and_farther_apart(out: Outside) -> None:
    out.faults(sms.PORT, error_rate=1)
    called = await out.say()
    pauses = []
    for _ in range(9):
        assert await out.work() == 1
        due = (await out.row(called))["due_at"]
        pauses.append((due - out.clock.now()).total_seconds())
        out.clock.advance(due - out.clock.now())
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256]


async def test_nothing_waits_for_as_long_as_a_clock_was_wrong_that_is_set_back(
    out: Outside,
) -> None:
    out.faults(sms.PORT, error_rate=1)
    out.faults(network.PORT, down=True, retry_after=40)
    wrong = 600.0
    await out.wait(wrong)
    failed = await out.say()
    held_up = await out.call(out.suspend, network.Suspension(msisdn=NUMBER), cause=new_id())
    assert held_up is not None
    assert (await out.work(), await out.work(network.PORT)) == (1, 1)
    unsent = await out.say("by the wrong clock, too")
    out.faults(sms.PORT)
    out.faults(network.PORT)
    await out.wait(-wrong)
    assert (await out.work(), await out.work(network.PORT)) == (2, 1)
    assert [await out.state(each) for each in (failed, held_up, unsent)] == ["done"] * 3


async def test_a_call_that_is_committed_after_the_clock_was_set_right_does_not_wait(
    out: Outside,
) -> None:
    told: asyncio.Queue[Any] = asyncio.Queue()

    async def done(*given: Any) -> None:
        await told.put(given[2].content.text)

    object.__setattr__(out.send, "done", done)
    running = asyncio.create_task(out.dispatcher.run())
    async with asyncio.timeout(20):
        for words, ahead in (("by the right clock", 0), ("by the wrong clock", 600)):
            async with out.transaction() as session:
                content = sms.ShortMessage(to=NUMBER, text=words)
                now = out.clock.now() + timedelta(seconds=ahead)
                await service.call(out.context, session, out.send, content, cause=new_id(), now=now)
            out.dispatcher.wake(sms.PORT.name)
            assert await told.get() == words
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_node_that_is_started_waits_no_longer_than_it_ever_does(out: Outside) -> None:
    told: asyncio.Queue[Any] = asyncio.Queue()

    async def done(*given: Any) -> None:
        await told.put(given[2].content.text)

    object.__setattr__(out.send, "done", done)
    wrong = 600.0
    await out.wait(wrong)
    await out.say("by the wrong clock")
    await out.wait(-wrong)
    assert await out.work() == 0
    out.restart()
    running = asyncio.create_task(out.dispatcher.run())
    async with asyncio.timeout(20):
        assert await told.get() == "by the wrong clock"
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_what_is_behind_waits_and_what_is_not_goes_on(out: Outside) -> None:
    out.faults(sms.PORT, refusal_rate=1)
    refused = await out.say("refused", order="line")
    assert await out.work() == 1
    out.faults(sms.PORT)
    behind = await out.say("behind", order="line")
    beside = await out.say("beside", order="another")
    await out.work()
    states = [await out.state(each) for each in (refused, behind, beside)]
    assert states == ["handed_over", "waiting", "done"]


async def test_a_refusal_that_the_business_settles_is_no_person_s(out: Outside) -> None:
    out.settles = True
    out.faults(sms.PORT, refusal_rate=1)
    called = await out.say()
    await out.work()
    row = await out.row(called)
    assert (row["state"], row["content_cipher"]) == ("refused", None)
    assert row["ended_at"] is not None


async def test_a_node_that_is_told_to_end_gives_its_call_back(out: Outside) -> None:
    waiting = asyncio.Event()

    async def wait() -> None:
        waiting.set()
        await asyncio.Event().wait()

    out.on_pause = wait
    out.faults(sms.PORT, hang_rate=1)
    called = await out.say()
    attempt = asyncio.create_task(out.dispatcher.step(sms.PORT))
    await waiting.wait()
    assert (await out.row(called))["due_at"] > out.clock.now()
    attempt.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attempt
    assert (await out.row(called))["due_at"] == out.clock.now()
    out.faults(sms.PORT)
    out.restart()
    assert await out.work() == 1
    assert await out.state(called) == "done"


@pytest.mark.parametrize("hangs_before", [1, 2], ids=["not done", "done"])
async def test_a_node_that_is_killed_asks_again_with_the_same_key(
    out: Outside, hangs_before: int
) -> None:
    async def kill() -> None:
        raise Killed

    out.on_pause = kill
    out.faults(sms.PORT, hang_rate=1)
    out.simulators["sms"]._hangs = hangs_before - 1
    called = await out.say()
    with pytest.raises(Killed):
        await out.dispatcher.step(sms.PORT)
    out.faults(sms.PORT)
    out.restart()
    out.restart_ports()
    assert await out.work() == 0, "the attempt may still be under way elsewhere"
    out.clock.advance(timedelta(seconds=sms.PORT.timeout) + GRACE)
    assert await out.work() == 1
    assert await out.state(called) == "done"
    assert len(out.simulators["sms"].journal) == 1
    assert outcomes(out) == ["repeated" if hangs_before == 2 else "done"]


async def test_an_answer_that_comes_after_its_attempt_was_thought_lost_still_counts(
    out: Outside,
) -> None:
    going, done = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        going.set()
        await done.wait()

    out.on_pause = wait
    out.simulators["sms"].faults = Faults(latency_ms=1)
    called = await out.say()
    slow = asyncio.create_task(out.dispatcher.step(sms.PORT))
    await going.wait()
    out.clock.advance(timedelta(seconds=sms.PORT.timeout) + GRACE)
    out.faults(sms.PORT, refusal_rate=1)
    first_attempt = (await out.row(called))["attempts"]
    out.faults(sms.PORT, error_rate=1)
    assert await out.dispatcher.step(sms.PORT)  # the second attempt fails
    assert (await out.row(called))["attempts"] == first_attempt + 1
    out.faults(sms.PORT)
    done.set()
    assert await slow
    assert await out.state(called) == "done"


async def test_a_call_of_an_effect_that_this_release_does_not_know_waits(out: Outside) -> None:
    called = await out.say()
    pool = await out.context.database.pool()
    await pool.execute("UPDATE port_call SET effect = 'of.a.newer.release'")
    assert await out.work() == 0
    assert await out.state(called) == "waiting"


async def test_it_sends_by_itself_when_it_is_woken_and_when_a_pause_is_over(out: Outside) -> None:
    told: asyncio.Queue[Any] = asyncio.Queue()

    async def done(*given: Any) -> None:
        await told.put(given[2].content.text)

    object.__setattr__(out.send, "done", done)
    running = asyncio.create_task(out.dispatcher.run())
    async with asyncio.timeout(20):
        await out.say("first")
        out.dispatcher.wake("sms")
        assert await told.get() == "first"
        await out.say("second")
        out.dispatcher.wake("")
        assert await told.get() == "second"
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert [port.name for port in PORTS] == ["network", "sms"]


async def test_two_processes_that_both_believe_to_lead_do_nothing_twice_and_nothing_out_of_order(
    out: Outside,
) -> None:
    out.faults(sms.PORT, lost_answer_rate=0.3, error_rate=0.1)
    for n in range(40):
        await out.say(str(n), order=f"line {n % 4}")
    first = out.dispatcher
    out.restart()

    async def work(dispatcher: Dispatcher) -> None:
        while await dispatcher.step(sms.PORT):
            pass

    for _ in range(400):
        await asyncio.gather(*(work(each) for each in (first, out.dispatcher) for _ in range(4)))
        if not await out.fetch("SELECT FROM port_call WHERE state = 'waiting'"):
            break
        await out.wait(5)
    said = [int(entry.content["text"]) for entry in out.simulators["sms"].journal]
    assert sorted(said) == list(range(40))
    for line in range(4):
        of_line = [n for n in said if n % 4 == line]
        assert of_line == sorted(of_line)
    assert "repeated" in outcomes(out)
