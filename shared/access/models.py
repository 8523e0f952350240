"""The table of revoked sessions."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base


class RevokedSession(Base):
    """A session that ended before its access tokens did."""

    __tablename__ = "access_revoked_session"

    session_id: Mapped[UUID] = mapped_column(primary_key=True)
    until: Mapped[datetime] = mapped_column(index=True)
    """When the last access token of the session has expired, and the row is of no more use."""
