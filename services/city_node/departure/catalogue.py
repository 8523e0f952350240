"""From what somebody wrote about a departure to the codes that can be counted."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.departure.models import Competitor, DepartureReason

OTHER = "other"
"""The reason of whoever gave one that the catalogue does not have; what was given is kept as a note."""


def _known(entries: Iterable[DepartureReason | Competitor]) -> dict[str, str]:
    """Return the code of each way to write an entry: its code and both names, in any case."""
    return {
        written.casefold(): entry.code
        for entry in entries
        for written in (entry.name_en, entry.name_zh, entry.code)
    }


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The reasons and competitors of a node, as they are looked up by what people write."""

    reasons: dict[str, str] = field(default_factory=dict)
    competitors: dict[str, str] = field(default_factory=dict)

    @classmethod
    async def read(cls, session: AsyncSession) -> Self:
        """Read the catalogue whole: it has some dozen entries."""
        reasons = await session.scalars(select(DepartureReason).where(DepartureReason.active))
        competitors = await session.scalars(select(Competitor).where(Competitor.active))
        return cls(_known(reasons), _known(competitors))

    def reason(self, written: str | None) -> tuple[str | None, str | None]:
        """Return the code of a reason, and what was written if the catalogue does not have it."""
        if written is None:
            return None, None
        code = self.reasons.get(written.casefold())
        return (OTHER, written) if code is None else (code, None)

    def competitor(self, written: str | None) -> str | None:
        """Return the code of a competitor, if what was written is one."""
        return None if written is None else self.competitors.get(written.casefold())
