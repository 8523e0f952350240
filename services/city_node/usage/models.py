"""The table of what lines used."""

from datetime import date
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base, one_of


class UsageKind(StrEnum):
    """What was used, and with it the unit of ``quantity``: seconds of voice, messages, kilobytes of data."""

    VOICE_LOCAL = "voice_local"
    VOICE_LONG_DISTANCE = "voice_long_distance"
    VOICE_ROAMING = "voice_roaming"
    SMS = "sms"
    DATA = "data"


class TimeBand(StrEnum):
    """The hours of the day: 08-18, 18-24 and 00-08; ``all`` is for a source that does not tell them apart."""

    DAY = "day"
    EVENING = "evening"
    NIGHT = "night"
    ALL = "all"


class UsageMonth(Base):
    """What a line used in one month, of one kind, in one band of hours.

    The largest table of a node. Its columns are ordered so that none is padded, and it has the one index of its key:
    a customer's usage is found by the customer's lines. Months arrive in order, so that a block-range index, of a few
    pages, tells where one month lies. It has no foreign keys: to check one takes longer than to write the row with its
    index, and whoever writes rows has just found the line. So whoever erases a line erases its usage first.
    """

    __tablename__ = "usage_month"
    __table_args__ = (
        one_of("kind", UsageKind, "kind"),
        one_of("band", TimeBand, "band"),
        CheckConstraint("extract(day FROM period) = 1", name="period"),
        CheckConstraint("quantity >= 0", name="quantity"),
        Index(
            "usage_month_period_idx",
            "period",
            postgresql_using="brin",
            postgresql_with={"autosummarize": "on"},
        ),
    )

    subscription_id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID]
    """Who held the line: the holder of the subscription, kept beside it for counts over customers."""
    quantity: Mapped[int]
    """Seconds, messages or kilobytes."""
    charge_fen: Mapped[int]
    period: Mapped[date] = mapped_column(primary_key=True)
    """First day of the month."""
    kind: Mapped[str] = mapped_column(primary_key=True)
    band: Mapped[str] = mapped_column(primary_key=True)
