"""The customers in the demo: each city imports those who live there, and HQ publishes whose numbers begin how."""

from functools import partial
from typing import Any

from services.demo.nodes import MAPPING, run_command
from services.demo.people import number_segments, write_file
from services.demo.stage import Stage, some_at_a_time
from services.demo.telling import table_of
from shared.commandline import CommandFailed
from shared.kernel.settings import HQ_CODE
from shared.node.plan import PlannedNode

REPORTED = ("rows", "created", "changed", "unchanged", "rejected")
"""What an import says of its rows."""


async def load(stage: Stage) -> None:
    """Import the table, but for those who have moved: they brought their records with them.

    Raises:
        CommandFailed: if a city rejects a row.
    """
    await _publish_segments(stage)
    staying = [person for person in stage.people if person.key not in stage.memory.moved]
    with stage.progress() as bar:
        task = bar.add_task("Importing", total=len(staying))

        async def load_city(node: PlannedNode) -> dict[str, Any]:
            people = [person for person in staying if person.city == node.code]
            file = stage.home / "import" / f"{node.code}.csv"
            write_file(people, file)
            given = [f"--set={name}={value}" for name, value in stage.memory.parameters.items()]
            report: dict[str, Any] = await run_command(
                node, "customer", "import", str(file), "--mapping", str(MAPPING), *given
            )
            bar.advance(task, len(people))
            return report

        reports = await some_at_a_time([partial(load_city, node) for node in stage.cities])
    table = table_of("city", *REPORTED)
    for node, report in zip(stage.cities, reports, strict=True):
        table.add_row(node.name, *(f"{report[name]:,}" for name in REPORTED))
        if report["rejected"]:
            raise CommandFailed(f"{report['rejected']} rows of {node.name} were rejected: {report}")
    stage.console.print(table)


async def _publish_segments(stage: Stage) -> None:
    """Tell the nation whose numbers begin how."""
    segments = number_segments([node.code for node in stage.cities])
    file = stage.home / "import" / "number-segments.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = "".join(f"{prefix},{city}\n" for prefix, city in segments.items())
    file.write_text(f"prefix,home\n{rows}", encoding="utf-8")
    await run_command(stage.node(HQ_CODE), "number-segment", "import", str(file), "--note", "Demo")
