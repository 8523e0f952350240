"""The bodies that are taken. What is answered is in :mod:`~services.city_node.customer.representations`."""

import math
import re
from datetime import UTC, date, datetime
from functools import partial
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from services.city_node.customer.identity import (
    check_document,
    check_iccid,
    check_imei,
    check_imsi,
    check_medium,
    check_msisdn,
)
from services.city_node.customer.models import (
    ContractTerm,
    CustomerKind,
    DocumentType,
    Level,
    MediumKind,
    Sex,
)
from shared.kernel.language import Text
from shared.kernel.wording import Unfit

EARLIEST = date(1900, 1, 1)
LATEST = date(2999, 12, 31)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_LINE_BREAK = re.compile(r"[\t\r\n]")
_DEEPEST = 5
_LARGEST_INTEGER = 2**63 - 1
_MOST_VALUES = 500
_LONGEST_VALUE = 4000


def clean(text: str) -> str:
    """Return a line of text without space around it; control characters and halves of characters are refused."""
    if _CONTROL.search(text) or _LINE_BREAK.search(text):
        raise Unfit(
            Text(
                "contains a control character or half of a character", "含有控制字符或不完整的字符"
            )
        )
    return text


def clean_prose(text: str) -> str:
    """Return text of several lines; control characters and halves of characters are refused."""
    if _CONTROL.search(text):
        raise Unfit(
            Text(
                "contains a control character or half of a character", "含有控制字符或不完整的字符"
            )
        )
    return text


