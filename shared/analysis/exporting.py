"""The export: what has changed of the node's figures, from its database to its lake."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg

from shared.analysis import repository
from shared.analysis.lake import FACTS, SLICES, Lake, LakeFile, Manifest, Partition, partition_file
from shared.analysis.models import (
    AnalysisDataset,
    AnalysisDimension,
    AnalysisIndicator,
    AnalysisMember,
)
from shared.analysis.parquet import (
    REGION_COLUMNS,
    SLICE_COLUMNS,
    Layout,
    ParquetFile,
    Types,
    columns_of,
)
from shared.analysis.problems import LakeBusy
from shared.analysis.reference import Reference, current_reference
from shared.analysis.withholding import withhold
from shared.capability import NodeContext
from shared.kernel.database import SESSION
from shared.kernel.tier import Tier
from shared.organisation.division import Division, divisions, is_within
from shared.statistics.period import Period

NOTED_AFTER = 50
"""Partitions that are written before the manifest is: so much, at most, is written twice after an interruption."""
_FILES = {
    "dataset": AnalysisDataset,
    "dimension": AnalysisDimension,
    "member": AnalysisMember,
    "indicator": AnalysisIndicator,
}

Some = Sequence[Sequence[Any]]
Rows = AsyncIterator[Some]
Turned = Callable[[Some], list[list[Any]]]
"""Makes columns of rows."""


@dataclass(slots=True)
class Exported:
    """What an export did.

    Attributes:
        partitions: how many there are now.
        written: how many of them were written.
        removed: how many are there no longer.
        rows: rows of facts in all of them.
        bytes: their size.
    """

    partitions: int = 0
    written: int = 0
    removed: int = 0
    rows: int = 0
    bytes: int = 0


async def export_lake(context: NodeContext, *, now: datetime) -> Exported:
    """Bring the node's lake to what its database says.

    Raises:
        LakeBusy: if another export is under way (409).
        LakeForeign: if the directory holds something else (409).
    """
    reference = await current_reference(context)
    await withhold(context, now=now)
    lake, exported = Lake.of(context.settings), Exported()
    async with _alone(context) as connection:
        await asyncio.to_thread(lake.open)
        summaries = []
        for dataset in reference.catalogue.dataset_list:
            layout = Layout.of(reference.catalogue, dataset.code)
            manifest = await _DatasetExport(connection, lake, layout, now).run(exported)
            summaries.append(manifest.summary())
        await asyncio.to_thread(lake.remove_datasets, tuple(reference.catalogue.datasets))
        files = await asyncio.to_thread(_write_dimensions, lake, reference)
        summary = {
            "exported_at": now,
            "edition": reference.edition,
            "dimensions": files,
            "datasets": summaries,
        }
        await asyncio.to_thread(lake.note, summary)
    exported.rows = sum(each["rows"] for each in summaries)
    exported.bytes = sum(each["bytes"] for each in summaries)
    return exported


@contextlib.asynccontextmanager
async def _alone(context: NodeContext) -> AsyncIterator[asyncpg.Connection]:
    """Give a connection that holds the export's lock; it ends abruptly, and a cursor half-way with it."""
    connection = await asyncpg.connect(context.database.url, server_settings=SESSION)
    try:
        if not await repository.acquire(connection):
            raise LakeBusy(node=context.settings.code)
        yield connection
    finally:
        connection.terminate()


@dataclass(frozen=True, slots=True)
class _DatasetExport:
    connection: asyncpg.Connection
    lake: Lake
    layout: Layout
    now: datetime

    async def run(self, exported: Exported) -> Manifest:
        """Write the partitions that differ, remove those that are gone, and return what there is."""
        dataset = self.layout.dataset
        manifest = await asyncio.to_thread(self.lake.manifest, dataset, self.layout.digest)
        states = await repository.states(self.connection, dataset)
        written = 0
        for period, state in states.items():
            noted = manifest.partitions.get(period)
            if noted and noted.state == state and self.lake.has(noted.facts, noted.slices):
                continue
            partition = await self._write(period)
            if partition is None:  # withdrawn just now
                manifest.partitions.pop(period, None)
                continue
            manifest.partitions[period] = partition
            written += 1
            if written % NOTED_AFTER == 0:
                await asyncio.to_thread(self.lake.note_dataset, manifest)
        for period in manifest.partitions.keys() - states.keys():
            del manifest.partitions[period]
        # Noted first: who goes by the manifest looks for no file that is gone.
        await asyncio.to_thread(self.lake.note_dataset, manifest)
        exported.removed += await asyncio.to_thread(
            self.lake.remove_periods, dataset, manifest.partitions
        )
        exported.written += written
        exported.partitions += len(manifest.partitions)
        return manifest

    async def _write(self, period: str) -> Partition | None:
        connection, dataset = self.connection, self.layout.dataset
        kind = Period.parse(period).kind.value
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            made_of = await repository.made_of(connection, dataset, period)
            if made_of is None:
                return None
            facts = repository.facts(connection, self.layout, period)
            of_facts = await self._file(FACTS, self.layout.columns, facts, self.layout.whole)
            slices = repository.slices(connection, dataset, period)
            of_slices = await self._file(SLICES, SLICE_COLUMNS, slices, _columns)
        moved = [
            await asyncio.to_thread(
                self.lake.move, path, partition_file(tree, dataset, kind, period), rows
            )
            for tree, (path, rows) in ((FACTS, of_facts), (SLICES, of_slices))
        ]
        return Partition(
            kind, period, made_of.state, made_of.cities, made_of.restated, self.now, *moved
        )

    async def _file(
        self,
        name: str,
        columns: Types,
        rows: Rows,
        whole: Turned,
    ) -> tuple[Path, int]:
        path = self.lake.unfinished(f"{name}.parquet")
        file = await asyncio.to_thread(ParquetFile, path, columns)
        async for some in rows:
            await asyncio.to_thread(_add, file, whole, some)
        await asyncio.to_thread(file.close)
        return path, file.rows


def _add(file: ParquetFile, whole: Turned, some: Some) -> None:
    file.add(whole(some))


def _columns(rows: Some) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _write_dimensions(lake: Lake, reference: Reference) -> list[LakeFile]:
    """Write what the columns of facts mean; small, and the same file if nothing has changed."""
    contents: dict[str, tuple[Types, Sequence[Any]]] = {
        "region": (REGION_COLUMNS, _regions(lake.node)),
        **{name: (columns_of(table), reference.tables[table]) for name, table in _FILES.items()},
    }
    files = []
    for name, (columns, rows) in contents.items():
        path = lake.unfinished(f"{name}.parquet")
        file = ParquetFile(path, columns)
        file.add([[row[column] for row in rows] for column in columns])
        file.close()
        files.append(lake.move(path, f"dimensions/{name}.parquet", file.rows))
    return files


def _regions(node: str) -> list[dict[str, Any]]:
    """Return the divisions above the node and below it, as the star's ``dim_region`` has them."""
    return [
        _region(each)
        for each in divisions().values()
        if is_within(each.code, node) or is_within(node, each.code)
    ]


def _region(each: Division) -> dict[str, Any]:
    province = None if each.tier is Tier.HQ else divisions()[f"{each.code[:2]}0000"]
    return {
        "code": each.code,
        "level": "nation" if each.tier is Tier.HQ else each.tier.value,
        "parent": each.parent,
        "name_zh": each.name_zh,
        "name_en": each.name_en,
        "province": province and province.code,
        "province_zh": province and province.name_zh,
        "province_en": province and province.name_en,
    }
