"""What is taken and answered about group customers."""

from datetime import date
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field, StringConstraints, model_validator

from services.city_node.customer.privacy import MaskedDay
from services.city_node.customer.schemas import Body, Day, Email, Fen, Line, Phone, Prose
from services.city_node.group.models import Attitude, DecisionRole, SizeClass
from shared.kernel.language import Text
from shared.kernel.wording import Unfit
from shared.organisation.division import divisions
from shared.statistics.industry import industries

_DIVISION_DIGITS = 6


def _industry(code: str) -> str:
    if not any(industry["code"] == code for industry in industries()):
        raise Unfit(
            Text(
                "no section or division of GB/T 4754: see `GET /industries`",
                "不是 GB/T 4754 的门类或大类，见 GET /industries",
            )
        )
    return code


def _customer_number(number: str) -> str:
    if number[:_DIVISION_DIGITS] not in divisions():
        raise Unfit(
            Text(
                "a customer number begins with the division code of its node",
                "客户编号以所属节点的行政区划代码开头",
            )
        )
    return number


IndustryCode = Annotated[
    str,
    StringConstraints(pattern=r"^([A-T]|[0-9]{2})$"),
    AfterValidator(_industry),
    Field(examples=["39"]),
]
CustomerNumber = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{14}$"),
    AfterValidator(_customer_number),
    Field(examples=["11010000000042"]),
]


class EnterpriseWrite(Body):
    """The facts of a group."""

    industry_code: IndustryCode | None = None
    size_class: SizeClass | None = None
    employees: Annotated[int | None, Field(ge=0, le=10**8)] = None
    registered_capital_fen: Fen | None = None
    annual_revenue_fen: Fen | None = None
    founded_on: Day | None = None
    legal_representative: Line | None = None
    website: Line | None = None
    address: Line | None = None
    telecom_budget_fen: Fen | None = None
    parent_name: Line | None = None
    parent_customer_number: CustomerNumber | None = None


class EnterpriseOut(BaseModel):
    """The facts of a group, with its industry's names."""

    industry_code: str | None
    industry_zh: str | None
    industry_en: str | None
    size_class: SizeClass | None
    employees: int | None
    registered_capital_fen: int | None
    annual_revenue_fen: int | None
    founded_on: date | None
    legal_representative: str | None
    website: str | None
    address: str | None
    telecom_budget_fen: int | None
    parent_name: str | None
    parent_customer_number: str | None


class IndustryOut(BaseModel):
    """A section or division of GB/T 4754."""

    code: str
    section: str
    name_zh: str
    name_en: str


class IndustryList(BaseModel):
    """The industries, each division after its section."""

    items: list[IndustryOut]


class KeyPersonCreate(Body):
    """A person who has a say in what the group buys."""

    name: Line = Field(examples=["李娜"])
    title: Line | None = Field(default=None, examples=["信息中心主任"])
    department: Line | None = None
    decision_role: DecisionRole | None = None
    decision_order: Annotated[
        int | None, Field(ge=1, le=99, description="Place in the decision chain.")
    ] = None
    influence: Annotated[int | None, Field(ge=1, le=5)] = None
    attitude: Attitude | None = None
    birth_date: Day | None = None
    phone: Phone | None = None
    email: Email | None = None
    note: Prose | None = None


class KeyPersonOut(BaseModel):
    """A key person; name, date of birth, telephone and e-mail masked for those who may not see them."""

    id: UUID
    name: str
    title: str | None
    department: str | None
    decision_role: DecisionRole | None
    decision_order: int | None
    influence: int | None
    attitude: Attitude | None
    birth_date: date | MaskedDay | None
    phone: str | None
    email: str | None
    note: str | None


class GroupMemberCreate(Body):
    """An individual customer who belongs to the group."""

    member_id: UUID
    position: Line | None = None
    short_number: Annotated[str, StringConstraints(pattern=r"^[0-9]{3,8}$")] | None = None
    since: Day
    until: Day | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.until is not None and self.until <= self.since:
            raise Unfit(Text("until must lie after since", "until 必须晚于 since"))
        return self


class GroupMemberOut(BaseModel):
    """A member; names and numbers of customers outside the reader's unit are left out."""

    id: UUID
    member_id: UUID
    member_number: str | None
    member_name: str | None
    level: str | None
    position: str | None
    short_number: str | None
    since: date
    until: date | None
