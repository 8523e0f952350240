"""The process whose exports are measured, so that its memory is that of exporting alone.

``python -m bench.export_host DIRECTORY ROUNDS`` prints one JSON object: seconds of each round, and the peak of memory.
"""

import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench.city import CITY
from services.city_node.customer.privacy import SHOWING
from services.city_node.export.columns import DEFAULT, layout
from services.city_node.export.copying import one_moment
from services.city_node.export.files import open_file
from services.city_node.export.models import Format
from services.city_node.export.service import Source, write_rows
from services.city_node.query.selection import Selection
from shared.capability import NodeContext
from shared.kernel.clock import business_day
from shared.kernel.settings import load_settings
from shared.node.tiers import load_tables
from shared.organisation.service import path_of_division
from shared.startup import open_context


async def _bare_copy(context: NodeContext, directory: Path) -> int:
    """Write the same columns by ``COPY TO STDOUT`` and nothing else."""
    with (directory / "bare.csv").open("wb") as file:

        async def take(chunk: bytes) -> None:
            file.write(chunk)

        async with one_moment(context.database.url) as connection:
            query = f"SELECT {', '.join(DEFAULT)} FROM customer"  # noqa: S608 - names of the catalogue
            status = await connection.copy_from_query(query, output=take, format="csv")
    return int(status.split()[-1])


def _exporting(format_: Format) -> Callable[[NodeContext, Path], Awaitable[int]]:
    async def export(context: NodeContext, directory: Path) -> int:
        today = business_day(context.clock.now())
        selection = Selection(None, (path_of_division(CITY),), today)

        async def progress(_done: int, _total: int, _unit: str) -> None:
            return

        async with open_file(
            directory / f"all.{format_}", format_, layout(DEFAULT, SHOWING)
        ) as taking:
            source = Source(selection, DEFAULT, format_, SHOWING)
            return await write_rows(context, source, taking, progress)

    return export


WAYS = {
    "copy": _bare_copy,
    "csv": _exporting(Format.CSV),
    "parquet": _exporting(Format.PARQUET),
}


async def main(directory: Path, rounds: int) -> None:
    """Write all customers in each way, by turns."""
    load_tables()
    home = Path(os.environ["GUANXI_HOME"])
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    numbers = set()
    async with open_context(load_settings(code=CITY, home=home, log_level="error")) as context:
        for _ in range(rounds):
            for way, write in WAYS.items():
                began = time.perf_counter()
                numbers.add(await write(context, directory))
                seconds[way].append(time.perf_counter() - began)
    assert len(numbers) == 1, numbers
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"rows": numbers.pop(), "peak_mb": peak_mb, "seconds": seconds}))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
