"""Tables of customers and of what they hold."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Sequence,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base, one_of

ByteOrder = Text(collation="C")
"""Text in byte order: one order on every server, and an index that answers prefixes too."""

customer_number_sequence = Sequence("customer_number_seq", metadata=Base.metadata)
"""What follows the division code in a customer number."""


class CustomerKind(StrEnum):
    """A person or an organisation."""

    INDIVIDUAL = "individual"
    GROUP = "group"


class Library(StrEnum):
    """Where a profile is kept: 在网档案库 or 保留档案库."""

    IN_NETWORK = "in_network"
    RETAINED = "retained"


class Sex(StrEnum):
    """As the identity document has it."""

    MALE = "male"
    FEMALE = "female"
    UNKNOWN = "unknown"


class Level(StrEnum):
    """Level of service, highest first."""

    DIAMOND = "diamond"
    GOLD = "gold"
    SILVER = "silver"
    STANDARD = "standard"


class DocumentType(StrEnum):
    """What proves who the customer is."""

    ID_CARD = "id_card"
    PASSPORT = "passport"
    RESIDENCE_PERMIT = "residence_permit"
    OFFICER_CARD = "officer_card"
    BUSINESS_LICENCE = "business_licence"
    OTHER = "other"


class ContractTerm(StrEnum):
    """How long the customer is bound."""

    NONE = "none"
    MONTHLY = "monthly"
    ONE_YEAR = "one_year"
    TWO_YEAR = "two_year"


class MediumKind(StrEnum):
    """A way to reach a customer."""

    PHONE = "phone"
    EMAIL = "email"
    POSTAL = "postal"


class SubscriptionStatus(StrEnum):
    """Whether a line is in use."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    ENDED = "ended"


class SimState(StrEnum):
    """Whether a SIM is the one in use."""

    ACTIVE = "active"
    REPLACED = "replaced"
    ENDED = "ended"


class ChangeSource(StrEnum):
    """Where a change came from."""

    REST = "rest"
    IMPORT = "import"
    MESSAGE = "message"
    COMMAND = "command"


class ChangeAction(StrEnum):
    """What a change did."""

    CREATED = "created"
    CHANGED = "changed"
    RETIRED = "retired"
    RESTORED = "restored"
    SUBSCRIBED = "subscribed"
    CONTACT_ADDED = "contact_added"
    PART_ADDED = "part_added"
    PART_CHANGED = "part_changed"
    PART_REMOVED = "part_removed"
    IMPORT_UNDONE = "import_undone"
    MERGED = "merged"
    UNMERGED = "unmerged"
    MOVED_OUT = "moved_out"
    MOVED_IN = "moved_in"


ERASED = "erased"
"""What stands for the library of a customer who was erased: in neither, found by nobody, kept for statistics."""


