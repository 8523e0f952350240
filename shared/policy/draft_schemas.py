"""Drafts of policies over the wire."""

from datetime import date
from typing import Annotated, Any, Literal, Self
from uuid import UUID

import orjson
from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
)

from shared.capability import Bound
from shared.federation.statement import Code
from shared.kernel.language import Text
from shared.kernel.wording import Unfit
from shared.policy.bounds import ABSENT, Difference
from shared.policy.models import DraftState, PolicyDraft
from shared.policy.schemas import BoundOut, InForceOut, LayerOut
from shared.policy.statement import Statement

Reason = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=1000, pattern=r"^[^\x00-\x1f\x7f]*$"
    ),
]


class BoundIn(BaseModel):
    """How far overrides may move one part of the document."""

    model_config = ConfigDict(extra="forbid")

    pointer: str = Field(
        max_length=500,
        description="JSON pointer into the document; `*` stands for any index or key.",
        examples=["/gold/from_fen"],
    )
    minimum: int | None = None
    maximum: int | None = None
    one_of: Annotated[list[str], Field(min_length=1, max_length=100)] | None = None

    def as_bound(self) -> Bound:
        """Return what it says."""
        choices = None if self.one_of is None else tuple(self.one_of)
        return Bound(self.pointer, self.minimum, self.maximum, choices)


class NewDraft(BaseModel):
    """What somebody would have this node publish."""

    model_config = ConfigDict(extra="forbid")

    document: dict[str, Any] = Field(
        description="At HQ the whole document; elsewhere an override, a merge patch (RFC 7396) with what differs.",
        examples=[{"gold": {"from_fen": 60000}}],
    )
    effective_from: date = Field(description="The first day, in Beijing.", examples=["2027-01-01"])
    bounds: Annotated[list[BoundIn], Field(max_length=500)] | None = Field(
        default=None, description="At HQ alone; without it those that ship with the program."
    )
    retroactive: bool = Field(
        default=False, description="Whether the first day may be over; `note` then says why."
    )
    note: Reason | None = Field(default=None, description="What it is for.")

    @field_validator("document")
    @classmethod
    def _is_plain_json(cls, document: dict[str, Any]) -> dict[str, Any]:
        try:
            written = orjson.dumps(document)
        except TypeError:
            raise Unfit(
                Text(
                    "holds a number beyond 64 bits or half a character, or is nested too deeply",
                    "含有超过 64 位的数字或不完整的字符，或嵌套过深",
                )
            ) from None
        if orjson.loads(written) != document or b"\\u0000" in written:
            raise Unfit(
                Text(
                    "holds a number or a character that JSON or the database cannot keep",
                    "含有 JSON 或数据库无法保存的数字或字符",
                )
            )
        if len(written) > Statement.most_characters // 2:
            raise Unfit(
                Text("must be at most {most} bytes of JSON", "JSON 不得超过 {most} 字节"),
                most=Statement.most_characters // 2,
            )
        return document


class Rejection(BaseModel):
    """Why a draft is not published, or a version withdrawn."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason


class Publication(BaseModel):
    """Which draft is to be published."""

    model_config = ConfigDict(extra="forbid")

    draft: UUID = Field(description="Its id.")


class DraftRow(BaseModel):
    """A draft in a list."""

    id: UUID
    kind: str
    effective_from: date
    retroactive: bool
    note: str | None
    state: DraftState
    drafted_by: str
    drafted_at: AwareDatetime
    decided_by: str | None
    decided_at: AwareDatetime | None
    reason: str | None = Field(description="Why it was rejected.")
    number: int | None = Field(description="The version that it became.")
    version: int = Field(description="Of the draft: its ETag.")


class DraftOut(DraftRow):
    """A draft, whole."""

    model_config = ConfigDict(from_attributes=True)

    document: dict[str, Any]
    bounds: list[BoundOut] | None

    @classmethod
    def of(cls, draft: PolicyDraft) -> Self:
        """Return a draft as it is shown."""
        return cls.model_validate(draft)


class DraftPage(BaseModel):
    """A page of drafts."""

    items: list[DraftRow]
    next: str | None
    count: int | None = None


class DifferenceOut(BaseModel):
    """A place at which two documents differ."""

    pointer: str
    change: Literal["added", "removed", "changed"]
    before: Any
    after: Any

    @classmethod
    def of(cls, difference: Difference) -> Self:
        """Return ``difference`` as it is shown."""
        before, after = difference.before, difference.after
        is_new, is_gone = before is ABSENT, after is ABSENT
        return cls(
            pointer=difference.pointer,
            change="added" if is_new else "removed" if is_gone else "changed",
            before=None if is_new else before,
            after=None if is_gone else after,
        )


class SetAsideOut(BaseModel):
    """An override below that would be set aside."""

    node: Code
    layer: LayerOut


class PreviewOut(BaseModel):
    """What a draft would do if it were published as it is."""

    in_force: InForceOut = Field(description="With the draft, on its first day.")
    differences: list[DifferenceOut] = Field(
        description="Of the document from what is in force on that day without the draft."
    )
    sets_aside: list[SetAsideOut] = Field(
        description="Overrides below this node that hold now and would not any more."
    )
    set_aside_from: date | None = Field(
        description="The day from which the draft itself would be set aside, by what is published already."
    )
