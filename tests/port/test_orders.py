"""Calls of ports in any order of faults, hangs, lost answers, kills and restarts: each takes effect once, in order."""

import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, event, given, note, settings
from hypothesis import strategies as st

from shared import audit
from shared.kernel.embedded_postgres import EmbeddedPostgres
from shared.kernel.ids import new_id
from shared.port import Effect, service
from shared.port.contracts import network, sms
from shared.port.declaration import Form
from shared.port.dispatching import Dispatcher
from shared.port.mending import Mending
from shared.port.models import CallState
from tests.conftest import _copy_database
from tests.examples import examples
from tests.port.outside import PORTS, Killed, Outside, outside

ORDERS = (None, "one", "other")
FAULTS: tuple[dict[str, Any], ...] = (
    {},
    {"down": True},
    {"down": True, "retry_after": 30},
    {"busy_rate": 0.5, "retry_after": 20},
    {"error_rate": 0.5},
    {"lost_answer_rate": 0.6},
    {"hang_rate": 0.6},
    {"refusal_rate": 1},
    {"refusal_rate": 0.5},
    {"error_rate": 0.2, "lost_answer_rate": 0.3, "hang_rate": 0.3, "refusal_rate": 0.2},
)


class RolledBack(Exception):
    """The transaction of the change came to nothing."""


@dataclass
class Run:
    """One course of events."""

    out: Outside
    called: list[UUID] = field(default_factory=list)
    causes: list[UUID] = field(default_factory=list)

    async def do(self, action: str, value: Any) -> None:
        """Let one thing happen."""
        await getattr(self, f"_{action.replace(' ', '_')}")(value)

    async def _call(self, value: tuple[str, str | None]) -> None:
        await self._commit(new_id(), *value)

    async def _repeat(self, value: int) -> None:
        if self.causes:
            await self._commit(self.causes[value % len(self.causes)], "sms", None)

    async def _roll_back(self, value: tuple[str, str | None]) -> None:
        with contextlib.suppress(RolledBack):
            async with self.out.transaction() as session:
                await self._made(session, new_id(), *value)
                raise RolledBack

    async def _step(self, value: int) -> None:
        await self.out.dispatcher.step(PORTS[value])

    async def _restart(self, _: None) -> None:
        self.out.restart()

    async def _restart_ports(self, _: None) -> None:
        self.out.restart_ports()

    async def _faults(self, value: tuple[int, dict[str, Any]]) -> None:
        self.out.faults(PORTS[value[0]], **value[1])

    async def _cut(self, value: int) -> None:
        self.out.network.cut ^= {PORTS[value].name}

    async def _break(self, _: None) -> None:
        self.out.breaks = not self.out.breaks

    async def _settle(self, _: None) -> None:
        self.out.settles = not self.out.settles

    async def _wait(self, value: float) -> None:
        await self.out.wait(value)

    async def _commit(self, cause: UUID, port: str, order: str | None) -> None:
        async with self.out.transaction() as session:
            called = await self._made(session, cause, port, order)
        if called not in self.called:
            self.called.append(called)
            self.causes += [cause] if port == "sms" else []

    async def _made(self, session: Any, cause: UUID, port: str, order: str | None) -> UUID:
        number = f"138{cause.int % 10**8:08d}"
        made: tuple[Effect[Any, Any], Form] = (
            (self.out.send, sms.ShortMessage(to=number, text="hello"))
            if port == "sms"
            else (self.out.suspend, network.Suspension(msisdn=number))
        )
        called = await service.call(
            self.out.context,
            session,
            *made,
            cause=cause,
            now=self.out.clock.now(),
            order=order,
        )
        assert called is not None
        return called

    async def _kill_in_the_attempt(self, value: int) -> None:
        port = PORTS[value]

        async def kill() -> None:
            raise Killed

        out = self.out
        faults = out.simulators[port.name].faults
        out.on_pause = kill
        out.faults(port, hang_rate=1)
        try:
            await out.dispatcher.step(port)
        except Killed:
            event("killed in the attempt")
            out.restart()
        out.on_pause = None
        out.simulators[port.name].faults = faults

    async def _kill_before_settling(self, value: int) -> None:
        port = PORTS[value]

        async def kill(*_: Any) -> None:
            raise Killed

        self.out.dispatcher._settle = kill  # type: ignore[method-assign, assignment]
        try:
            await self.out.dispatcher.step(port)
        except Killed:
            event("killed before settling")
        self.out.restart()

    async def _person(self, what: str) -> None:
        waiting = await self.out.fetch("SELECT id FROM port_call WHERE state = 'handed_over'")
        if not waiting:
            return
        async with self.out.transaction() as session:
            now = self.out.clock.now()
            one, other = (Mending(session, audit.Actor.command(by), now) for by in ("一", "二"))
            if what == "retry":
                await one.retry(waiting[0]["id"])
            else:
                await one.propose_discard(waiting[0]["id"], "settled otherwise")
                await other.approve_discard(waiting[0]["id"])
                event("given up by two")

    async def check(self) -> None:
        """Check what must hold at every moment."""
        rows = await self.out.fetch("SELECT * FROM port_call ORDER BY number")
        assert {row["id"] for row in rows} == set(self.called)
        effects = self.effects()
        assert set(effects) <= set(self.called), "an effect of a change that was rolled back"
        assert all(times == 1 for times in effects.values()), effects
        heard = await self.out.fetch(
            "SELECT call, what, count(*) AS times FROM port_heard GROUP BY 1, 2"
        )
        done = {row["id"] for row in rows if row["state"] == CallState.DONE}
        assert {h["call"] for h in heard if h["what"] == "done"} == done
        assert all(h["times"] == 1 for h in heard if h["what"] == "done"), heard
        for row in rows:
            if row["state"] == CallState.HANDED_OVER:
                event("handed over")
            match row["state"]:
                case CallState.DONE:
                    assert effects[row["id"]] == 1
                    assert row["content_cipher"] is None
                case CallState.HANDED_OVER | CallState.REFUSED | CallState.DISCARDED:
                    assert row["id"] not in effects
        self._check_order(rows)

    def effects(self) -> dict[UUID, int]:
        """Count the effects at the simulators, by call."""
        effects: dict[UUID, int] = defaultdict(int)
        for simulator in self.out.simulators.values():
            for entry in simulator.journal:
                effects[UUID(entry.key)] += 1
        return effects

    def _check_order(self, rows: list[dict[str, Any]]) -> None:
        numbers = {row["id"]: (row["ordering_key"], row["number"]) for row in rows}
        for simulator in self.out.simulators.values():
            last: dict[str, int] = {}
            for entry in simulator.journal:
                order, number = numbers[UUID(entry.key)]
                if order is not None:
                    assert last.get(order, 0) < number, "out of order"
                    last[order] = number

    async def finish(self) -> None:
        """Let all be well in the end: nothing is lost, and nothing is done twice."""
        for _ in range(len(self.called) + 1):
            await self.out.finish()
            if not await self.out.fetch("SELECT id FROM port_call WHERE state = 'handed_over'"):
                break
            await self._person("retry")
        await self.check()
        rows = await self.out.fetch("SELECT state FROM port_call")
        assert {row["state"] for row in rows} <= {"done", "refused", "discarded"}
        for row in rows:
            event(f"ends {row['state']}")


