"""From whom figures are expected: the cities that the federation had at the end of a period.

The registry says what is now. When a city joined and when it was retired is noted as the registry changes, by a
trigger, for the registry forgets it: keys are changed, and a city that was revoked joins anew. A city is expected to
report a period if it had joined before the period's end and was not retired by then. So one that did not exist yet is
not missing, and one that is gone is missing only for the time when it was there.

The migration that made the trigger has it too: what is changed here is changed by another migration.
"""

from bisect import bisect_left
from collections.abc import Collection, Sequence
from datetime import datetime, time

from sqlalchemy import DDL, event
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.clock import BUSINESS_ZONE
from shared.kernel.database import Base, driver_connection
from shared.kernel.tier import Tier
from shared.organisation.division import division
from shared.statistics.period import Period


class StatisticsEnrolment(Base):
    """A time during which a city belonged to the federation."""

    __tablename__ = "statistics_enrolment"

    node: Mapped[str] = mapped_column(primary_key=True)
    since: Mapped[datetime] = mapped_column(primary_key=True)
    until: Mapped[datetime | None]


_FUNCTION = """
    CREATE FUNCTION statistics_note_enrolment() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.status = 'retired' THEN
            UPDATE statistics_enrolment SET until = greatest(NEW.entered_at, since)
            WHERE node = NEW.code AND until IS NULL;
        ELSIF NOT EXISTS (SELECT FROM statistics_enrolment WHERE node = NEW.code AND until IS NULL) THEN
            INSERT INTO statistics_enrolment (node, since)
            VALUES (NEW.code, least(NEW.entered_at, (NEW.keys->0->>'valid_from')::timestamptz))
            ON CONFLICT DO NOTHING;
        END IF;
        RETURN NULL;
    END $$"""
_TRIGGER = """
    CREATE TRIGGER statistics_note_enrolment AFTER INSERT OR UPDATE ON federation_registry
    FOR EACH ROW WHEN (NEW.code NOT LIKE '%0000') EXECUTE FUNCTION statistics_note_enrolment()"""

for _statement in (_FUNCTION, _TRIGGER):
    _ddl = DDL(_statement.replace("%", "%%"))  # type: ignore[no-untyped-call] # SQLAlchemy's own has no types
    event.listen(Base.metadata, "after_create", _ddl)


def moment_of_end(period: Period) -> datetime:
    """Return the moment at which a period is over."""
    return datetime.combine(period.end, time(), BUSINESS_ZONE)


async def expected_cities(
    session: AsyncSession, periods: Collection[Period], within: Collection[str], *, here: str
) -> dict[Period, Sequence[str]]:
    """Return the cities from which figures are expected, by period.

    Args:
        session: where to look.
        periods: months or days.
        within: codes of the cities in question.
        here: this node's code: a city by itself, which no registry knows, is expected to report to itself.
    """
    connection = await driver_connection(session)
    spans = [tuple(row) for row in await connection.fetch(_SPANS, list(within))]
    alone = division(here).tier is Tier.CITY and here in within
    if alone and all(node != here for node, _, _ in spans):
        spans.append((here, datetime.min.replace(tzinfo=BUSINESS_ZONE), None))
    # Between two moments at which somebody came or went, the same are there.
    moments = sorted({moment for _, *both in spans for moment in both if moment is not None})
    found: dict[int, Sequence[str]] = {}
    expected = {}
    for period in periods:
        end = moment_of_end(period)
        stretch = bisect_left(moments, end)
        if stretch not in found:
            found[stretch] = tuple(
                sorted({node for node, since, until in spans if _was_there(since, until, end)})
            )
        expected[period] = found[stretch]
    return expected


_SPANS = "SELECT node, since, until FROM statistics_enrolment WHERE node = ANY($1::text[])"


def _was_there(since: datetime, until: datetime | None, end: datetime) -> bool:
    return since < end and (until is None or until >= end)
