"""Finding the home of a number, also of a customer who has moved.

A number belongs to the city of its segment (:mod:`shared.number_segment`) until its customer moves to another city and
keeps it. The city that a customer left *notes* where the number went, with the owner epoch that the customer has there;
it answers questions about it by that (:func:`moved_to`). A visited city that was sent on remembers for
:data:`REMEMBERED` where it found the number, and asks there at once the next time. Both keep a blind index of the
number and nothing else, under the key that is never rotated, because the number itself is not here any more.
"""

from datetime import datetime, timedelta

from sqlalchemy import delete, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.service_request.models import MovedNumber
from services.city_node.service_request.problems import HomeNotFound
from shared.kernel.encryption import Cipher, mask
from shared.kernel.problems import Fault
from shared.number_segment import repository as segments

REMEMBERED = timedelta(days=30)
"""How long another city's word is gone by; after that the segment's city is asked again."""


async def home_of(
    session: AsyncSession, cipher: Cipher, msisdn: str, *, named: str | None, now: datetime
) -> str:
    """Return the city to ask about a number: the one named, or where it is known to have moved, or its segment's.

    Raises:
        HomeNotFound: if none was named, and the number is in no segment (422).
    """
    if named is not None:
        return named
    query = select(MovedNumber.home).where(
        MovedNumber.number_index == cipher.lasting_index(msisdn),
        or_(~MovedNumber.learned, MovedNumber.at > now - REMEMBERED),
    )
    found = await session.scalar(query) or await segments.home_of(session, msisdn)
    if found is None:
        version = await segments.version(session)
        raise HomeNotFound(
            faults=[Fault("/msisdn", "in no number segment")],
            msisdn=mask(msisdn, 3, 4),
            version=version,
        )
    return found


async def moved_to(session: AsyncSession, cipher: Cipher, msisdn: str) -> str | None:
    """Return the city to which this one's customer of that number moved; ``None`` if none did."""
    query = select(MovedNumber.home).where(
        MovedNumber.number_index == cipher.lasting_index(msisdn), ~MovedNumber.learned
    )
    return await session.scalar(query)


async def note_moved(
    session: AsyncSession, cipher: Cipher, msisdn: str, home: str, *, epoch: int, now: datetime
) -> None:
    """Note that this city's customer of that number has moved to ``home``, where the owner epoch is ``epoch``.

    What is known of a later epoch stays.
    """
    values = {"home": home, "epoch": epoch, "learned": False, "at": now}
    statement = insert(MovedNumber).values(number_index=cipher.lasting_index(msisdn), **values)
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=[MovedNumber.number_index],
            set_=values,
            where=func.coalesce(MovedNumber.epoch, 0) < epoch,
        )
    )


async def note_returned(session: AsyncSession, cipher: Cipher, msisdn: str) -> None:
    """Forget where a number went, because its customer is this city's again."""
    await session.execute(
        delete(MovedNumber).where(MovedNumber.number_index == cipher.lasting_index(msisdn))
    )


async def remember(
    session: AsyncSession, cipher: Cipher, msisdn: str, home: str, *, now: datetime
) -> None:
    """Remember another city's word of where a number is at home; what this city knows itself stays."""
    values = {"home": home, "epoch": None, "learned": True, "at": now}
    statement = insert(MovedNumber).values(number_index=cipher.lasting_index(msisdn), **values)
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=[MovedNumber.number_index],
            set_=values,
            where=MovedNumber.learned.is_(True),
        )
    )


async def forget_learned(session: AsyncSession, *, now: datetime) -> None:
    """Delete words of other cities that are not gone by any longer."""
    await session.execute(
        delete(MovedNumber).where(MovedNumber.learned, MovedNumber.at <= now - REMEMBERED)
    )