class Customer(Base):
    """The profile of one key customer, and the row that a change of anything below it locks."""

    __tablename__ = "customer"
    __table_args__ = (
        one_of("kind", CustomerKind, "kind"),
        CheckConstraint("library IN ('in_network', 'retained', 'erased')", name="library"),
        one_of("sex", Sex, "sex"),
        one_of("level", Level, "level"),
        one_of("document_type", DocumentType, "document_type"),
        one_of("contract_term", ContractTerm, "contract_term"),
        CheckConstraint("name <> ''", name="name"),
        CheckConstraint("version > 0", name="version"),
        CheckConstraint("(library = 'in_network') = (left_on IS NULL)", name="left"),
        CheckConstraint(
            "num_nulls(document_type, document_cipher, document_index, document_masked) IN (0, 4)",
            name="document",
        ),
        CheckConstraint("num_nulls(source, source_key) IN (0, 2)", name="source"),
        Index("customer_document_index_key", "document_index", unique=True),
        Index("customer_source_key", "source", "source_key", unique=True),
        Index("customer_name_idx", "name"),
        Index("customer_by_name", "library", "name_sort", "id"),
        Index("customer_by_charge", "library", "monthly_charge_fen", "id"),
        # Who is charged more is mostly of a higher level: by charge alone, a list of one level walks past the others.
        Index("customer_by_level_charge", "library", "level", "monthly_charge_fen", "id"),
        Index("customer_by_entry", "library", "entry_date", "id"),
        Index("customer_by_update", "library", "updated_at", "id"),
        Index(
            "customer_manager_idx", "manager_id", postgresql_where=text("manager_id IS NOT NULL")
        ),
        Index("customer_unit_code_idx", "unit_code", "library"),
        Index(
            "customer_retained_left_on_idx",
            "left_on",
            "id",
            postgresql_where=text("library = 'retained'"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_number: Mapped[str] = mapped_column(unique=True)
    """Division code and running number, for people to say and type."""
    kind: Mapped[str]
    library: Mapped[str] = mapped_column(server_default=text("'in_network'"))
    name: Mapped[str] = mapped_column(ByteOrder)
    name_sort: Mapped[str] = mapped_column(ByteOrder)
    """Pinyin of the name: its order in lists, and how it is found by typing letters."""
    sex: Mapped[str] = mapped_column(server_default=text("'unknown'"))
    birth_date: Mapped[date | None]
    document_type: Mapped[str | None]
    document_cipher: Mapped[bytes | None]
    document_index: Mapped[bytes | None]
    """Blind index of the number: found by exact number, and held by one customer of the node."""
    document_masked: Mapped[str | None]
    level: Mapped[str] = mapped_column(server_default=text("'standard'"))
    unit_code: Mapped[str] = mapped_column(ForeignKey("organisation_unit.code"))
    manager_id: Mapped[UUID | None]
    contract_term: Mapped[str] = mapped_column(server_default=text("'none'"))
    payment_method: Mapped[str | None]
    monthly_charge_fen: Mapped[int] = mapped_column(server_default=text("0"))
    """What the customer pays a month at present, as the latest bill has it."""
    total_charge_fen: Mapped[int] = mapped_column(server_default=text("0"))
    """What the customer has been billed since entry."""
    entry_date: Mapped[date]
    """入网日期: tenure is counted from it."""
    left_on: Mapped[date | None]
    left_reason: Mapped[str | None] = mapped_column(ForeignKey("departure_reason.code"))
    left_destination: Mapped[str | None]
    attributes: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    """What the system does not compute with."""
    source: Mapped[str | None]
    source_key: Mapped[str | None]
    """Which row of which source the profile was imported from."""
    version: Mapped[int] = mapped_column(server_default=text("1"))
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    updated_at: Mapped[datetime]
    updated_by: Mapped[str]
    left_competitor: Mapped[str | None] = mapped_column(ForeignKey("competitor.code"))
    """The operator the customer went to; the destination is as somebody wrote it."""
    left_note: Mapped[str | None]
    """What was said about leaving beside the reason's code."""


class ContactMedium(Base):
    """A way to reach a customer."""

    __tablename__ = "contact_medium"
    __table_args__ = (
        one_of("kind", MediumKind, "kind"),
        CheckConstraint("num_nonnulls(value, value_cipher) = 1", name="value"),
        CheckConstraint("num_nulls(value_cipher, value_index) IN (0, 2)", name="sealed"),
        Index("contact_medium_value_key", "value_index", "customer_id", "kind", unique=True),
        Index("contact_medium_customer_id_idx", "customer_id"),
        Index("contact_medium_clear_idx", "value", postgresql_where=text("value IS NOT NULL")),
        Index(
            "contact_medium_preferred_key",
            "customer_id",
            unique=True,
            postgresql_where=text("preferred"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"))
    kind: Mapped[str]
    value: Mapped[str | None]
    """In clear, as earlier releases kept it, until it is sealed."""
    value_masked: Mapped[str]
    preferred: Mapped[bool] = mapped_column(server_default=text("false"))
    """At most one of a customer's media."""
    preferred_hours: Mapped[str | None]
    """When the customer wants to be reached, such as ``09:00-11:00``."""
    value_cipher: Mapped[bytes | None]
    value_index: Mapped[bytes | None]
    """Blind index of the value: found by exact number or address, and held once by a customer."""


class Subscription(Base):
    """A line of a customer. The SIM in use is the one active row of :class:`Sim`."""

    __tablename__ = "subscription"
    __table_args__ = (
        one_of("status", SubscriptionStatus, "status"),
        one_of("contract_term", ContractTerm, "contract_term"),
        CheckConstraint("(status = 'ended') = (ended_on IS NOT NULL)", name="ended"),
        Index(
            "subscription_msisdn_key",
            "msisdn",
            unique=True,
            postgresql_where=text("status <> 'ended'"),
        ),
        Index("subscription_customer_id_idx", "customer_id"),
        Index("subscription_msisdn_idx", "msisdn", "entry_date"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"))
    msisdn: Mapped[str]
    brand: Mapped[str | None]
    plan: Mapped[str | None]
    contract_term: Mapped[str] = mapped_column(server_default=text("'none'"))
    status: Mapped[str] = mapped_column(server_default=text("'active'"))
    entry_date: Mapped[date]
    ended_on: Mapped[date | None]
    handset: Mapped[str | None]
    """Make and model of the telephone that is used with the line."""
    imei: Mapped[str | None]
    """The telephone's own number (3GPP TS 23.003)."""


class Sim(Base):
    """A SIM that is or was on a line: never on two, and one active at most on each."""

    __tablename__ = "sim"
    __table_args__ = (
        one_of("state", SimState, "state"),
        CheckConstraint("(state = 'active') = (ended_at IS NULL)", name="ended"),
        Index(
            "sim_subscription_active_key",
            "subscription_id",
            unique=True,
            postgresql_where=text("state = 'active'"),
        ),
    )

    iccid: Mapped[str] = mapped_column(primary_key=True)
    imsi: Mapped[str] = mapped_column(unique=True)
    state: Mapped[str] = mapped_column(server_default=text("'active'"))
    subscription_id: Mapped[UUID] = mapped_column(ForeignKey("subscription.id"), index=True)
    activated_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class Bill(Base):
    """What a line was charged for one month."""

    __tablename__ = "bill"
    __table_args__ = (
        CheckConstraint("extract(day FROM period) = 1", name="period"),
        Index("bill_period_key", "subscription_id", "period", unique=True),
        Index("bill_customer_id_idx", "customer_id", "period"),
        Index("bill_import_number_idx", "import_number", postgresql_using="brin"),
        # Months arrive in order: a few pages that tell where the months of a window lie.
        Index(
            "bill_period_idx",
            "period",
            postgresql_using="brin",
            postgresql_with={"autosummarize": "on"},
        ),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    subscription_id: Mapped[UUID] = mapped_column(ForeignKey("subscription.id"))
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"))
    period: Mapped[date]
    """First day of the month that is billed."""
    charge_fen: Mapped[int]
    paid_on: Mapped[date | None]
    import_number: Mapped[int | None] = mapped_column(Integer)
    """Which import wrote it last; nothing if it was made or changed otherwise."""


class CustomerChange(Base):
    """One change: who, when, from where, and each field's old and new value; written with the change itself."""

    __tablename__ = "customer_change"
    __table_args__ = (
        one_of("source", ChangeSource, "source"),
        Index("customer_change_customer_id_idx", "customer_id", "id"),
        Index(
            "customer_change_suspended_idx",
            "customer_id",
            "at",
            postgresql_where=text("""changes @> '[{"new": "suspended"}]'"""),
        ),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    customer_id: Mapped[UUID]
    """Whose history it is: no reference, for the history of a customer who was merged outlives the profile."""
    at: Mapped[datetime]
    by: Mapped[str]
    source: Mapped[str]
    action: Mapped[str]
    changes: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    """``[{"field", "old", "new"}]``; document numbers masked."""
    cause_id: Mapped[UUID | None]
    """The import or message that made the change."""


class MergedCustomer(Base):
    """What is left in the place of a profile that was merged into another: where to find it now."""

    __tablename__ = "merged_customer"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    """The id that the profile had."""
    customer_number: Mapped[str] = mapped_column(unique=True)
    survivor_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"), index=True)
    """Follows, like all that a customer holds, if the survivor is merged into a third."""
    at: Mapped[datetime]


class CustomerFurtherKey(Base):
    """A further key by which a source knows a customer: that of a profile that was merged into the customer's."""

    __tablename__ = "customer_further_key"
    __table_args__ = (Index("customer_further_key_customer_id_idx", "customer_id"),)

    source: Mapped[str] = mapped_column(primary_key=True)
    source_key: Mapped[str] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"))
    """Follows, like all that a customer holds, if the customer is merged into another."""
    at: Mapped[datetime]
