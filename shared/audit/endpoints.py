"""The audit log over HTTP: search it, see its chain, have it checked."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from shared.access import Principal, require
from shared.audit import repository
from shared.audit.access import READ, SEARCHED, VERIFIED, VERIFY
from shared.audit.head import Head
from shared.audit.models import Source
from shared.audit.recording import Actor, record_now
from shared.audit.repository import LOG
from shared.audit.schemas import RecordPage, SealPage, VerificationOut
from shared.audit.verification import verify
from shared.capability import Context
from shared.kernel.edge import Now, Page

router = APIRouter(prefix="/audit")

Reader = Annotated[Principal, Depends(require(READ))]
Verifier = Annotated[Principal, Depends(require(VERIFY))]
Word = Annotated[str, Query(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")]
Name = Annotated[str, Query(max_length=100, pattern=r"^[a-z_]+$")]


@router.get("/records", summary="Search the audit log", response_model=RecordPage)
async def list_records(
    principal: Reader,
    context: Context,
    page: Page,
    now: Now,
    *,
    by: Annotated[Word | None, Query(description="Username of who did it.")] = None,
    user: Annotated[UUID | None, Query(description="Account of who did it.")] = None,
    subject: Annotated[
        Word | None, Query(description="Id of whom or what it was done to, such as a customer's.")
    ] = None,
    subject_type: Name | None = None,
    action: Annotated[
        str | None, Query(pattern=r"^[a-z_]+\.[a-z_]+$", examples=["customer.looked"])
    ] = None,
    source: Source | None = None,
    unit: Annotated[
        str | None,
        Query(
            pattern=r"^[0-9]{6}(-[0-9A-Za-z]+)*$",
            description="Whoever belonged to this unit, or one below it.",
        ),
    ] = None,
    trace: Annotated[str | None, Query(pattern=r"^[0-9a-f]{32}$")] = None,
    cause: Annotated[UUID | None, Query(description="The import or message.")] = None,
    at_from: Annotated[datetime | None, Query(description="At this moment or later.")] = None,
    at_before: Annotated[datetime | None, Query(description="Before this moment.")] = None,
) -> Response:
    """Return a page of what the caller's unit and those below did, the latest first; the search is recorded too.

    Whoever belongs to the node's own unit also sees what was done by commands, by other nodes, and without an account.
    """
    filters: dict[str, Any] = {
        "by": by,
        "user": user,
        "subject": subject,
        "subject_type": subject_type,
        "action": action,
        "source": source,
        "unit": unit,
        "trace": trace,
        "cause": cause,
        "at_from": at_from,
        "at_before": at_before,
    }
    scope = None if principal.unit == context.settings.code else principal.unit_path
    latest_first = replace(page, sort=page.sort or "-id")
    pool = await context.database.pool()
    body = await repository.records.page(pool, latest_first, {"scope": scope, **filters})
    asked = {name: value for name, value in filters.items() if value is not None}
    await record_now(
        context.database, Actor.of(principal), SEARCHED, at=now, subject=LOG, detail=asked
    )
    return Response(body, media_type="application/json")


@router.get("/seals", summary="The chain of the audit log", response_model=SealPage)
async def list_seals(_: Verifier, context: Context, page: Page) -> Response:
    """Return a page of seals, the newest first: to note their links where nobody of this node can change them."""
    newest_first = replace(page, sort=page.sort or "-number")
    body = await repository.seals.page(await context.database.pool(), newest_first, {})
    return Response(body, media_type="application/json")


@router.post("/verification", summary="Check the audit log")
async def check(
    principal: Verifier,
    context: Context,
    now: Now,
    first: Annotated[
        int, Query(ge=1, lt=2**63, description="Seal to begin with; what is before is believed.")
    ] = 1,
    head: Annotated[
        list[str] | None, Query(description="Seals noted elsewhere, as NUMBER:LINK.")
    ] = None,
) -> VerificationOut:
    """Compute everything again and name the first record or seal that does not fit; takes as long as the log is."""
    found = await verify(context, first=first, heads=[Head.parse(each) for each in head or []])
    await record_now(
        context.database,
        Actor.of(principal),
        VERIFIED,
        at=now,
        subject=LOG,
        detail={"first": first, "intact": found.broken is None},
    )
    return VerificationOut.of(found)
