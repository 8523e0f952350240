"""What happens in the demo, in order."""

import asyncio
import os
import time
from typing import Any

from services.demo import correction, figures, importing, missing, rules, services, transfers
from services.demo.cable import laid
from services.demo.nodes import (
    ACCOUNTS,
    BEHIND_CABLE,
    CABLE,
    LOOPBACK,
    TOPOLOGY,
    prepare,
    simulator_url,
)
from services.demo.outside import simulated
from services.demo.people import ITEM
from services.demo.services import AT_COUNTER
from services.demo.stage import Stage
from shared.kernel.settings import HQ_CODE
from shared.node.plan import listed
from shared.node.up import running
from shared.organisation.division import province_of


async def tell(stage: Stage, *, once: bool) -> dict[str, Any]:
    """Do everything; with ``once`` return what came of it, without it stay up until cancelled."""
    started = time.perf_counter()
    stage.console.rule(
        f"{len(stage.nodes)} nodes of three tiers, with their data under {stage.home}"
    )
    ports, province = stage.memory.ports, stage.node(province_of(BEHIND_CABLE).code)
    async with (
        simulated(stage.home, simulator_url(ports), os.environ) as outside,
        laid(LOOPBACK, ports[CABLE], province.port) as cable,
        running(stage.nodes, source=TOPOLOGY.name, say=stage.say),
    ):
        for node in stage.nodes:
            await prepare(node, stage.memory.passwords[node.code], stage.memory.founded)
        stage.seconds["setup"] = time.perf_counter() - started
        await transfers.settle(stage, AT_COUNTER)
        with stage.part(
            "import",
            f"{len(stage.people):,} customers of the public table {ITEM}, into {len(stage.cities)} cities",
        ):
            await importing.load(stage)
        with stage.part(
            "rollup",
            f"The figures of {stage.memory.period}, from the cities through the provinces to HQ",
        ):
            async with stage.client(HQ_CODE, "analyst") as hq:
                national = await figures.roll_up(stage, hq)
        profiles = stage.profiles(before=stage.memory.period_end)
        figures.compare(national.counts(), figures.counted(profiles))
        figures.show(stage, national)
        with stage.part(
            "correction",
            f"A contract in {stage.node(correction.IN_CITY).name} was entered wrongly, and is corrected",
        ):
            corrected = await correction.correct(stage)
        correction.show(stage, corrected)
        with stage.part(
            "missing",
            f"{stage.node(BEHIND_CABLE).name} is cut off when a day's figures are due",
        ):
            lacked = await missing.lack(stage, cable)
        missing.show(stage, lacked)
        with stage.part(
            "rules", "HQ publishes a policy of levels; the cities judge their customers by it"
        ):
            judged = await rules.judge(stage)
        rules.show(stage, judged)
        served = await services.serve(stage, outside, cable)
        _show_doors(stage)
        if not once:
            stage.console.print("Everything runs. Ctrl-C stops it.", style="bold")
            await asyncio.Event().wait()
    return {
        **national.counts(),
        "moved": len(profiles) - len(stage.people),
        "levels": judged.levels,
        "correction": corrected.facts(),
        "missing": lacked.facts(),
        **served.facts(),
        "nodes": listed(stage.nodes),
        "seconds": {part: round(took, 3) for part, took in stage.seconds.items()},
    }


def _show_doors(stage: Stage) -> None:
    stage.console.rule("Look for yourself")
    for node in stage.nodes:
        users = " or ".join(ACCOUNTS[node.tier])
        stage.console.print(f"{node.name}: {node.url}/docs", soft_wrap=True)
        stage.say(f"    sign in as {users}, password {stage.memory.passwords[node.code]}")
    counter = stage.node(AT_COUNTER)
    stage.say(f"Systems outside: {simulator_url(stage.memory.ports)}/network/docs")
    stage.say(
        "In the documentation press Authorize and sign in, or:\n"
        f"  curl -s {counter.url}/oauth/token -d grant_type=password -d username=clerk -d password={stage.memory.passwords[AT_COUNTER]}\n"
        f"Commands work on these nodes too: guanxi --home {stage.home} status --node {AT_COUNTER}"
    )
