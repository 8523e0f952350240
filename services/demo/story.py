"""What happens in the demo, in order, and how it is told."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from services.demo import figures, rules
from services.demo.memory import Memory
from services.demo.nodes import (
    ACCOUNTS,
    MAPPING,
    TOPOLOGY,
    make_accounts,
    run_command,
    simulator_url,
)
from services.demo.outside import Called, Outside, counted, simulated, told
from services.demo.people import ITEM, Person, number_segments, write_file
from services.demo.replacements import Counter, Request, await_line, load_cards, sign_in
from services.demo.telling import local, table_of
from shared.commandline import CommandFailed
from shared.kernel.settings import HQ_CODE
from shared.kernel.tier import Tier
from shared.node.plan import PlannedNode, listed
from shared.node.up import running

AT_COUNTER, FROM_CITY = "440300", "110100"
"""A customer of Beijing stands at a counter in Shenzhen."""
_REPORTED = ("rows", "created", "changed", "unchanged", "rejected")
"""What an import says of its rows."""


@dataclass
class Story:
    """One run of the demo.

    Attributes:
        home: the demo's home directory.
        memory: what earlier runs left to remember.
        nodes: what runs.
        people: the customers.
        console: where it is told.
        seconds: how long each part took.
    """

    home: Path
    memory: Memory
    nodes: Sequence[PlannedNode]
    people: Sequence[Person]
    console: Console
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def _cities(self) -> list[PlannedNode]:
        return [node for node in self.nodes if node.tier is Tier.CITY]

    def _node(self, code: str) -> PlannedNode:
        return next(node for node in self.nodes if node.code == code)

    def _say(self, sentence: str) -> None:
        self.console.print(sentence, style="dim", highlight=False, markup=False, soft_wrap=True)

    async def tell(self, *, once: bool) -> dict[str, Any]:
        """Do everything; with ``once`` return what came of it, without it stay up until cancelled."""
        started = time.perf_counter()
        self.console.rule(
            f"{len(self.nodes)} nodes of three tiers, with their data under {self.home}"
        )
        async with (
            simulated(self.home, simulator_url(self.memory.ports), os.environ) as outside,
            running(self.nodes, source=TOPOLOGY.name, say=self._say),
        ):
            for node in self.nodes:
                await make_accounts(node, self.memory.passwords[node.code])
            self.seconds["setup"] = time.perf_counter() - started
            with self._part(
                "import",
                f"{len(self.people):,} customers of the public table {ITEM}, into {len(self._cities)} cities",
            ):
                await self._import()
            async with self._client(HQ_CODE, "analyst") as hq:
                with self._part(
                    "rollup",
                    f"The figures of {self.memory.period}, from the cities through the provinces to HQ",
                ):
                    await self._roll_up(hq)
                    national = await figures.national(hq, self.memory.period)
            figures.compare(national.counts(), figures.counted(self.people))
            self._show_national(national)
            with self._part(
                "rules",
                "HQ publishes a policy of levels; the cities judge their customers by it",
            ):
                judged = await self._judge()
            self._show_judged(judged)
            with self._part(
                "request",
                f"A customer of Beijing ({FROM_CITY}) needs a new SIM card in Shenzhen ({AT_COUNTER})",
            ):
                requests = await self._replace_cards(outside)
            for request in requests:
                self._show_request(request)
            with self._part("outside", "What systems outside were asked for it, and how often"):
                called = await self._await_outside(outside, requests[0])
            self._show_outside(called)
            self._show_doors()
            if not once:
                self.console.print("Everything runs. Ctrl-C stops it.", style="bold")
                await asyncio.Event().wait()
        return {
            **national.counts(),
            "levels": judged.levels,
            "requests": [
                {
                    name: request[name]
                    for name in ("id", "kind", "state", "home", "visited", "trail")
                }
                for request in requests
            ],
            "outside": called,
            "nodes": listed(self.nodes),
            "seconds": {part: round(took, 3) for part, took in self.seconds.items()},
        }

    @contextmanager
    def _part(self, name: str, heading: str) -> Iterator[None]:
        self.console.rule(heading)
        began = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - began

    def _progress(self) -> Progress:
        return Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self.console,
        )

    def _client(self, code: str, username: str) -> "_SignedIn":
        return _SignedIn(self._node(code).url, username, self.memory.passwords[code])

    async def _publish_segments(self) -> None:
        """Tell the nation whose numbers begin how."""
        segments = number_segments([node.code for node in self._cities])
        file = self.home / "import" / "number-segments.csv"
        file.parent.mkdir(parents=True, exist_ok=True)
        rows = "".join(f"{prefix},{city}\n" for prefix, city in segments.items())
        file.write_text(f"prefix,home\n{rows}", encoding="utf-8")
        await run_command(
            self._node(HQ_CODE), "number-segment", "import", str(file), "--note", "Demo"
        )

    async def _import(self) -> None:
        await self._publish_segments()
        with self._progress() as bar:
            task = bar.add_task("Importing", total=len(self.people))

            async def load(node: PlannedNode) -> dict[str, Any]:
                people = [person for person in self.people if person.city == node.code]
                file = self.home / "import" / f"{node.code}.csv"
                write_file(people, file)
                given = [f"--set={name}={value}" for name, value in self.memory.parameters.items()]
                report: dict[str, Any] = await run_command(
                    node, "customer", "import", str(file), "--mapping", str(MAPPING), *given
                )
                bar.advance(task, len(people))
                return report

            reports = await _some_at_a_time([partial(load, node) for node in self._cities])
        table = table_of("city", *_REPORTED)
        for node, report in zip(self._cities, reports, strict=True):
            table.add_row(node.name, *(f"{report[name]:,}" for name in _REPORTED))
            if report["rejected"]:
                raise CommandFailed(
                    f"{report['rejected']} rows of {node.name} were rejected: {report}"
                )
        self.console.print(table)

    async def _roll_up(self, hq: httpx.AsyncClient) -> None:
        counted = await _some_at_a_time(
            [
                partial(run_command, node, "rollup", "run", "--period", self.memory.period)
                for node in self._cities
            ]
        )
        expected = {
            (node.code, each["dataset"]): each["revision"]
            for node, slices in zip(self._cities, counted, strict=True)
            for each in slices
            if each["dataset"] in figures.SHOWN
        }
        with self._progress() as bar:
            task = bar.add_task("Slices at HQ", total=len(expected))
            await figures.await_slices(
                hq,
                self.memory.period,
                expected,
                lambda arrived: bar.update(task, completed=arrived),
            )

    def _show_national(self, national: figures.National) -> None:
        table = table_of(
            "region", "in network", "retained", "yuan/month", "yuan each", "key", "churn"
        )
        for row in national.rows:
            values = row["values"]
            table.add_row(
                f"{row['region']['code']} {row['region']['name']}",
                f"{values['customers']:,.0f}",
                f"{values['retained_customers']:,.0f}",
                f"{values['monthly_charge_fen'] / 100:,.2f}",
                f"{values['arpu_fen'] / 100:,.2f}",
                f"{values['key_customer_share']:.1f}%",
                f"{values['churn_rate']:.1f}%",
            )
        self.console.print(table)
        levels = table_of("level", "in network", "yuan/month", "yuan each")
        for row in national.by_level:
            values = row["values"]
            levels.add_row(
                row["level"],
                f"{values['customers']:,.0f}",
                f"{values['monthly_charge_fen'] / 100:,.2f}",
                f"{(values['arpu_fen'] or 0) / 100:,.2f}",
            )
        self.console.print(levels)
        for made_of in national.provenance:
            revisions = ", ".join(
                f"{city['node']} revision {city['revision']} ({city['hash'][:8]})"
                for city in made_of["cities"]
            )
            missing = ", ".join(made_of["missing"]) or "none"
            self._say(
                f"Made of the slices of {made_of['included']} of {made_of['expected']} cities, dataset {made_of['dataset']}: {revisions}. "
                f"Missing: {missing}. The oldest was counted at {local(made_of['as_of'])}."
            )
        self.console.print("A plain count over the table gives the same.", style="green")

    async def _judge(self) -> rules.Judged:
        billed = rules.month_before(self.memory.reference)
        async with self._client(HQ_CODE, "analyst") as hq:
            reference = await rules.publish(hq, self._node(HQ_CODE))

        async def judge(node: PlannedNode) -> dict[str, int]:
            people = [person for person in self.people if person.city == node.code]
            file = self.home / "import" / f"{node.code}-bills.csv"
            rules.write_bills(people, file)
            async with self._client(node.code, "supervisor") as city:
                await rules.arrived(city, reference)
                await rules.judge(node, file, billed)
                return await rules.counted(city)

        counted = await _some_at_a_time([partial(judge, node) for node in self._cities])
        async with self._client(AT_COUNTER, "supervisor") as city:
            explained = await rules.explained(city, "gold")
        tried = await rules.tried(self._node(AT_COUNTER), self.home)
        levels = {node.code: each for node, each in zip(self._cities, counted, strict=True)}
        return rules.Judged(reference, levels, explained, tried)

    def _show_judged(self, judged: rules.Judged) -> None:
        table = table_of("city", *rules.LEVELS)
        for node in self._cities:
            counts = judged.levels[node.code]
            table.add_row(node.name, *(f"{counts[level]:,}" for level in rules.LEVELS))
        self.console.print(table)
        for language in ("en", "zh"):
            self.console.print(judged.explained[language], highlight=False, soft_wrap=True)
            for advice in judged.explained["next"]:
                self._say(f"    {advice[language]}")
        self.console.print(
            f"What if gold began at {rules.TRIED['gold_fen'] / 100:g} yuan? A dry run in {self._node(AT_COUNTER).name}:",
            highlight=False,
            soft_wrap=True,
        )
        lines = table_of("from", "to", "customers", "cost before", "cost after")
        for line in judged.tried:
            lines.add_row(
                line["was_label"] or "-",
                line["label"],
                f"{line['customers']:,}",
                *(f"{line[name] / 100:,.0f}" for name in ("was_cost_fen", "cost_fen")),
            )
        self.console.print(lines)

    async def _replace_cards(self, outside: Outside) -> list[Request]:
        candidates = [
            person for person in self.people if person.city == FROM_CITY and not person.has_left
        ]
        first, second = (
            candidates[(2 * self.memory.asked + each) % len(candidates)] for each in (0, 1)
        )
        self.memory.asked += 1
        self.memory.keep(
            self.home
        )  # before anything is asked: whatever happens, the next run asks for others
        async with self._client(AT_COUNTER, "supervisor") as supervisor:
            await load_cards(supervisor, self.memory.asked)
        await outside.lose_answers("network", lost=True)
        async with self._client(AT_COUNTER, "clerk") as clerk:
            counter = Counter(clerk)
            return [
                await counter.replace(first),
                await counter.try_with_foreign_document(second, first.document_number),
            ]

    def _show_request(self, request: Request) -> None:
        refusal = (
            f": {request['refusal']['text']['en']} {request['refusal']['text']['zh']}"
            if request["refusal"]
            else ""
        )
        self.console.print(
            f"Card replacement for {request['subject']}: {request['state']}{refusal}",
            style="bold",
            highlight=False,
            soft_wrap=True,
        )
        for entry in request["trail"]:
            state = f" [{entry['state']}]" if entry["state"] else ""
            self._say(f"  {local(entry['at'])}  {entry['node']}  {entry['event']}{state}")
            if entry["state"]:
                self._say(f"                        {entry['note']['en']} {entry['note']['zh']}")

    async def _await_outside(self, outside: Outside, request: Request) -> list[Called]:
        """Let the network answer again, wait until both trails say that all is done, and return what was asked."""
        await outside.await_called("network", "done, not answered")
        await outside.lose_answers("network", lost=False)
        for code, event in ((FROM_CITY, "customer-told"), (AT_COUNTER, "receipt-printed")):
            async with self._client(code, "clerk") as clerk:
                line = await await_line(clerk, request["id"], event)
            self._say(f"  {local(line['at'])}  {code}  {line['note']['en']} {line['note']['zh']}")
        return await outside.everything()

    def _show_outside(self, called: Sequence[Called]) -> None:
        for line in told(called):
            self._say(line)
        self.console.print(counted(called), style="green", highlight=False, soft_wrap=True)

    def _show_doors(self) -> None:
        self.console.rule("Look for yourself")
        for node in self.nodes:
            users = " or ".join(ACCOUNTS[node.tier])
            self.console.print(f"{node.name}: {node.url}/docs", soft_wrap=True)
            self._say(f"    sign in as {users}, password {self.memory.passwords[node.code]}")
        counter = self._node(AT_COUNTER)
        self._say(f"Systems outside: {simulator_url(self.memory.ports)}/network/docs")
        self._say(
            "In the documentation press Authorize and sign in, or:\n"
            f"  curl -s {counter.url}/oauth/token -d grant_type=password -d username=clerk -d password={self.memory.passwords[AT_COUNTER]}\n"
            f"Commands work on these nodes too: guanxi --home {self.home} status --node {AT_COUNTER}"
        )


class _SignedIn:
    """A client of one node, signed in as somebody."""

    def __init__(self, url: str, username: str, password: str) -> None:
        self._who = (username, password)
        self._client = httpx.AsyncClient(base_url=url, timeout=30, trust_env=False)

    async def __aenter__(self) -> httpx.AsyncClient:
        await sign_in(self._client, *self._who)
        return self._client

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()


async def _some_at_a_time(work: Sequence[Callable[[], Awaitable[Any]]]) -> list[Any]:
    """Do it all, as much at once as there are processors."""
    free = asyncio.Semaphore(os.cpu_count() or 1)

    async def one(begin: Callable[[], Awaitable[Any]]) -> Any:
        async with free:
            return await begin()

    begun = [asyncio.ensure_future(one(each)) for each in work]
    try:
        return await asyncio.gather(*begun)
    finally:
        for task in begun:
            task.cancel()
        await asyncio.gather(*begun, return_exceptions=True)
