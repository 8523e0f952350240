"""What became of each job's runs, kept in the database: any process may have run it, and nodes are started again."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base


class JobRecord(Base):
    """One job of this node, and how its runs went."""

    __tablename__ = "node_job"

    name: Mapped[str] = mapped_column(primary_key=True)
    last_succeeded_at: Mapped[datetime | None]
    """When the last run that did its work began."""
    last_seconds: Mapped[float]
    """How long the last run took, whether it did its work or not."""
    runs: Mapped[int] = mapped_column(server_default=text("0"))
    failures: Mapped[int] = mapped_column(server_default=text("0"))


async def note_run(
    session: AsyncSession, name: str, *, began: datetime, seconds: float, succeeded: bool
) -> None:
    """Note that a run of the job has ended."""
    statement = insert(JobRecord).values(
        name=name,
        last_succeeded_at=began if succeeded else None,
        last_seconds=seconds,
        runs=1,
        failures=0 if succeeded else 1,
    )
    new = statement.excluded
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=[JobRecord.name],
            set_={
                "last_succeeded_at": new.last_succeeded_at
                if succeeded
                else JobRecord.last_succeeded_at,
                "last_seconds": new.last_seconds,
                "runs": JobRecord.runs + new.runs,
                "failures": JobRecord.failures + new.failures,
            },
        )
    )


async def job_records(session: AsyncSession) -> Sequence[JobRecord]:
    """Return how the runs of every job went that ever ran here."""
    return (await session.scalars(select(JobRecord).order_by(JobRecord.name))).all()
