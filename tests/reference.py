"""The reference of analysts, as a database of the tests has it."""

from datetime import datetime

from shared.analysis.reference import Reference, load
from shared.kernel.database import Database
from shared.statistics.indicators import CATALOGUE


async def load_reference(url: str, now: datetime) -> None:
    """Load what each node would load when it starts for the first time."""
    database = Database(url)
    async with database.transaction() as session:
        await load(session, Reference(CATALOGUE), now=now)
    await database.close()
