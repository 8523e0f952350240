"""Offers over HTTP: the catalogue, quotas, what a customer may have, whom an offer is for, and what offers cost."""

from datetime import date
from typing import Annotated
from uuid import UUID

import orjson
from fastapi import APIRouter, Path, Query, Response

from services.city_node.customer.answers import JSON, documented
from services.city_node.customer.looks import look
from services.city_node.customer.models import Level
from services.city_node.customer.privacy import sight_of, visible_columns
from services.city_node.customer.schemas import Code
from services.city_node.offer import catalogue, verdicts
from services.city_node.offer.access import AtKeeping, Reader
from services.city_node.offer.counter import Counter
from services.city_node.offer.problems import OfferNotFound, QuotaNotFound
from services.city_node.offer.reading import costs, offers, quotas
from services.city_node.offer.schemas import (
    CostPage,
    OfferCreate,
    OfferOut,
    OfferPage,
    OfferPatch,
    QuotaOut,
    QuotaPage,
    QuotaSet,
    VerdictsOut,
)
from services.city_node.query.bulk_read import Act, record_bulk_read_now
from services.city_node.query.service import queried
from services.city_node.query.statement import Numbered
from services.city_node.segment.schemas import MemberPage
from shared import audit
from shared.capability import Context
from shared.kernel.clock import business_day
from shared.kernel.database import driver_connection
from shared.kernel.edge import ExpectedVersion, Now, Page, Speech, Transaction
from shared.kernel.listing import Where
from shared.kernel.preconditions import entity_tag
from shared.policy.kinds.offer import OfferCode

router = APIRouter()
Year = Annotated[int, Path(ge=2000, le=2999)]


@router.get(
    "/offers",
    summary="List offers",
    responses=documented(OfferPage, 400, 422),
    response_class=Response,
)
async def list_offers(
    principal: Reader,
    context: Context,
    page: Page,
    on: Annotated[date | None, Query(description="Those that are granted on this day.")] = None,
    level: Annotated[Level | None, Query(description="For customers of this level.")] = None,
    unit: Annotated[Code | None, Query(description="For customers of this unit.")] = None,
    group: Annotated[OfferCode | None, Query(description="Of this exclusive group.")] = None,
) -> Response:
    """Return a page of the offers for units at, above or below the caller's, in the order of the codes."""
    pool = await context.database.pool()
    filters = {"scope": principal.unit_path, "on": on, "level": level, "unit": unit, "group": group}
    return Response(await offers.page(pool, page, filters), media_type=JSON)


@router.post(
    "/offers",
    status_code=201,
    summary="Add an offer",
    responses=documented(OfferOut, 409, 422, status=201),
    response_class=Response,
)
async def add_offer(body: OfferCreate, counter: AtKeeping) -> Response:
    """Add an offer to the catalogue."""
    await catalogue.add(counter, body)
    answer = await _shown(counter, body.code, status=201)
    answer.headers["location"] = f"/offers/{body.code}"
    return answer


@router.get(
    "/offers/{code}",
    summary="Read an offer",
    responses=documented(OfferOut, 404, 422),
    response_class=Response,
)
async def read_offer(
    code: OfferCode,
    principal: Reader,
    context: Context,
) -> Response:
    """Return one offer, its condition in both forms."""
    filters = {"scope": principal.unit_path, "code": code}
    return _answer(await offers.one(await context.database.pool(), filters), code)


@router.patch(
    "/offers/{code}",
    summary="Change an offer",
    responses=documented(OfferOut, 400, 404, 412, 422, 428),
    response_class=Response,
)
async def change_offer(
    code: OfferCode, body: OfferPatch, counter: AtKeeping, expected: ExpectedVersion
) -> Response:
    """Merge a JSON merge patch (RFC 7396) into an offer; what was granted before stays as it is."""
    await catalogue.change(counter, code, expected, body)
    return await _shown(counter, code)


@router.get(
    "/offers/{code}/customers",
    summary="List the customers whom an offer is for",
    responses=documented(MemberPage, 400, 404, 422),
    response_class=Response,
)
async def list_eligible(
    code: OfferCode,
    principal: Reader,
    context: Context,
    session: Transaction,
    now: Now,
    page: Page,
) -> Response:
    """Return a page of the customers in scope who meet unit, level, entitlement and condition of an offer."""
    actor, cipher = audit.Actor.of(principal), context.cipher
    counter = Counter(session, actor, principal.unit_path, now, cipher, context.settings.code)
    binder = Numbered()
    selection = await verdicts.eligible(counter, code)
    where = Where(selection.where(binder, cipher), binder.values)
    columns = visible_columns(queried.columns, sight_of(principal))
    pool = await context.database.pool()
    body = await queried.page(pool, page, {}, where=where, columns=columns)
    shown = [item["id"] for item in orjson.loads(body)["items"] if "id" in item]
    await record_bulk_read_now(
        context.database, actor, Act.QUERY, f"offer {code}", None, at=now, shown=shown
    )
    return Response(body, media_type=JSON)


