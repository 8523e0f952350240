"""A node's context with a real database, the real simulators of its ports, and time that a test passes."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import httpx
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.simulator.app import Simulator
from services.simulator.faults import Dice, Faults
from services.simulator.journal import Journal
from shared.capability import NodeContext
from shared.federation.high_water import HighWaterMark
from shared.kernel.clock import HandClock
from shared.kernel.database import Database
from shared.kernel.encryption import Cipher
from shared.kernel.ids import new_id
from shared.kernel.settings import load_settings
from shared.port import Call, Effect, Refusal, service
from shared.port.contracts import network, sms
from shared.port.declaration import Form, Port
from shared.port.dispatching import Dispatcher
from tests.reachable import Reachable

NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
PORTS = (network.PORT, sms.PORT)
NUMBER = "13800005678"


class Killed(BaseException):
    """The process is gone: nothing more of it runs."""


class Broken(Exception):
    """A mistake in what follows a call."""


@dataclass
class Outside:
    """The context, its dispatcher and what is at the other end.

    Attributes:
        context: the node's.
        clock: its clock, and the simulators'.
        files: where the simulators keep their journals.
        network: what carries HTTP to them; what is cut is away.
        on_pause: what happens when a simulator waits: a hang, say.
    """

    context: NodeContext
    clock: HandClock
    files: Path
    network: Reachable
    simulators: dict[str, Simulator] = field(default_factory=dict)
    on_pause: Callable[[], Awaitable[None]] | None = None
    breaks: bool = False
    """What follows a call fails at present."""
    settles: bool = False
    """A refusal settles a call at present."""
    journals: list[Journal] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.send = Effect("test.send", sms.SEND, self._done, self._refused)
        self.suspend = Effect("test.suspend", network.SUSPEND, self._done, self._refused)
        self.switch = Effect("test.switch", network.SWITCH_SIM, self._done, self._refused)
        self.restart_ports()
        self.restart()

    def restart(self) -> None:
        """Begin as a process that was just started."""
        offers = (self.send, self.suspend, self.switch, "something else")
        self.dispatcher = Dispatcher(
            self.context, offers, transport=self.network, chance=lambda: 1.0
        )

    def restart_ports(self) -> None:
        """Kill the simulators and start them again: they keep what they have done, and no fault."""
        self.close()
        for port in PORTS:
            journal = Journal(self.files / f"{port.name}.jsonl")
            self.journals.append(journal)
            simulator = Simulator(
                port, journal, clock=self.clock, pause=self._pause, dice=Dice(seed=1)
            )
            self.simulators[port.name] = simulator
            self.network.apps[port.name] = simulator.app

    def close(self) -> None:
        for journal in self.journals:
            journal.close()
        self.journals.clear()

    async def _pause(self, _: float) -> None:
        if self.on_pause is None:
            raise httpx.ReadTimeout("no answer in time")
        await self.on_pause()

    def faults(self, port: Port, **given: Any) -> None:
        """Switch a simulator's faults on, and all others off."""
        self.simulators[port.name].faults = Faults(**given)

    def transaction(self) -> contextlib.AbstractAsyncContextManager[AsyncSession]:
        return self.context.database.transaction()

    async def call(
        self, effect: Effect[Any, Any], content: Form, *, cause: UUID, order: str | None = None
    ) -> UUID | None:
        """Make a call in a transaction of its own."""
        async with self.transaction() as session:
            return await service.call(
                self.context,
                session,
                effect,
                content,
                cause=cause,
                now=self.clock.now(),
                order=order,
            )

    async def say(self, words: str = "hello", *, order: str | None = None) -> UUID:
        """Have a short message sent."""
        content = sms.ShortMessage(to=NUMBER, text=words)
        called = await self.call(self.send, content, cause=new_id(), order=order)
        assert called is not None
        return called

    async def work(self, port: Port = sms.PORT) -> int:
        """Make attempts until nothing is due; returns how many there were."""
        attempts = 0
        while await self.dispatcher.step(port):
            attempts += 1
        return attempts

    async def wait(self, seconds: float) -> None:
        self.clock.advance(timedelta(seconds=seconds))

    async def finish(self) -> None:
        """Let all faults be over and time pass until nothing waits."""
        self.network.cut.clear()
        self.breaks = False
        for port in PORTS:
            self.faults(port)
        for _ in range(200):
            for port in PORTS:
                await self.work(port)
            if not await self.fetch("SELECT id FROM port_call WHERE state = 'waiting'"):
                return
            self.clock.advance(timedelta(minutes=5))
            # A call behind one that was handed over waits for a person.
            behind = """SELECT id FROM port_call c WHERE state = 'waiting' AND NOT EXISTS (
                SELECT FROM port_call b WHERE b.state = 'handed_over' AND b.port = c.port
                AND b.ordering_key = c.ordering_key AND b.number < c.number)"""
            if not await self.fetch(behind):
                return
        raise AssertionError("calls still wait")

    async def fetch(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        pool = await self.context.database.pool()
        return [dict(row) for row in await pool.fetch(sql, *values)]

    async def row(self, call_id: UUID) -> dict[str, Any]:
        (found,) = await self.fetch("SELECT * FROM port_call WHERE id = $1", call_id)
        return found

    async def state(self, call_id: UUID) -> str:
        return str((await self.row(call_id))["state"])

    async def empty(self) -> None:
        """Forget everything."""
        pool = await self.context.database.pool()
        for table in ("port_call", "port_trouble", "port_heard"):
            await pool.execute(f"DELETE FROM {table}")  # noqa: S608 - a fixed list
        self.close()
        for file in self.files.glob("*.jsonl"):
            file.unlink()
        self.network.cut.clear()
        self.on_pause, self.breaks, self.settles = None, False, False
        self.clock.advance(NOON - self.clock.now())
        self.restart_ports()
        self.restart()

    async def _done(
        self, _: NodeContext, session: AsyncSession, call: Call[Any], answer: Any
    ) -> None:
        assert isinstance(call.content, Form)
        assert isinstance(answer, Form)
        await session.execute(
            text("INSERT INTO port_heard (call, what) VALUES (:call, 'done')"), {"call": call.id}
        )
        if self.breaks:
            raise Broken

    async def _refused(
        self, _: NodeContext, session: AsyncSession, call: Call[Any], refusal: Refusal
    ) -> bool:
        assert refusal.type.startswith("urn:guanxi:simulator:")
        await session.execute(
            text("INSERT INTO port_heard (call, what) VALUES (:call, 'refused')"),
            {"call": call.id},
        )
        if self.breaks:
            raise Broken
        return self.settles


@contextlib.asynccontextmanager
async def outside(url: str, home: Path) -> AsyncIterator[Outside]:
    """Open a context on the database at ``url``."""
    settings = load_settings(
        code="440300",
        home=home,
        database_url=url,
        port_network_url="http://network",
        port_sms_url="http://sms",
    )
    database = Database(url, 5)
    clock = HandClock(NOON)
    context = NodeContext(
        settings,
        clock,
        database,
        cipher=Cipher(b"e" * 32, b"i" * 32),
        post=cast("Any", None),
        high_water=HighWaterMark(settings.directory, database),
    )
    pool = await database.pool()
    await pool.execute("CREATE TABLE IF NOT EXISTS port_heard (call uuid, what text)")
    made = Outside(context, clock, home, Reachable())
    try:
        yield made
    finally:
        made.close()
        await database.close()
