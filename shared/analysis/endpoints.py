"""The lake over HTTP: what it holds, for whoever shows it or waits for it."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from shared.access import Principal, require
from shared.analysis.access import READ
from shared.analysis.lake import Lake
from shared.analysis.problems import LakeDatasetUnknown, LakeNotExported
from shared.analysis.schemas import LakeOut, PartitionsOut
from shared.kernel.edge import NodeSettings

router = APIRouter(prefix="/analysis")

Reader = Annotated[Principal, Depends(require(READ))]


@router.get("/lake", summary="What the Parquet lake holds", response_model=LakeOut)
async def read_lake(settings: NodeSettings, _: Reader) -> dict[str, Any]:
    """Return the node's lake in short: its datasets, and the files of their dimensions."""
    return await _summary(Lake.of(settings))


@router.get(
    "/lake/{dataset}",
    summary="The partitions of a dataset in the lake",
    response_model=PartitionsOut,
)
async def read_lake_dataset(dataset: str, settings: NodeSettings, _: Reader) -> dict[str, Any]:
    """Return which periods of a dataset the lake holds, of which revisions, and in which files."""
    lake = Lake.of(settings)
    held = {each["dataset"] for each in (await _summary(lake))["datasets"]}
    noted = await asyncio.to_thread(lake.noted, dataset) if dataset in held else None
    if noted is None:
        raise LakeDatasetUnknown(dataset=dataset)
    return noted


async def _summary(lake: Lake) -> dict[str, Any]:
    found = await asyncio.to_thread(lake.summary)
    if found is None or found["exported_at"] is None:
        raise LakeNotExported
    return found
