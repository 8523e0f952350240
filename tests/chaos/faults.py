"""Breaking things as the schedule says, and healing them."""

import asyncio
import contextlib
import shutil
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence

from services.simulator.faults import Faults
from shared.kernel.clock import SystemClock
from shared.kernel.embedded_postgres import EmbeddedPostgresError
from tests.chaos.nation import Nation, until
from tests.chaos.proxy import Weather
from tests.chaos.reading import has_met_parent, has_told_all
from tests.chaos.schedule import CITIES, Fault, Kind
from tests.chaos.traffic import Traffic

WRONG_BY = 600.0
"""Seconds."""
ROOM_LEFT = 96 * 1024
"""Bytes of write-ahead log that a server can still write, at most, before its disk is full."""
LOOK_SECONDS = 0.1
BACKUP_PATIENCE = 30.0
CALM_PATIENCE = 90.0
"""Seconds that a node which is to be restored may take to tell what it was told."""

WAYS = (
    Faults(down=True, retry_after=1),
    Faults(latency_ms=2000),
    Faults(busy_rate=0.5, retry_after=1),
    Faults(error_rate=0.5),
    Faults(lost_answer_rate=0.5),
    Faults(hang_rate=0.3),
)
"""In which a port fails."""

Say = Callable[[str], None]


class FaultImpossible(Exception):
    """This machine does not allow something to be broken."""


