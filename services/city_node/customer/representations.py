"""What is answered about customers: the documents of JSON that PostgreSQL builds."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.city_node.customer.models import (
    ChangeAction,
    ChangeSource,
    ContractTerm,
    CustomerKind,
    DocumentType,
    Level,
    Library,
    MediumKind,
    Sex,
    SubscriptionStatus,
)
from services.city_node.customer.privacy import MaskedDay


class SubscriptionOut(BaseModel):
    """A line with its SIM in use."""

    id: UUID
    msisdn: str
    brand: str | None
    plan: str | None
    contract_term: ContractTerm
    status: SubscriptionStatus
    entry_date: date
    ended_on: date | None
    handset: str | None
    imei: str | None
    iccid: str | None
    imsi: str | None


class ContactOut(BaseModel):
    """A contact medium; ``value`` is masked for those who may not use it."""

    id: UUID
    kind: MediumKind
    value: str
    preferred: bool
    preferred_hours: str | None


class BillOut(BaseModel):
    """A month's bill of a line."""

    subscription_id: UUID
    period: date
    charge_fen: int
    paid_on: date | None


class Arrears(BaseModel):
    """What is unpaid after its due day, the last day of the month after the billed one."""

    amount_fen: int
    bills: int
    oldest_period: date | None
    days_overdue: int = Field(description="Since the due day of the oldest.")


class ManagerOut(BaseModel):
    """The account manager who looks after a customer."""

    id: UUID
    username: str
    display_name: str
    unit_code: str
    active: bool


class FieldChange(BaseModel):
    """One field before and after."""

    field: str
    old: Any
    new: Any


class ChangeOut(BaseModel):
    """A change of a customer: who, when, from where, what."""

    id: int
    at: datetime
    by: str
    source: ChangeSource
    action: ChangeAction
    cause_id: UUID | None = Field(description="The import or message that made the change.")
    changes: list[FieldChange]


class CustomerOut(BaseModel):
    """A customer's profile; parts that other capabilities offer stand beside those named here."""

    model_config = ConfigDict(extra="allow")

    id: UUID
    customer_number: str = Field(examples=["44030000000017"])
    kind: CustomerKind
    library: Library
    name: str
    sex: Sex
    birth_date: date | MaskedDay | None
    document_type: DocumentType | None
    document_masked: str | None = Field(examples=["4403**********1237"])
    document_number: str | None = Field(
        default=None,
        description="In clear: only when `fields` names it and the caller holds customer:document; the look is recorded.",
    )
    level: Level
    unit_code: str
    manager_id: UUID | None
    contract_term: ContractTerm
    payment_method: str | None
    monthly_charge_fen: int
    total_charge_fen: int
    entry_date: date
    left_on: date | None
    left_reason: str | None
    left_destination: str | None
    left_competitor: str | None
    left_note: str | None
    attributes: dict[str, Any]
    source: str | None
    source_key: str | None
    version: int
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str
    subscriptions: list[SubscriptionOut] = Field(
        default_factory=list, description="With `include=subscriptions`, 100 at most."
    )
    contacts: list[ContactOut] = Field(
        default_factory=list, description="With `include=contacts`, 50 at most."
    )
    bills: list[BillOut] = Field(
        default_factory=list, description="With `include=bills`, the latest 24."
    )
    changes: list[ChangeOut] = Field(
        default_factory=list, description="With `include=changes`, the latest 20."
    )
    arrears: Arrears | None = Field(default=None, description="With `include=arrears`.")
    manager: ManagerOut | None = Field(default=None, description="With `include=manager`.")


class CustomerPage(BaseModel):
    """A page of customers."""

    items: list[CustomerOut]
    next: str | None
    count: int | None = None


class ContactPage(BaseModel):
    """A page of contact media."""

    items: list[ContactOut]
    next: str | None
    count: int | None = None


class BillPage(BaseModel):
    """A page of bills."""

    items: list[BillOut]
    next: str | None
    count: int | None = None


class ChangePage(BaseModel):
    """A page of changes, the latest first."""

    items: list[ChangeOut]
    next: str | None
    count: int | None = None


class SubscriptionPage(BaseModel):
    """A page of lines."""

    items: list[SubscriptionOut]
    next: str | None
    count: int | None = None


class DocumentOut(BaseModel):
    """An identity document in clear."""

    document_type: DocumentType | None
    document_number: str | None