@router.get(
    "/offer-quotas",
    summary="List quotas of offers",
    responses=documented(QuotaPage, 400, 422),
    response_class=Response,
)
async def list_quotas(
    principal: Reader,
    context: Context,
    page: Page,
    offer: OfferCode | None = None,
    year: Annotated[int | None, Query(ge=2000, le=2999)] = None,
    unit: Code | None = None,
) -> Response:
    """Return a page of the quotas of the caller's unit and those below, with what of them is granted."""
    pool = await context.database.pool()
    filters = {"scope": principal.unit_path, "offer": offer, "year": year, "unit": unit}
    return Response(await quotas.page(pool, page, filters), media_type=JSON)


_QUOTA = "/offers/{code}/quotas/{year}/{unit}"


@router.get(
    _QUOTA,
    summary="Read a quota",
    responses=documented(QuotaOut, 404, 422),
    response_class=Response,
)
async def read_quota(
    code: OfferCode, year: Year, unit: Code, principal: Reader, context: Context
) -> Response:
    """Return a unit's quota of an offer in a year."""
    filters = {"scope": principal.unit_path, "offer": code, "year": year, "unit": unit}
    found = await quotas.one(await context.database.pool(), filters)
    return _quota_answer(found, code, year, unit)


@router.put(
    _QUOTA,
    summary="Set a quota",
    responses=documented(QuotaOut, 400, 404, 409, 412, 422, 428),
    response_class=Response,
)
async def set_quota(
    code: OfferCode,
    year: Year,
    unit: Code,
    body: QuotaSet,
    counter: AtKeeping,
    expected: ExpectedVersion,
) -> Response:
    """Say how many uses a unit may grant in a year and what they may cost; `If-Match: "0"` if it has no quota yet."""
    await catalogue.set_quota(counter, code, body, year=year, unit=unit, expected=expected)
    connection = await driver_connection(counter.session)
    filters = {"scope": counter.scope, "offer": code, "year": year, "unit": unit}
    return _quota_answer(await quotas.one(connection, filters), code, year, unit)


@router.get("/customers/{customer_id}/offers", summary="Say which offers a customer may have")
async def read_verdicts(
    customer_id: UUID,
    principal: Reader,
    context: Context,
    session: Transaction,
    now: Now,
    language: Speech,
) -> VerdictsOut:
    """Return each offer of the catalogue with whether the customer may have it today, and every rule that says no."""
    actor, code = audit.Actor.of(principal), context.settings.code
    counter = Counter(session, actor, principal.unit_path, now, context.cipher, code)
    found = await verdicts.verdicts(counter, customer_id, language)
    await look(context, principal, customer_id, ["offers"], now=now)
    return found


@router.get(
    "/offer-costs",
    summary="Read what offers cost",
    responses=documented(CostPage, 400, 422),
    response_class=Response,
)
async def list_costs(
    principal: Reader,
    context: Context,
    now: Now,
    page: Page,
    since: Annotated[
        date | None, Query(description="Uses from this day on; from the year's first without it.")
    ] = None,
    until: Annotated[
        date | None, Query(description="Uses before this day; all that came since without it.")
    ] = None,
    unit: Annotated[Code | None, Query(description="Of this unit and those below.")] = None,
    offer: OfferCode | None = None,
) -> Response:
    """Return uses, reversals and their cost by month, by the unit that bears it, and by offer."""
    filters = {
        "since": since or business_day(now).replace(month=1, day=1),
        "until": until or date.max,
        "scope": principal.unit_path,
        "unit": unit,
        "offer": offer,
    }
    pool = await context.database.pool()
    return Response(await costs.page(pool, page, filters), media_type=JSON)


async def _shown(counter: Counter, code: str, status: int = 200) -> Response:
    connection = await driver_connection(counter.session)
    return _answer(
        await offers.one(connection, {"scope": counter.scope, "code": code}), code, status
    )


def _answer(found: bytes | None, code: str, status: int = 200) -> Response:
    if found is None:
        raise OfferNotFound(code=code)
    version = OfferOut.model_validate_json(found).version
    return Response(found, status, {"etag": entity_tag(version)}, media_type=JSON)


def _quota_answer(found: bytes | None, code: str, year: int, unit: str) -> Response:
    if found is None:
        raise QuotaNotFound(code=code, year=year, unit=unit)
    version = QuotaOut.model_validate_json(found).version
    return Response(found, headers={"etag": entity_tag(version)}, media_type=JSON)
