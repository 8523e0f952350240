"""``python -m bench [NAME...] [--quick] [--json]``: run the benchmarks and print what they found."""

import argparse
import asyncio
import importlib
import json
import os
import pkgutil
import sys

from rich.console import Console
from rich.table import Table

import bench
from bench import Benchmark
from bench.big_city import SIZE


def benchmarks() -> dict[str, Benchmark]:
    """Return every benchmark of this package by name."""
    modules = (
        importlib.import_module(f"bench.{found.name}")
        for found in pkgutil.iter_modules(bench.__path__)
        if found.name != "__main__"
    )
    found = [module.BENCHMARK for module in modules if hasattr(module, "BENCHMARK")]
    return {benchmark.name: benchmark for benchmark in found}


def main() -> int:
    """Run what the command line names; exit code 1 if a target was missed."""
    every = benchmarks()
    parser = argparse.ArgumentParser(prog="make bench", description=bench.__doc__)
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"which to run: {', '.join(every)}; all without any",
    )
    parser.add_argument("--quick", action="store_true", help="smaller sizes and fewer rounds")
    parser.add_argument(
        "--customers", type=int, metavar="N", help="how large a generated city is measured"
    )
    parser.add_argument(
        "--json", action="store_true", help="one JSON object a line instead of a table"
    )
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.names if name not in every]:
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(every)}")
    if arguments.customers:
        os.environ[SIZE] = str(arguments.customers)
    rows = []
    for name in arguments.names or every:
        benchmark = every[name]
        sys.stderr.write(f"{name}: {benchmark.summary} ...\n")
        result = asyncio.run(benchmark.run(arguments.quick))
        ratio = benchmark.ratio(result)
        rows.append(
            {
                "name": name,
                "value": round(result.value, 1),
                "ceiling": round(result.ceiling, 1),
                "unit": benchmark.unit,
                "ratio": round(ratio, 2),
                "target": benchmark.target,
                "met": ratio >= benchmark.target,
                "details": {name: round(each, 1) for name, each in result.details.items()},
            }
        )
        if arguments.json:
            print(json.dumps(rows[-1]), flush=True)
    if not arguments.json:
        table = Table(title="Against the ceiling of the same run")
        for column in rows[0]:
            table.add_column(column)
        for row in rows:
            table.add_row(*[_written(cell) for cell in row.values()])
        Console().print(table)
    return 0 if all(row["met"] for row in rows) else 1


def _written(cell: object) -> str:
    if isinstance(cell, dict):
        return ", ".join(f"{name} {each}" for name, each in cell.items())
    return str(cell)


if __name__ == "__main__":
    raise SystemExit(main())
