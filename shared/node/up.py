"""Runs the nodes of a topology on this machine, each in a process group of its own, and keeps them running.

Life cycle. :func:`running` makes sure that nobody else runs these nodes, ends those that an earlier run left behind,
checks the ports, makes missing databases, writes each node's settings, and starts the nodes. When all are ready it
lets those join that have not yet, parents first. From then on a node that dies is started again, with a pause that
grows. In the end every node is asked to end, and killed if it does not.

Failure. What a node says goes to ``node.log`` in its directory. A node that cannot start is quoted from there.
"""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import httpx

from shared.commandline import CommandFailed, operator_name
from shared.node import joining
from shared.node.pidfile import held
from shared.node.plan import PlannedNode
from shared.node.preparing import STOP_SECONDS, Say, embedded_server, end_left_behind, make_database
from shared.startup import open_context

READY_SECONDS = 240.0
"""How long the nodes may take to become ready: eight of them migrate their databases on two slow cores."""
PROBE_SECONDS = 5.0
"""How long one look at a node's health may take."""
SHORTEST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Before a node that died is started again; doubling."""
STEADY_SECONDS = 60.0
"""A node that ran this long has recovered: its next death is a first one again."""
QUOTED_LINES = 5


class _Member:
    """A node and the process that runs it at present."""

    def __init__(self, node: PlannedNode) -> None:
        self.node = node
        self.log = node.directory / "node.log"
        self.process: asyncio.subprocess.Process | None = None
        self.started_at = 0.0
        self.health: dict[str, Any] = {}

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.returncode is None

    def signal(self, number: signal.Signals, *, group: bool = False) -> None:
        if self.process is not None and self.is_running:
            with contextlib.suppress(ProcessLookupError):
                (os.killpg if group else os.kill)(self.process.pid, number)

    def last_words(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-QUOTED_LINES:])


class Fleet:
    """The nodes of one topology, running.

    Args:
        nodes: what is to run, parents first.
        say: tells a person what happens, a sentence at a time.
        environment: the variables that the nodes inherit.
    """

    def __init__(
        self, nodes: Sequence[PlannedNode], say: Say, environment: Mapping[str, str]
    ) -> None:
        self.nodes = tuple(nodes)
        self._members = {node.code: _Member(node) for node in nodes}
        self._say = say
        self._environment = environment

    async def start(self) -> None:
        """Start every node and wait until all are ready.

        Raises:
            CommandFailed: if one ends instead, or is not ready in time.
        """
        for member in self._members.values():
            await self._start(member)
        try:
            async with (
                asyncio.timeout(READY_SECONDS),
                httpx.AsyncClient(trust_env=False, timeout=PROBE_SECONDS) as client,
            ):
                await asyncio.gather(
                    *(self._until_ready(member, client) for member in self._members.values())
                )
        except TimeoutError:
            late = [code for code, member in self._members.items() if not member.health]
            logs = ", ".join(str(self._members[code].log) for code in late)
            raise CommandFailed(
                f"Not ready after {READY_SECONDS:.0f} s: {', '.join(late)}. See {logs}."
            ) from None

    async def _start(self, member: _Member) -> None:
        member.started_at = time.monotonic()
        # Opening a file of ours does not wait; Path.open takes no opener.
        with open(member.log, "ab", opener=_private) as log:  # noqa: ASYNC230
            member.process = await asyncio.create_subprocess_exec(
                *(
                    sys.executable,
                    "-P",
                    "-m",
                    "shared.node.command",
                    "node",
                    "run",
                    "--node",
                    member.node.code,
                ),
                env=member.node.environment(self._environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us; we end the nodes in good order
            )

    async def _until_ready(self, member: _Member, client: httpx.AsyncClient) -> None:
        pause = 0.1
        while not await self._is_ready(member, client):
            if not member.is_running:
                raise CommandFailed(
                    f"Node {member.node.name} did not start. {member.log} ends:\n{member.last_words()}"
                )
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 1.0)
        took = time.monotonic() - member.started_at
        self._say(f"{member.node.name} is ready at {member.node.url} after {took:.1f} s.")

    @staticmethod
    async def _is_ready(member: _Member, client: httpx.AsyncClient) -> bool:
        try:
            answer = await client.get(f"{member.node.url}/health/ready")
            body = answer.json()
        except (httpx.HTTPError, ValueError):
            return False
        if answer.status_code != httpx.codes.OK or body.get("node") != member.node.code:
            return False
        member.health = body
        return True

    async def enrol(self) -> None:
        """Let every node join its parent that has not yet, parents first.

        Raises:
            LinkDown: if a parent cannot be reached or refuses.
        """
        loose = [
            node
            for node in self.nodes
            if self._health(node).get("parent", {}).get("status") == "not enrolled"
        ]
        for parent_code, children in groupby(loose, key=lambda node: node.parent):
            parent = self._members.get(parent_code or "")
            if parent is None:
                for child in children:
                    self._say(
                        f"{child.name} has not joined its parent {parent_code}, which does not run here: ask its operator for a "
                        f"one-time code, then `guanxi node enrol --node {child.code} --parent-url {child.values['parent_url']} --code CODE`."
                    )
                continue
            async with open_context(parent.node.settings()) as above:
                for child in children:
                    async with open_context(child.settings()) as below:
                        url = str(child.values["parent_url"])
                        withdrawn = await joining.join_both(above, below, url, by=operator_name())
                    self._say(
                        f"{child.name} is {withdrawn}, and not let in again: an operator of {parent_code} decides that."
                        if withdrawn
                        else f"{child.name} has joined {parent.node.name}."
                    )

    def _health(self, node: PlannedNode) -> dict[str, Any]:
        checks: dict[str, Any] = self._members[node.code].health.get("checks", {})
        return checks

    async def keep(self) -> None:
        """Start every node again that dies, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for member in self._members.values():
                tasks.create_task(self._keep(member))

    async def _keep(self, member: _Member) -> None:
        pause = SHORTEST_PAUSE
        while True:
            if member.process is not None:
                code = await member.process.wait()
                ran = time.monotonic() - member.started_at
                pause = SHORTEST_PAUSE if ran > STEADY_SECONDS else pause
                how = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
                self._say(
                    f"Node {member.node.name} ended unexpectedly ({how}) after {ran:.0f} s; it is started again "
                    f"in {pause:.0f} s. Its log is {member.log}."
                )
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
            try:
                await self._start(member)
                async with httpx.AsyncClient(trust_env=False, timeout=PROBE_SECONDS) as client:
                    await self._until_ready(member, client)
            except (CommandFailed, OSError) as error:
                self._say(str(error))

    async def stop(self) -> None:
        """Ask every node to end, wait, and kill what has not ended in time."""
        members = [member for member in self._members.values() if member.is_running]
        if not members:
            return
        self._say(f"Stopping {len(members)} nodes.")
        for member in members:
            member.signal(signal.SIGTERM)
        waits = [
            asyncio.ensure_future(member.process.wait()) for member in members if member.process
        ]
        _, late = await asyncio.wait(waits, timeout=STOP_SECONDS)
        for member in members:
            if member.is_running:
                self._say(
                    f"Node {member.node.name} has not ended after {STOP_SECONDS:.0f} s: it is killed."
                )
            member.signal(signal.SIGKILL, group=True)
        await asyncio.gather(*late)


