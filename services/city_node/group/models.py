"""Tables of group customers."""

from datetime import date
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base, one_of


class SizeClass(StrEnum):
    """Size by the statistical classes of large, medium, small and micro enterprises."""

    LARGE = "large"
    MEDIUM = "medium"
    SMALL = "small"
    MICRO = "micro"


class DecisionRole(StrEnum):
    """What a key person is to a purchase."""

    INITIATOR = "initiator"
    USER = "user"
    INFLUENCER = "influencer"
    GATEKEEPER = "gatekeeper"
    DECIDER = "decider"
    APPROVER = "approver"
    BUYER = "buyer"


class Attitude(StrEnum):
    """How a key person stands to the operator."""

    SUPPORTIVE = "supportive"
    NEUTRAL = "neutral"
    OPPOSED = "opposed"


class Industry(Base):
    """A section or division of GB/T 4754-2017, as the release has it."""

    __tablename__ = "industry"

    code: Mapped[str] = mapped_column(primary_key=True)
    """A letter for a section, two digits for a division."""
    section: Mapped[str]
    name_zh: Mapped[str]
    name_en: Mapped[str]


class Enterprise(Base):
    """The facts of one group customer."""

    __tablename__ = "enterprise"
    __table_args__ = (
        one_of("size_class", SizeClass, "size_class"),
        CheckConstraint("employees >= 0", name="employees"),
        CheckConstraint(r"parent_customer_number ~ '^[0-9]{14}$'", name="parent_customer_number"),
        Index("enterprise_industry_code_idx", "industry_code"),
        Index(
            "enterprise_parent_customer_number_idx",
            "parent_customer_number",
            postgresql_where=text("parent_customer_number IS NOT NULL"),
        ),
    )

    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"), primary_key=True)
    industry_code: Mapped[str | None] = mapped_column(ForeignKey("industry.code"))
    size_class: Mapped[str | None]
    employees: Mapped[int | None]
    registered_capital_fen: Mapped[int | None]
    annual_revenue_fen: Mapped[int | None]
    founded_on: Mapped[date | None]
    legal_representative: Mapped[str | None]
    website: Mapped[str | None]
    address: Mapped[str | None]
    telecom_budget_fen: Mapped[int | None]
    """What it spends on telecommunications in a year, with all operators."""
    parent_name: Mapped[str | None]
    parent_customer_number: Mapped[str | None]
    """Number of the group above, perhaps of another node."""


class KeyPerson(Base):
    """A person in a group who has a say in what it buys."""

    __tablename__ = "key_person"
    __table_args__ = (
        one_of("decision_role", DecisionRole, "decision_role"),
        one_of("attitude", Attitude, "attitude"),
        CheckConstraint("name <> ''", name="name"),
        CheckConstraint("decision_order > 0", name="decision_order"),
        CheckConstraint("influence BETWEEN 1 AND 5", name="influence"),
        CheckConstraint("num_nonnulls(phone, phone_cipher) < 2", name="phone"),
        CheckConstraint("num_nonnulls(email, email_cipher) < 2", name="email"),
        Index("key_person_customer_id_idx", "customer_id", "decision_order"),
        Index(
            "key_person_phone_index_idx",
            "phone_index",
            postgresql_where=text("phone_index IS NOT NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"))
    name: Mapped[str]
    title: Mapped[str | None]
    department: Mapped[str | None]
    decision_role: Mapped[str | None]
    decision_order: Mapped[int | None]
    """Place in the decision chain: 1 is asked first."""
    influence: Mapped[int | None]
    attitude: Mapped[str | None]
    birth_date: Mapped[date | None]
    phone: Mapped[str | None]
    phone_masked: Mapped[str | None]
    email: Mapped[str | None]
    email_masked: Mapped[str | None]
    note: Mapped[str | None]
    phone_cipher: Mapped[bytes | None]
    phone_index: Mapped[bytes | None]
    email_cipher: Mapped[bytes | None]
    email_index: Mapped[bytes | None]


class GroupMember(Base):
    """An individual customer who belongs, or belonged, to a group."""

    __tablename__ = "group_member"
    __table_args__ = (
        CheckConstraint("until > since", name="term"),
        CheckConstraint("member_id <> customer_id", name="another"),
        Index(
            "group_member_present_key",
            "member_id",
            unique=True,
            postgresql_where=text("until IS NULL"),
        ),
        Index("group_member_member_id_idx", "member_id"),
        Index("group_member_customer_id_idx", "customer_id", "since", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"))
    """The group."""
    member_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"))
    position: Mapped[str | None]
    short_number: Mapped[str | None]
    """The member's number within the group's private network (虚拟网短号)."""
    since: Mapped[date]
    until: Mapped[date | None]
    """First day on which they no longer belong."""