def _open_value(value: object, depth: int = 0) -> int:
    """Count the values in ``value``; refuse what a database or another reader of JSON would not take."""
    if depth > _DEEPEST:
        raise Unfit(
            Text("is nested deeper than {deepest} levels", "嵌套超过 {deepest} 层"),
            deepest=_DEEPEST,
        )
    if isinstance(value, dict):
        return sum(
            _open_value(key, depth + 1) + _open_value(item, depth + 1)
            for key, item in value.items()
        )
    if isinstance(value, list):
        return 1 + sum(_open_value(item, depth + 1) for item in value)
    if isinstance(value, str) and (_CONTROL.search(value) or len(value) > _LONGEST_VALUE):
        raise Unfit(
            Text(
                "has a text with a control character, or longer than {longest_value} characters",
                "有文本含控制字符，或超过 {longest_value} 个字符",
            ),
            longest_value=_LONGEST_VALUE,
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise Unfit(Text("has a number that is not finite", "有数字不是有限值"))
    if isinstance(value, int) and abs(value) > _LARGEST_INTEGER:
        raise Unfit(Text("has an integer of more than 64 bits", "有整数超过 64 位"))
    return 1


def check_attributes(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return open attributes if they are of a size and kind that any reader of JSON takes."""
    if _open_value(attributes) > _MOST_VALUES:
        raise Unfit(
            Text("has more than {most_values} names and values", "名称与值超过 {most_values} 个"),
            most_values=_MOST_VALUES,
        )
    return attributes


def written_day(value: object) -> object:
    """Return a day that was written as one: a number would be taken for seconds since 1970."""
    if not isinstance(value, str | date | None):
        raise Unfit(Text("must be a date such as 2026-11-01", "必须是日期，如 2026-11-01"))
    return value


def written_moment(value: object) -> object:
    """Return a moment that was written as one: a number would be taken for seconds since 1970."""
    if isinstance(value, datetime | None) or (isinstance(value, str) and "T" in value):
        return value
    raise Unfit(
        Text(
            "must be a moment such as 2026-11-01T09:30:00+08:00",
            "必须是时间，如 2026-11-01T09:30:00+08:00",
        )
    )


Line = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(clean),
]
Prose = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=4000),
    AfterValidator(clean_prose),
]
Day = Annotated[date, BeforeValidator(written_day), Field(ge=EARLIEST, le=LATEST)]
Fen = Annotated[int, Field(ge=0, le=2**53, description="In fen.")]
Moment = Annotated[
    AwareDatetime,
    BeforeValidator(written_moment),
    Field(ge=datetime(1900, 1, 1, tzinfo=UTC), le=datetime(2999, 12, 31, tzinfo=UTC)),
]
Code = Annotated[str, StringConstraints(pattern=r"^[0-9]{6}(-[0-9A-Za-z]{1,12})*$")]
Msisdn = Annotated[str, AfterValidator(check_msisdn), Field(examples=["13800138000"])]
Iccid = Annotated[str, AfterValidator(check_iccid), Field(examples=["89860026112345678901"])]
Imsi = Annotated[str, AfterValidator(check_imsi), Field(examples=["460001234567890"])]
Imei = Annotated[str, AfterValidator(check_imei), Field(examples=["490154203237518"])]
Phone = Annotated[
    Line, AfterValidator(partial(check_medium, MediumKind.PHONE)), Field(examples=["13800138000"])
]
Email = Annotated[
    Line,
    AfterValidator(partial(check_medium, MediumKind.EMAIL)),
    Field(examples=["name@example.com"]),
]
Attributes = Annotated[dict[str, Any], AfterValidator(check_attributes)]


class Body(BaseModel):
    """A request body: what it does not know, it refuses."""

    model_config = ConfigDict(extra="forbid", use_enum_values=True)


class Document(BaseModel):
    """The identity document within a body."""

    document_type: DocumentType | None = None
    document_number: Line | None = Field(
        default=None, description="Kept encrypted; shown masked.", examples=["440300199001011237"]
    )

    @field_validator("document_number")
    @classmethod
    def _fits_its_type(cls, number: str | None, info: ValidationInfo) -> str | None:
        kind = info.data.get("document_type")
        return check_document(kind, number) if kind and number else number

    @model_validator(mode="after")
    def _document_whole(self) -> Self:
        given = {"document_type", "document_number"} & self.model_fields_set
        if len(given) == 1 or (self.document_type is None) != (self.document_number is None):
            raise Unfit(
                Text(
                    "give document_type and document_number together",
                    "document_type 与 document_number 须一并填写",
                )
            )
        return self


class CustomerCreate(Body, Document):
    """A new customer."""

    kind: CustomerKind = CustomerKind.INDIVIDUAL
    name: Line = Field(examples=["张伟"])
    sex: Sex = Sex.UNKNOWN
    birth_date: Day | None = None
    level: Level = Level.STANDARD
    unit_code: Code | None = Field(
        default=None,
        description="Unit that looks after the customer; the caller's own without it.",
        examples=["440300"],
    )
    manager_id: UUID | None = None
    contract_term: ContractTerm = ContractTerm.NONE
    payment_method: Line | None = None
    entry_date: Day | None = Field(default=None, description="入网日期; today without it.")
    attributes: Attributes = Field(default_factory=dict)


class CustomerPatch(Body, Document):
    """A JSON merge patch (RFC 7396) of a customer: what is absent stays, ``null`` empties."""

    name: Line | None = None
    sex: Sex | None = None
    birth_date: Day | None = None
    level: Level | None = None
    unit_code: Code | None = None
    manager_id: UUID | None = None
    contract_term: ContractTerm | None = None
    payment_method: Line | None = None
    entry_date: Day | None = None
    attributes: Attributes | None = Field(
        default=None, description="Merged: a member that is `null` is removed."
    )

    @model_validator(mode="after")
    def _not_emptied(self) -> Self:
        for name in (
            "name",
            "sex",
            "level",
            "unit_code",
            "contract_term",
            "entry_date",
            "attributes",
        ):
            if name in self.model_fields_set and getattr(self, name) is None:
                raise Unfit(
                    Text(
                        "{name} cannot be empty: leave it out to keep it",
                        "{name} 不能为空：如不修改，请不要填写",
                    ),
                    name=name,
                )
        return self


class Departure(Body):
    """Why and where a customer went."""

    reason: Line = Field(
        description="A code of `GET /departure-reasons`, or one of its names; anything else counts as `other`, and is kept as the note.",
        examples=["price"],
    )
    destination: Line | None = Field(
        default=None,
        description="The competitor or place the customer went to.",
        examples=["中国联通"],
    )
    competitor: Line | None = Field(
        default=None,
        description="A code of `GET /competitors`; that of the destination without it, if it is one.",
        examples=["china_unicom"],
    )
    note: Prose | None = Field(default=None, description="What else was said.")
    on: Day | None = Field(default=None, description="The day the customer left; today without it.")


class SubscriptionCreate(Body):
    """A new line, with its SIM if the card is at hand."""

    msisdn: Msisdn
    brand: Line | None = Field(default=None, examples=["全球通"])
    plan: Line | None = None
    contract_term: ContractTerm = ContractTerm.NONE
    entry_date: Day | None = None
    iccid: Iccid | None = None
    imsi: Imsi | None = None
    handset: Line | None = Field(default=None, description="Make and model of the telephone.")
    imei: Imei | None = None

    @model_validator(mode="after")
    def _sim_whole(self) -> Self:
        if (self.iccid is None) != (self.imsi is None):
            raise Unfit(
                Text(
                    "give iccid and imsi together: they are of one card",
                    "iccid 与 imsi 属同一张卡，须一并填写",
                )
            )
        return self


class SubscriptionPatch(Body):
    """A JSON merge patch (RFC 7396) of a line: what is absent stays, ``null`` empties."""

    brand: Line | None = None
    plan: Line | None = None
    contract_term: ContractTerm | None = None
    handset: Line | None = None
    imei: Imei | None = None

    @model_validator(mode="after")
    def _not_emptied(self) -> Self:
        if "contract_term" in self.model_fields_set and self.contract_term is None:
            raise Unfit(
                Text(
                    "contract_term cannot be empty: leave it out to keep it",
                    "contract_term 不能为空：如不修改，请不要填写",
                )
            )
        return self


class ContactCreate(Body):
    """A way to reach the customer."""

    kind: MediumKind
    value: Line = Field(examples=["13800138000"])
    preferred: bool = Field(
        default=False, description="Takes the preference from the medium that had it."
    )
    preferred_hours: (
        Annotated[
            str,
            StringConstraints(
                pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$"
            ),
        ]
        | None
    ) = Field(default=None, examples=["09:00-11:30"])

    @field_validator("value")
    @classmethod
    def _fits_its_kind(cls, value: str, info: ValidationInfo) -> str:
        return check_medium(info.data["kind"], value) if "kind" in info.data else value