class Breaker:
    """Does to a nation what a schedule says.

    Attributes:
        done: how often which kind of fault was done.
    """

    def __init__(self, nation: Nation, traffic: Traffic, say: Say) -> None:
        self._nation = nation
        self._traffic = traffic
        self._say = say
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._weathers: dict[Kind, Callable[[Fault], Weather]] = {
            Kind.LINK_REFUSED: lambda _: Weather.REFUSED,
            Kind.LINK_CUT: lambda _: Weather.CUT,
            Kind.LINK_DELAYED: lambda _: Weather.DELAYED,
            Kind.LINK_ONE_WAY: lambda fault: (
                Weather.ANSWERS_VANISH if fault.is_upward else Weather.REQUESTS_VANISH
            ),
            Kind.ACKS_LOST: lambda _: Weather.ACKS_LOST,
            Kind.LATE_DUPLICATES: lambda _: Weather.RECORDED,
            Kind.REORDERED: lambda _: Weather.REORDERED,
        }
        self._acts: dict[Kind, Callable[[Fault], Awaitable[None]]] = {
            Kind.NODE_KILLED: self._kill_node,
            Kind.POSTGRES_KILLED: self._kill_postgres,
            Kind.DISK_FULL: self._fill_disk,
            Kind.CLOCK_OFF: self._set_clock,
            Kind.RESTORED: self._restore,
            Kind.PORT_FAILING: self._fail_port,
            Kind.PORTS_KILLED: self._kill_ports,
        }
        self.done: Counter[Kind] = Counter()
        self._backups: set[str] = set()
        """Names of those that are whole."""

    async def carry_out(self, faults: Sequence[Fault]) -> None:
        """Do every fault at its time; all have healed at the end."""
        async with asyncio.TaskGroup() as tasks:
            for fault in faults:
                tasks.create_task(self._do(fault))
                if fault.kind is Kind.RESTORED:
                    tasks.create_task(self._back_up(fault))

    async def _do(self, fault: Fault) -> None:
        await asyncio.sleep(fault.at)
        async with contextlib.AsyncExitStack() as held:
            for need in sorted(fault.needs):
                await held.enter_async_context(self._locks[need])
            self._say(f"{fault.kind} {fault.target} for {fault.lasts:.1f} s")
            if fault.kind.is_of_link:
                await self._spoil_link(fault)
            else:
                await self._acts[fault.kind](fault)

    async def _spoil_link(self, fault: Fault) -> None:
        link = self._nation.link(fault.target)
        await link.change(self._weathers[fault.kind](fault))
        self.done[fault.kind] += 1
        await asyncio.sleep(fault.lasts)
        await link.change(Weather.CLEAR)

    async def _kill_node(self, fault: Fault) -> None:
        member = self._nation[fault.target]
        await member.kill()
        self.done[fault.kind] += 1
        await asyncio.sleep(fault.lasts)
        await member.start()

    async def _kill_postgres(self, fault: Fault) -> None:
        await asyncio.to_thread(self._nation[fault.target].postgres.kill)
        self.done[fault.kind] += 1

    async def _fill_disk(self, fault: Fault) -> None:
        """Let there be little room for the log, also of the servers that the node starts meanwhile."""
        server = self._nation[fault.target].postgres
        limit = await server.log_offset() + int(ROOM_LEFT * fault.chance)
        limited = 0
        heals = asyncio.get_running_loop().time() + fault.lasts
        while asyncio.get_running_loop().time() < heals:
            limited += await asyncio.to_thread(server.limit_files, limit)
            await asyncio.sleep(LOOK_SECONDS)
        for _ in range(2):  # once more for those that were made while the first went on
            await asyncio.to_thread(server.limit_files, None)
        if limited:  # otherwise it was down all the while, from another fault
            self.done[fault.kind] += 1
        elif shutil.which("prlimit") is None:
            raise FaultImpossible("No process can be limited: there is no `prlimit` (util-linux).")

    async def _set_clock(self, fault: Fault) -> None:
        member = self._nation[fault.target]
        member.set_clock(WRONG_BY if fault.is_upward else -WRONG_BY)
        self.done[fault.kind] += 1
        await asyncio.sleep(fault.lasts)
        member.set_clock(0.0)

    async def _fail_port(self, fault: Fault) -> None:
        await self._nation.outside.switch(fault.target, WAYS[int(fault.chance * len(WAYS))])
        self.done[fault.kind] += 1
        await asyncio.sleep(fault.lasts)
        await self._nation.outside.switch(fault.target, Faults())

    async def _kill_ports(self, fault: Fault) -> None:
        await self._nation.outside.kill()
        self.done[fault.kind] += 1
        await asyncio.sleep(fault.lasts)
        await self._nation.outside.start()

    async def _back_up(self, fault: Fault) -> None:
        """Take the backup for a restore, unless the node's database is not to be had for too long."""
        await asyncio.sleep(fault.backup_at)
        server = self._nation[fault.target].postgres
        with contextlib.suppress(TimeoutError):
            async with self._locks[f"node {fault.target}"], asyncio.timeout(BACKUP_PATIENCE):
                while _name(fault) not in self._backups:
                    try:
                        await asyncio.to_thread(server.back_up, _name(fault))
                    except EmbeddedPostgresError:  # it is recovering from another fault
                        await asyncio.sleep(LOOK_SECONDS)
                    else:
                        self._backups.add(_name(fault))

    async def _restore(self, fault: Fault) -> None:
        """Put a node back to an old backup.

        A city lets nobody in before, until others have what it told its clients was accepted; and it does not count its
        figures again before it has learnt from its parent what it had told of them.
        """
        if _name(fault) not in self._backups:
            self._say(f"{fault.kind} {fault.target} is left out: it could not be backed up in time")
            return
        if fault.target not in CITIES:
            await self._put_back(fault)
            return
        member = self._nation[fault.target]
        async with self._traffic.figures_gates[fault.target].closed():
            async with self._traffic.gates[fault.target].closed():
                await member.until_ready()  # its database answers
                try:
                    async with asyncio.timeout(CALM_PATIENCE):
                        await until(lambda: has_told_all(member))
                except TimeoutError:
                    self._say(f"{fault.kind} {fault.target} is left out: it still has to tell")
                    return
                await self._put_back(fault)
            began = SystemClock().now()
            await member.until_ready()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CALM_PATIENCE):
                    await until(lambda: has_met_parent(member, began))

    async def _put_back(self, fault: Fault) -> None:
        member = self._nation[fault.target]
        await member.until_ready()  # so that it stops what it has started
        await member.stop()
        await asyncio.to_thread(member.postgres.restore, _name(fault))
        self.done[fault.kind] += 1
        await asyncio.sleep(fault.lasts)
        await member.start()


def _name(fault: Fault) -> str:
    return f"at-{fault.at:.3f}"
