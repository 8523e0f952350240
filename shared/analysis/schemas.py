"""What the lake's interface answers."""

from datetime import datetime

from pydantic import BaseModel, Field


class FileOut(BaseModel):
    """A file of the lake."""

    file: str = Field(
        description="Its path below the lake's directory.",
        examples=["facts/dataset=customer/period_kind=month/period=2026-11/part-0.parquet"],
    )
    rows: int
    bytes: int
    sha256: str


class LakeDataset(BaseModel):
    """What the lake has of a dataset."""

    dataset: str = Field(examples=["customer"])
    partitions: int = Field(description="How many periods there are.")
    rows: int
    bytes: int
    first_period: str | None = Field(examples=["2026-09"])
    last_period: str | None = Field(examples=["2026-11"])
    changed_at: datetime | None = Field(description="When one of them was last written.")


class LakeOut(BaseModel):
    """The lake in short."""

    format: int
    node: str = Field(description="Whose lake it is.", examples=["440300"])
    exported_at: datetime = Field(description="When it was last brought to what the node knows.")
    edition: str = Field(description="Digest of the catalogue that it was written by.")
    dimensions: list[FileOut]
    datasets: list[LakeDataset]


class PartitionOut(BaseModel):
    """A dataset in one period."""

    period_kind: str = Field(description="`month` or `day`.", examples=["month"])
    period: str = Field(examples=["2026-11"])
    state: str = Field(description="Digest of the revisions that it is made of.")
    cities: int = Field(description="How many cities these are.")
    restated: dict[str, int] = Field(
        description="Revisions beyond the first, by city; of the others it is the first.",
        examples=[{"440300": 2}],
    )
    written_at: datetime
    facts: FileOut
    slices: FileOut


class PartitionsOut(BaseModel):
    """What the lake has of a dataset, by period."""

    dataset: str
    layout: str = Field(description="Digest of the columns that all its files have.")
    partitions: list[PartitionOut]
