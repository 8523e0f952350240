"""What a node recalls of its loans when its database was restored from an old backup."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.loan_handset import repository
from services.city_node.loan_handset.models import HandsetState, LoanEnding, LoanHandset
from services.city_node.loan_handset.service import AFTER
from services.city_node.service_request.repository import active_unit


class HandsetTaken(Exception):
    """The handset of a loan that is recalled is lent to another request by now."""


@dataclass(frozen=True, slots=True)
class Lent:
    """What a request has had.

    Attributes:
        loans: rows of ``handset_loan``, the first first.
        handsets: rows of ``loan_handset`` as they stood, of all the handsets that the loans name.
    """

    loans: Sequence[dict[str, Any]]
    handsets: Sequence[dict[str, Any]]


async def recall(
    session: AsyncSession, request_id: UUID, lent: Lent, *, city: str, now: datetime
) -> None:
    """Let a request have had these loans, and their handsets be where they ended.

    Args:
        session: the caller's transaction.
        request_id: the request.
        lent: what it had.
        city: the unit that has handsets whose own unit is no more.
        now: the present moment.

    Raises:
        HandsetTaken: if one that is out is lent to another request by now.
    """
    ended = {
        loan.id
        for loan, _ in await repository.loans_of(session, request_id)
        if loan.ending is not None
    }
    await session.execute(
        text("DELETE FROM handset_loan WHERE request_id = :id"), {"id": request_id}
    )
    by_id = {row["id"]: row for row in lent.handsets}
    for loan in lent.loans:
        handset = await _known(session, by_id[loan["handset_id"]], city, now=now)
        if UUID(loan["id"]) not in ended:
            await _follow(session, handset, loan, now=now)
        await session.execute(
            text(
                "INSERT INTO handset_loan SELECT * FROM jsonb_populate_record(NULL::handset_loan, :row)"
            ),
            {"row": orjson.dumps({**loan, "handset_id": str(handset.id)}).decode()},
        )


async def _known(
    session: AsyncSession, row: dict[str, Any], city: str, *, now: datetime
) -> LoanHandset:
    """Return the handset, which was loaded after the backup if it does not have it: the loan proves that it was."""
    unit = await active_unit(session, row["unit_code"], "")
    given = (UUID(row["id"]), row["imei"], row["make"], row["model"])
    await repository.add(session, unit.code if unit else city, [given], now=now)
    handset = await repository.lock_by_imei(session, row["imei"])
    assert handset is not None  # noqa: S101 - it was there, or has just been added
    return handset


async def _follow(
    session: AsyncSession, handset: LoanHandset, loan: dict[str, Any], *, now: datetime
) -> None:
    """Let a handset be where the loan left it, if nothing newer is known of it."""
    out = await repository.is_out(session, handset.id)
    if loan["ending"] is None:
        if out or handset.state not in {HandsetState.IN_STOCK, HandsetState.LENT}:
            raise HandsetTaken(
                f"Handset {handset.id} is {handset.state} by now, so request {loan['request_id']} has none."
            )
        handset.state = HandsetState.LENT
    elif not out:
        handset.state = AFTER[LoanEnding(loan["ending"])]
    handset.updated_at = now
    handset.version += 1
    await session.flush()  # the loan that is put back next goes past the session
