"""Finding the home of a number that a customer gives at the counter."""

from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.service_request.problems import HomeNotFound
from shared.kernel.encryption import mask
from shared.kernel.problems import Fault
from shared.number_segment import repository as segments


async def home_of(session: AsyncSession, msisdn: str, *, named: str | None = None) -> str:
    """Return the city to ask about a number: the one that was named, or that of its segment.

    Raises:
        HomeNotFound: if none was named, and the number is in no segment (422).
    """
    if named is not None:
        return named
    found = await segments.home_of(session, msisdn)
    if found is None:
        version = await segments.version(session)
        raise HomeNotFound(
            faults=[Fault("/msisdn", "in no number segment")],
            msisdn=mask(msisdn, 3, 4),
            version=version,
        )
    return found
