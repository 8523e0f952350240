"""Declaring attributes."""

from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.custom_attribute.models import CustomAttribute
from services.city_node.custom_attribute.problems import CustomAttributeNotFound
from services.city_node.custom_attribute.schemas import CustomAttributeWrite
from shared.kernel.preconditions import PreconditionMissing, require_version


async def declared(session: AsyncSession, name: str, *, lock: bool = False) -> CustomAttribute:
    """Return a declaration.

    Raises:
        CustomAttributeNotFound: if there is none of that name (404).
    """
    query = select(CustomAttribute).where(CustomAttribute.name == name)
    found = await session.scalar(query.with_for_update() if lock else query)
    if found is None:
        raise CustomAttributeNotFound(name=name)
    return found


async def declare(
    session: AsyncSession,
    name: str,
    body: CustomAttributeWrite,
    *,
    expected: int | None,
    by: str,
    now: datetime,
) -> tuple[CustomAttribute, bool]:
    """Declare an attribute, or replace its declaration; return it, and whether it is new.

    Raises:
        PreconditionMissing: if there is one and no version of it was named (428).
        VersionStale: if it was changed since version ``expected`` (412).
    """
    # Declaring is rare: those who do it take turns, and two of one name cannot both be the first.
    await session.execute(text("LOCK TABLE custom_attribute IN SHARE ROW EXCLUSIVE MODE"))
    try:
        found, new = await declared(session, name, lock=True), False
    except CustomAttributeNotFound:
        if expected is not None:
            require_version(0, expected)
        found, new = CustomAttribute(name=name, version=0), True
        session.add(found)
    else:
        if expected is None:
            raise PreconditionMissing
        require_version(found.version, expected)
    for field, value in body.model_dump(mode="json").items():
        setattr(found, field, value)
    found.version, found.updated_at, found.updated_by = found.version + 1, now, by
    return found, new


async def withdraw(session: AsyncSession, name: str, expected: int) -> None:
    """Remove a declaration; the values stay, and are open again.

    Raises:
        CustomAttributeNotFound: if there is none of that name (404).
        VersionStale: if it was changed since version ``expected`` (412).
    """
    found = await declared(session, name, lock=True)
    require_version(found.version, expected)
    await session.delete(found)
