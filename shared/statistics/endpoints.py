"""Statistics over HTTP: the catalogue, questions, and the register of slices."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from shared.access import Principal
from shared.kernel.edge import NodeDatabase, NodeSettings, Now, Page, Speech, Transaction
from shared.kernel.language import Text
from shared.kernel.listing import known_parameters
from shared.organisation.division import cities_of
from shared.statistics.aggregation import Ratio
from shared.statistics.asking import FILTERS_DOCUMENTED, Asked, AskedManner, scope_of
from shared.statistics.catalogue import Indicator
from shared.statistics.cost import Limits
from shared.statistics.definition import catalogue_in_force
from shared.statistics.drilling import query_string, words_of
from shared.statistics.forms import MEDIA_TYPES, Form, content_type
from shared.statistics.indicators import CATALOGUE
from shared.statistics.period import Period
from shared.statistics.privacy import rule_in_force, terms_in_force
from shared.statistics.problems import IndicatorUnknown
from shared.statistics.question import read_question, understood
from shared.statistics.recognition import RecognisingRoute, reader
from shared.statistics.reference import exact_sql
from shared.statistics.repository import SLICES, SLICES_WITHOUT_TOTALS
from shared.statistics.schemas import (
    DimensionsOut,
    EstimateOut,
    IndicatorOut,
    IndicatorsOut,
    SlicePage,
    ValuesOut,
)
from shared.statistics.service import answer, estimate
from shared.statistics.vocabulary import OWNERS, UNIT_NAMES

router = APIRouter(prefix="/statistics")
values_router = APIRouter(prefix="/statistics", route_class=RecognisingRoute)

Reader = Annotated[Principal, Depends(reader)]


@values_router.get(
    "/values",
    summary="Figures, with what they are made of",
    response_model=ValuesOut,
    responses={
        200: {"content": {media: {} for media in MEDIA_TYPES.values()}},
        304: {"description": "The answer is the one that the caller has."},
        406: {"description": "`Accept` takes none of the forms of an answer."},
    },
    openapi_extra=FILTERS_DOCUMENTED,
)
async def read_values(
    request: Request,
    session: Transaction,
    principal: Reader,
    settings: NodeSettings,
    now: Now,
    language: Speech,
    words: Asked,
    manner: AskedManner,
) -> Response:
    """Answer a question about the region that the caller may see, as JSON or as one flat table."""
    terms = await terms_in_force(session, settings.code, now)
    question = read_question(
        words, terms.catalogue, scope=scope_of(principal, settings.code), now=now
    )
    found = await answer(
        session,
        question,
        terms,
        here=settings.code,
        language=language,
        held=request.headers.get("if-none-match"),
        manner=manner,
        limits=Limits.of(settings),
    )
    headers = {
        "ETag": found.entity_tag,
        "Cache-Control": "private, no-cache",
        "Vary": "Accept, Accept-Language, Authorization",
    }
    if found.body is None:
        return Response(status_code=304, headers=headers)
    if manner.form is not Form.JSON:
        whole = f"/statistics/values?{query_string(words_of(question))}&format=json"
        headers["Link"] = f'<{whole}>; rel="describedby"; type="application/json"'
        headers["Content-Disposition"] = f'attachment; filename="statistics.{manner.form}"'
    return Response(found.body, headers=headers, media_type=content_type(manner.form))


@router.get(
    "/values/estimate",
    summary="What a question would cost",
    openapi_extra=FILTERS_DOCUMENTED,
)
async def estimate_values(
    session: Transaction, principal: Reader, settings: NodeSettings, now: Now, words: Asked
) -> EstimateOut:
    """Tell how large the answer to a question may be and how much would be read, without answering it."""
    catalogue = await catalogue_in_force(session, settings.code, now)
    question = understood(words, catalogue, scope=scope_of(principal, settings.code), now=now)
    limits = Limits.of(settings)
    found = await estimate(session, question)
    return EstimateOut.of(found, limits)


@router.get("/slices", summary="Which cities have said what, and when", response_model=SlicePage)
async def list_slices(
    database: NodeDatabase,
    session: Transaction,
    principal: Reader,
    settings: NodeSettings,
    now: Now,
    page: Page,
    node: Annotated[
        str | None, Query(description="Division code of the city.", examples=["440300"])
    ] = None,
    dataset: Annotated[str | None, Query(description="Dataset.", examples=["customer"])] = None,
    period: Annotated[str | None, Query(description="Month or day.", examples=["2026-11"])] = None,
    current: Annotated[
        bool | None, Query(description="`true`: what counts now; `false`: what was superseded.")
    ] = None,
) -> Response:
    """List the revisions of the slices of the cities that the caller may see."""
    cities = [city.code for city in cities_of(scope_of(principal, settings.code))]
    filters = {
        "within": cities,
        "node": node,
        "dataset": dataset,
        "period": str(Period.parse(period)) if period else None,
        "current": current,
    }
    rule = await rule_in_force(session, settings.code, now)
    listing = SLICES_WITHOUT_TOTALS if rule else SLICES
    return Response(
        await listing.page(await database.pool(), page, filters), media_type="application/json"
    )


@router.get(
    "/indicators",
    summary="The catalogue of indicators",
    response_model=IndicatorsOut,
    dependencies=[Depends(known_parameters)],
)
async def list_indicators(
    session: Transaction, settings: NodeSettings, now: Now, _: Reader
) -> dict[str, Any]:
    """Return every indicator, in both languages: those that ship, and those that HQ has defined."""
    catalogue = await catalogue_in_force(session, settings.code, now)
    return {"items": [_indicator(each) for each in catalogue.indicator_list]}


@router.get("/indicators/{code}", summary="One indicator", response_model=IndicatorOut)
async def read_indicator(
    code: str, session: Transaction, settings: NodeSettings, now: Now, _: Reader
) -> dict[str, Any]:
    """Return what an indicator means and how it is counted, in both languages."""
    found = (await catalogue_in_force(session, settings.code, now)).indicators.get(code)
    if found is None:
        raise IndicatorUnknown(code=code)
    return _indicator(found)


@router.get(
    "/dimensions",
    summary="The catalogue of dimensions",
    response_model=DimensionsOut,
    dependencies=[Depends(known_parameters)],
)
async def list_dimensions(_: Reader) -> dict[str, Any]:
    """Return every dimension with its values, in both languages."""
    return {
        "items": [
            {
                "code": each.code,
                "name": _named(each.name),
                "version": each.version,
                "of": each.of,
                "open": each.is_open,
                "values": [
                    {
                        "code": code,
                        "name": _named(name),
                        "parts": [part for part, whole in each.parents.items() if whole == code],
                    }
                    for code, name in each.values.items()
                ],
            }
            for each in CATALOGUE.dimension_list
        ]
    }


def _indicator(each: Indicator) -> dict[str, Any]:
    how = each.aggregation
    return {
        "code": each.code,
        "name": _named(each.name),
        "unit": _named(UNIT_NAMES[each.unit]),
        "family": each.family.value,
        "dataset": each.dataset,
        "aggregation": each.aggregation_code,
        "ratio": {"numerator": how.numerator, "denominator": how.denominator, "scale": how.scale}
        if isinstance(how, Ratio)
        else None,
        "formula": _named(each.formula),
        "measures": list(each.measures),
        "sql": exact_sql(CATALOGUE, each) if each.sql else None,
        "dimensions": [dimension.code for dimension in CATALOGUE.dimensions_of(each.dataset)],
        "owner": _named(OWNERS[each.family]),
        "valid_from": each.valid_from,
        "valid_until": each.valid_until,
        "defined_by": each.defined_by or None,
        "periods": sorted(kind.value for kind in CATALOGUE.datasets[each.dataset].periods),
    }


def _named(text: Text) -> dict[str, str]:
    return {"en": text.en, "zh": text.zh}
