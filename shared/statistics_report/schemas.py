"""Reports over the wire."""

from datetime import date, datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from shared.kernel.language import Language, Text
from shared.kernel.wording import Unfit
from shared.statistics.forms import Form
from shared.statistics.question import Words
from shared.statistics_report.models import Schedule

Name = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]+$"
    ),
]
Word = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00]*$")]
Some = Annotated[list[Word], Field(max_length=100)]


class ReportQuestion(BaseModel):
    """A question, by the names that `GET /statistics/values` has for its parts."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    indicator: Annotated[Some, Field(min_length=1, examples=[["customers", "arpu_fen"]])]
    period: Word | None = Field(default=None, examples=["last_month"])
    first: Word | None = Field(default=None, alias="from")
    last: Word | None = Field(default=None, alias="to")
    by: Some = Field(default=[], examples=[["region", "level"]])
    region: Word | None = Field(
        default=None, description="The unit's own without it; fixed when the report is kept."
    )
    region_level: Word | None = None
    filters: dict[Word, Some] = Field(default={}, examples=[{"level": ["gold"]}])
    compare: Some = []
    share: Some = []
    top: Annotated[int, Field(strict=True)] | None = None
    top_by: Word | None = None
    pivot: Word | None = None

    def words(self) -> Words:
        """Return it as it is put."""
        return Words(
            self.indicator,
            **{
                name: getattr(self, name) for name in type(self).model_fields if name != "indicator"
            },
        )

    def kept(self) -> dict[str, Any]:
        """Return it as it is stored: what is said, by its name over the wire."""
        return self.model_dump(by_alias=True, exclude_defaults=True)


class NewReport(BaseModel):
    """A report to keep."""

    model_config = ConfigDict(extra="forbid")

    name: Name = Field(examples=["Gold by city"])
    question: ReportQuestion
    format: Form = Form.XLSX
    with_bom: bool = Field(
        default=False, description="Begin a CSV file with the mark by which Excel knows UTF-8."
    )
    language: Language = Field(default=Language.CHINESE, description="Of the names in the file.")
    schedule: Schedule = Schedule.MANUAL


class ReportChange(BaseModel):
    """What to change of a report."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    question: ReportQuestion | None = None
    format: Form | None = None
    with_bom: bool | None = None
    language: Language | None = None
    schedule: Schedule | None = None

    @model_validator(mode="after")
    def _not_emptied(self) -> Self:
        for name in self.model_fields_set:
            if getattr(self, name) is None:
                raise Unfit(
                    Text(
                        "{name} cannot be empty: leave it out to keep it",
                        "{name} 不能为空：如不修改，请不要填写",
                    ),
                    name=name,
                )
        return self


class ReportOut(BaseModel):
    """A report."""

    id: UUID
    unit_code: str
    owner: str
    name: str
    question: dict[str, Any]
    format: Form
    with_bom: bool
    language: Language
    schedule: Schedule
    next_on: date | None = Field(description="In which night the clock runs it next.")
    version: int
    created_at: datetime
    updated_at: datetime
    updated_by: str


class ReportPage(BaseModel):
    """A page of reports."""

    items: list[ReportOut]
    next: str | None
    count: int | None = None


class RunOut(BaseModel):
    """A run of a report."""

    id: UUID = Field(description="Also that of its work: `GET /works/{id}`.")
    report_id: UUID
    report_version: int
    format: Form
    requested_by: str | None = Field(description="`null` if the clock asked for it.")
    created_at: datetime
    expires_at: datetime = Field(description="Until when the file is kept.")
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    row_count: int | None
    byte_count: int | None
    sha256: str | None
    error: dict[str, Any] | None = Field(description="Why it failed: problem details by language.")


class RunPage(BaseModel):
    """A page of the runs of a report, the latest first."""

    items: list[RunOut]
    next: str | None
    count: int | None = None
