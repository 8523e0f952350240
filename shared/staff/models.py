"""Tables of staff and their sign-ins."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base


class StaffKind(StrEnum):
    """Whether somebody or something signs in."""

    PERSON = "person"
    SERVICE = "service"


class StaffAction(StrEnum):
    """What was done to a member of staff."""

    CREATED = "created"
    CHANGED = "changed"
    PASSWORD = "password"  # noqa: S105 - the name of an action


class StaffMember(Base):
    """An account: a person, or a program that works for the node."""

    __tablename__ = "staff_member"
    __table_args__ = (
        CheckConstraint("kind IN ('person', 'service')", name="kind"),
        CheckConstraint("username = lower(username)", name="username"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(unique=True)
    """In lower case, and so unique however it is typed. It never changes: the history names people by it."""
    kind: Mapped[str]
    display_name: Mapped[str]
    role: Mapped[str]
    unit_code: Mapped[str] = mapped_column(ForeignKey("organisation_unit.code"), index=True)
    password_hash: Mapped[str]
    """Argon2id, in the form that names its parameters."""
    active: Mapped[bool] = mapped_column(server_default=text("true"))
    version: Mapped[int] = mapped_column(server_default=text("1"))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class StaffChange(Base):
    """Who did what to an account, and when; a hash is never in it."""

    __tablename__ = "staff_change"
    __table_args__ = (Index(None, "staff_id", "changed_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    staff_id: Mapped[UUID] = mapped_column(ForeignKey(StaffMember.id))
    changed_at: Mapped[datetime]
    changed_by: Mapped[str]
    """A username, or ``command:`` and the name of the machine's user."""
    action: Mapped[str]
    changes: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """For each changed field ``{"old": ..., "new": ...}``."""


class SignInSession(Base):
    """A sign-in, from the password to the sign-out; ``sid`` in its access tokens."""

    __tablename__ = "staff_session"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    staff_id: Mapped[UUID] = mapped_column(ForeignKey(StaffMember.id), index=True)
    scope: Mapped[str | None]
    """The permissions that were asked for, if fewer than the role holds."""
    address: Mapped[str | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    revoked_at: Mapped[datetime | None]


class RefreshToken(Base):
    """A refresh token, by its hash; it works once, and a second use betrays that it was copied."""

    __tablename__ = "staff_refresh_token"

    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    session_id: Mapped[UUID] = mapped_column(
        ForeignKey(SignInSession.id, ondelete="CASCADE"), index=True
    )
    issued_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class SignInFailure(Base):
    """Wrong passwords in a row for a username, whether or not there is such an account."""

    __tablename__ = "staff_sign_in_failure"

    username: Mapped[str] = mapped_column(primary_key=True)
    failures: Mapped[int]
    failed_at: Mapped[datetime] = mapped_column(index=True)
    """When the last one was."""
    blocked_until: Mapped[datetime | None]