ACTIONS = st.one_of(
    st.tuples(
        st.sampled_from(["call", "call", "roll back"]),
        st.tuples(st.sampled_from(["sms", "network"]), st.sampled_from(ORDERS)),
    ),
    st.tuples(st.just("repeat"), st.integers(0, 5)),
    st.tuples(st.just("step"), st.integers(0, 1)),
    st.tuples(st.just("step"), st.integers(0, 1)),
    st.tuples(st.just("faults"), st.tuples(st.integers(0, 1), st.just({"refusal_rate": 1}))),
    st.tuples(
        st.sampled_from(["kill in the attempt", "kill before settling", "cut"]), st.integers(0, 1)
    ),
    st.tuples(st.sampled_from(["restart", "restart ports", "break", "settle"]), st.none()),
    st.tuples(st.just("faults"), st.tuples(st.integers(0, 1), st.sampled_from(FAULTS))),
    st.tuples(st.just("wait"), st.sampled_from([0.5, 3, 16, 400])),
    st.tuples(st.just("person"), st.sampled_from(["retry", "discard"])),
)


@pytest.fixture(scope="module")
async def place(
    postgres: EmbeddedPostgres, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Outside]:
    name = "port_orders"
    await _copy_database(postgres, template, name)
    async with outside(postgres.database_url(name), tmp_path_factory.mktemp("ports")) as made:
        yield made


@given(actions=st.lists(ACTIONS, min_size=20, max_size=60))
@settings(max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.too_slow])
async def test_each_call_has_its_effect_once_and_in_order(
    place: Outside, actions: list[tuple[str, Any]]
) -> None:
    await place.empty()
    run = Run(place)
    for action, value in actions:
        note(f"{action} {value}")
        await run.do(action, value)
        await run.check()
    await run.finish()


async def _forgets_keys(run: Run) -> None:
    run.out.faults(sms.PORT, lost_answer_rate=1)
    await run.do("step", 1)
    run.out.faults(sms.PORT, forgets_keys=True)
    await run.do("wait", 10)
    await run.do("step", 1)


async def _takes_any(run: Run) -> None:
    await run.do("call", ("sms", "one"))
    pool = await run.out.context.database.pool()
    await pool.execute("UPDATE port_call SET ordering_key = NULL")
    await pool.execute(
        "UPDATE port_call SET due_at = due_at + interval '1 second' WHERE id = $1", run.called[0]
    )
    await run.do("step", 1)
    await run.do("wait", 5)
    await run.do("step", 1)
    await pool.execute("UPDATE port_call SET ordering_key = 'one'")


async def _loses_one(run: Run) -> None:
    await (await run.out.context.database.pool()).execute("DELETE FROM port_call")


@pytest.mark.parametrize("harm", [_forgets_keys, _takes_any, _loses_one])
async def test_the_checks_notice_harm(
    place: Outside, harm: Callable[[Run], Awaitable[None]]
) -> None:
    await place.empty()
    run = Run(place)
    await run.do("call", ("sms", "one"))
    await run.check()
    await harm(run)
    with pytest.raises(AssertionError):
        await run.check()


def test_every_effect_of_a_dispatcher_is_known_by_its_name(place: Outside) -> None:
    assert isinstance(place.dispatcher, Dispatcher)
    assert [port.name for port in place.dispatcher.ports] == ["sms", "network"]
