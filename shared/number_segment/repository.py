"""Every query of number segments."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.kernel.listing import Listing, Sort
from shared.number_segment.edition import Edition, Said
from shared.number_segment.models import NumberSegment, NumberSegmentEdition

_LOCK = 0x6E756D
"""The advisory lock under which editions are applied one after another."""
SHORTEST, LONGEST = 3, 11

SEGMENTS = Listing(
    source="number_segment s",
    key=Sort("s.prefix", "text"),
    columns={"prefix": "s.prefix", "home": "s.home", "edition": "s.edition"},
    sorts={"prefix": Sort("s.prefix", "text")},
    filters={
        "home": "s.home = {}",
        "prefix": "starts_with(s.prefix, {})",
        "in_use": "(s.home IS NOT NULL) = {}",
    },
)

EDITIONS = Listing(
    source="number_segment_edition e",
    key=Sort("e.number", "bigint"),
    columns={
        "number": "e.number",
        "segments": "e.segments",
        "published_at": "e.published_at",
        "published_by": "e.published_by",
        "note": "e.note",
        "received_at": "e.received_at",
    },
    sorts={"number": Sort("e.number", "bigint")},
    filters={"prefix": "(e.content::jsonb -> 'segments') ? {}"},
)


async def lock_table(session: AsyncSession) -> None:
    """Let nobody else apply an edition until the transaction ends."""
    await session.execute(select(func.pg_advisory_xact_lock(_LOCK)))


async def version(session: AsyncSession) -> int:
    """Return the number of the last edition that is known here; 0 without any."""
    return await session.scalar(select(func.max(NumberSegmentEdition.number))) or 0


async def home_of(session: AsyncSession, msisdn: str) -> str | None:
    """Return the home of the longest segment in use that the number begins with."""
    prefixes = [msisdn[:length] for length in range(SHORTEST, len(msisdn) + 1)]
    query = select(NumberSegment.home).where(
        NumberSegment.prefix.in_(prefixes), NumberSegment.home.is_not(None)
    )
    return await session.scalar(query.order_by(func.length(NumberSegment.prefix).desc()).limit(1))


async def edition(session: AsyncSession, number: int) -> Edition | None:
    """Return the edition of that number."""
    row = await session.get(NumberSegmentEdition, number)
    return Edition(row.content, row.signature) if row else None


async def editions_after(session: AsyncSession, number: int, *, most: int) -> Sequence[Edition]:
    """Return the editions that follow a number, in order."""
    query = select(NumberSegmentEdition).where(NumberSegmentEdition.number > number)
    rows = await session.scalars(query.order_by(NumberSegmentEdition.number).limit(most))
    return [Edition(row.content, row.signature) for row in rows]


async def apply(session: AsyncSession, made: Edition, said: Said, *, now: datetime) -> None:
    """Keep the next edition, and let the table say what it says. The table is locked."""
    session.add(
        NumberSegmentEdition(
            number=said.number,
            content=made.content,
            signature=made.signature,
            segments=len(said.segments),
            published_at=said.published_at,
            published_by=said.published_by,
            note=said.note,
            received_at=now,
        )
    )
    await session.execute(
        text(
            """
            INSERT INTO number_segment (prefix, home, edition)
            SELECT s.prefix, s.home, :number
            FROM unnest(CAST(:prefixes AS text[]), CAST(:homes AS text[])) AS s (prefix, home)
            ON CONFLICT (prefix) DO UPDATE SET home = EXCLUDED.home, edition = EXCLUDED.edition
            """
        ),
        {
            "number": said.number,
            "prefixes": list(said.segments),
            "homes": list(said.segments.values()),
        },
    )
    await session.flush()  # whoever asks for the version next is told this one