@contextlib.asynccontextmanager
async def running(
    nodes: Sequence[PlannedNode],
    *,
    source: str,
    say: Say,
    environment: Mapping[str, str] | None = None,
) -> AsyncIterator[Fleet]:
    """Run ``nodes`` for as long as the context is open: started, joined, kept running, and ended.

    Args:
        nodes: as :func:`shared.node.plan.plan` gives them.
        source: what they were planned from, for the heading of their settings files.
        say: tells a person what happens.
        environment: the variables that the nodes inherit; without it, this process's.

    Raises:
        AlreadyRunning: if another process runs the nodes of this home.
        CommandFailed: if a node cannot be started; the message says which and why.
    """
    home = nodes[0].home
    fleet = Fleet(nodes, say, os.environ if environment is None else environment)
    home.mkdir(parents=True, exist_ok=True)
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(
            held(home / "up.pid", f"Another `guanxi up` or `guanxi demo` with home {home}")
        )
        await asyncio.gather(*(end_left_behind(node, say) for node in nodes))
        for node in nodes:
            node.settings()
            node.write_settings(source)
        if any(not node.values.get("database_url") for node in nodes):
            await stack.enter_async_context(embedded_server(home))
        for node in nodes:
            await make_database(node)
        stack.push_async_callback(fleet.stop)
        await fleet.start()
        keeping = asyncio.create_task(fleet.keep())
        stack.push_async_callback(_cancelled, keeping)
        await fleet.enrol()
        yield fleet


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _private(file: str, flags: int) -> int:
    return os.open(file, flags, 0o600)


def cancel_when_told_to_end() -> None:
    """Cancel the current task, once, when the process is told to end: by Ctrl-C, SIGTERM, or a closed terminal."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def end() -> None:
        for number in numbers:
            loop.add_signal_handler(
                number, lambda: None
            )  # it is ending; the nodes' time to end is bounded
        if task is not None:
            task.cancel()

    for number in numbers:
        loop.add_signal_handler(number, end)
