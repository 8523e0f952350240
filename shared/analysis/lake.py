"""The lake: a directory of Parquet files, laid out as DuckDB, pandas and Spark discover it, and what is noted of it.

::

    _manifest.json                                      what there is, in short
    _manifest/customer.json                             each partition of a dataset: state, rows, files with digests
    facts/dataset=customer/period_kind=month/period=2026-11/part-0.parquet
    slices/dataset=customer/period_kind=month/period=2026-11/part-0.parquet
    dimensions/indicator.parquet
    _unfinished/                                        files on their way

Readers leave out what begins with an underscore. A file is written in ``_unfinished``, flushed to the disk, and moved
to a name that never changes: a digest in it would leave a moment in which a partition is there twice, or not at all.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import orjson

from shared.analysis.problems import LakeForeign
from shared.kernel.settings import Settings

FORMAT = 1
"""Of the manifests. A lake of another format is made anew."""
FACTS, SLICES = "facts", "slices"
PART = "part-0.parquet"
_MANIFEST, _MANIFESTS, _UNFINISHED = "_manifest.json", "_manifest", "_unfinished"


@dataclass(frozen=True, slots=True)
class LakeFile:
    """A file of the lake.

    Attributes:
        file: its path below the lake's directory.
        rows: how many it has.
        bytes: its size.
        sha256: its digest, in hexadecimal.
    """

    file: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Partition:
    """A dataset in one period, as it was written.

    Attributes:
        period_kind: ``month`` or ``day``.
        period: which.
        state: digest of the revisions that it is made of.
        cities: how many cities these are.
        restated: revisions beyond the first, by city.
        written_at: when.
        facts: the file of the figures.
        slices: the file of the slices that they are from.
    """

    period_kind: str
    period: str
    state: str
    cities: int
    restated: Mapping[str, int]
    written_at: datetime
    facts: LakeFile
    slices: LakeFile

    @classmethod
    def read(cls, noted: Mapping[str, Any]) -> Self:
        """Return a partition as a manifest has it."""
        files = {name: LakeFile(**noted[name]) for name in (FACTS, SLICES)}
        at = datetime.fromisoformat(noted["written_at"])
        return cls(**{**noted, **files, "written_at": at})


@dataclass(slots=True)
class Manifest:
    """What is noted of a dataset.

    Attributes:
        dataset: its code.
        layout: digest of the columns that its files have.
        partitions: by period.
    """

    dataset: str
    layout: str
    partitions: dict[str, Partition] = field(default_factory=dict)

    def summary(self) -> dict[str, Any]:
        """Return it in short."""
        found = self.partitions.values()
        return {
            "dataset": self.dataset,
            "partitions": len(found),
            "rows": sum(each.facts.rows for each in found),
            "bytes": sum(each.facts.bytes + each.slices.bytes for each in found),
            "first_period": min(self.partitions, default=None),
            "last_period": max(self.partitions, default=None),
            "changed_at": max((each.written_at for each in found), default=None),
        }


@dataclass(frozen=True, slots=True)
class Lake:
    """The lake of one node."""

    root: Path
    node: str

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the lake that a node's settings name."""
        return cls(settings.lake_path or settings.directory / "lake", settings.code)

    def open(self) -> None:
        """Make the directory if it is not there, and remove what an earlier export left unfinished.

        Raises:
            LakeForeign: if it is another node's lake, or something else is in it.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        found = self.summary()
        if found is None:
            is_foreign = any(path.name != _UNFINISHED for path in self.root.iterdir())
        else:
            is_foreign = found["node"] != self.node
        if is_foreign:
            raise LakeForeign(path=self.root, node=self.node)
        shutil.rmtree(self.root / _UNFINISHED, ignore_errors=True)
        (self.root / _UNFINISHED).mkdir()
        if found is None or found["format"] != FORMAT:
            shutil.rmtree(self.root / _MANIFESTS, ignore_errors=True)
            self.note({"exported_at": None, "edition": None, "dimensions": [], "datasets": []})

    def summary(self) -> dict[str, Any] | None:
        """Return what is noted in short, or nothing before the first export."""
        return _read_json(self.root / _MANIFEST)

    def note(self, summary: Mapping[str, Any]) -> None:
        """Note what there is, in short."""
        whole = {"format": FORMAT, "node": self.node, **summary}
        self._write_json(self.root / _MANIFEST, whole)

    def noted(self, dataset: str) -> dict[str, Any] | None:
        """Return the manifest of a dataset as it stands in its file."""
        return _read_json(self.root / _MANIFESTS / f"{dataset}.json")

    def manifest(self, dataset: str, layout: str) -> Manifest:
        """Return what is noted of a dataset; nothing if its files have another layout."""
        noted = self.noted(dataset)
        manifest = Manifest(dataset, layout)
        if noted is not None and noted["layout"] == layout:
            for each in map(Partition.read, noted["partitions"]):
                manifest.partitions[each.period] = each
        return manifest

    def note_dataset(self, manifest: Manifest) -> None:
        """Note the partitions of a dataset, in the order of their periods."""
        partitions = [asdict(manifest.partitions[period]) for period in sorted(manifest.partitions)]
        whole = {"dataset": manifest.dataset, "layout": manifest.layout, "partitions": partitions}
        self._write_json(self.root / _MANIFESTS / f"{manifest.dataset}.json", whole)

    def has(self, *files: LakeFile) -> bool:
        """Tell whether files are there, of the size that was noted."""
        return all(_size(self.root / each.file) == each.bytes for each in files)

    def unfinished(self, name: str) -> Path:
        """Return where a file is written before it is moved."""
        return self.root / _UNFINISHED / name

    def move(self, unfinished: Path, file: str, rows: int) -> LakeFile:
        """Put a file that is written in its place, for good and at once."""
        with unfinished.open("rb") as written:
            digest = hashlib.file_digest(written, "sha256").hexdigest()
            os.fsync(written.fileno())
        made = LakeFile(file, rows, unfinished.stat().st_size, digest)
        target = self.root / file
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished.replace(target)
        return made

    def remove_periods(self, dataset: str, keep: Mapping[str, object]) -> int:
        """Remove the files of a dataset's periods that are not to be kept; returns how many periods these were."""
        removed = set()
        for tree in (FACTS, SLICES):
            for directory in self.root.glob(f"{tree}/dataset={dataset}/period_kind=*/period=*"):
                period = directory.name.removeprefix("period=")
                if period not in keep:
                    shutil.rmtree(directory)
                    removed.add(period)
        return len(removed)

    def remove_datasets(self, keep: Iterator[str] | tuple[str, ...]) -> None:
        """Remove everything of datasets that are not to be kept."""
        kept = set(keep)
        for manifest in self.root.glob(f"{_MANIFESTS}/*.json"):
            if manifest.stem not in kept:
                manifest.unlink()
        for tree in (FACTS, SLICES):
            for directory in self.root.glob(f"{tree}/dataset=*"):
                if directory.name.removeprefix("dataset=") not in kept:
                    shutil.rmtree(directory)

    def _write_json(self, target: Path, content: Mapping[str, Any]) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.unfinished(target.name)
        with unfinished.open("wb") as file:
            file.write(orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z))
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(target)


def partition_file(tree: str, dataset: str, kind: str, period: str) -> str:
    """Return the path of a partition's file below the lake's directory."""
    return f"{tree}/dataset={dataset}/period_kind={kind}/period={period}/{PART}"


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        content: dict[str, Any] = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    return content


Progress = Callable[[int, int], None]
"""Told how many partitions of how many have been looked at."""
