"""What organisation units look like over HTTP."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared.organisation.models import UnitKind

Name = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$"
    ),
]
UnitCode = Annotated[str, StringConstraints(pattern=r"^[0-9a-z-]+$", max_length=100)]
"""What could be the code of a unit; whether it is one is for the tree to say."""

_TEAM: dict[str, Any] = {
    "code": "440300-01",
    "parent_code": "440300",
    "path": "000000/440000/440300/440300-01/",
    "kind": "team",
    "name_zh": "大客户一组",
    "name_en": "Key customers, team 1",
    "active": True,
    "version": 1,
    "created_at": "2026-11-23T04:00:00Z",
    "updated_at": "2026-11-23T04:00:00Z",
}


class UnitOut(BaseModel):
    """An organisation unit."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [_TEAM]})

    code: str = Field(description="Division code, or the code of a team or hall below one.")
    parent_code: str | None = Field(description="The unit above; none above HQ.")
    path: str = Field(description="The codes from HQ down to the unit, each followed by a slash.")
    kind: UnitKind
    name_zh: str
    name_en: str
    active: bool
    version: int
    created_at: datetime
    updated_at: datetime


class UnitPage(BaseModel):
    """A page of organisation units; with `fields`, only those of each."""

    items: list[UnitOut]
    next: str | None = Field(description="Cursor of the next page; null on the last.")
    count: int | None = Field(default=None, description="How many there are in all, if asked for.")


class NewUnit(BaseModel):
    """A team or hall to be made."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    name: _TEAM[name]
                    for name in ("code", "parent_code", "kind", "name_zh", "name_en")
                }
            ]
        },
    )

    code: str = Field(
        max_length=100, description="The parent's code, a hyphen, and 2 to 20 of a-z and 0-9."
    )
    parent_code: UnitCode = Field(
        description="This node's division, or an active team or hall below it."
    )
    kind: Literal[UnitKind.TEAM, UnitKind.HALL]
    name_zh: Name
    name_en: Name


class UnitChange(BaseModel):
    """What to change of a team or hall; what is left out, or null, stays."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name_en": "Key customers, team 2"}]}
    )

    name_zh: Name | None = None
    name_en: Name | None = None
    active: bool | None = None
