"""Statistics over HTTP: the catalogue, questions, and the register of slices."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AwareDatetime

from shared.access import Principal, require
from shared.kernel.edge import NodeDatabase, NodeSettings, Now, Page, Speech, Transaction
from shared.kernel.language import Text
from shared.organisation.division import cities_of, is_within
from shared.statistics.catalogue import QUESTION_WORDS, Indicator, Ratio
from shared.statistics.definition import catalogue_in_force
from shared.statistics.indicators import CATALOGUE
from shared.statistics.question import IndicatorUnknown, Words, read_question
from shared.statistics.repository import SLICES
from shared.statistics.schemas import (
    DimensionsOut,
    IndicatorOut,
    IndicatorsOut,
    SlicePage,
    ValuesOut,
)
from shared.statistics.service import answer
from shared.statistics.vocabulary import OWNERS, UNIT_NAMES

router = APIRouter(prefix="/statistics")

Reader = Annotated[Principal, Depends(require("statistics:read"))]

_FILTERS_DOCUMENTED: dict[str, Any] = {
    "parameters": [
        {
            "name": dimension.code,
            "in": "query",
            "description": f"Count only these: {dimension.name.en}.",
            "schema": {
                "type": "array",
                "items": {"type": "string"}
                | ({} if dimension.is_open else {"enum": list(dimension.values)}),
            },
        }
        for dimension in CATALOGUE.dimension_list
    ]
}


def scope_of(principal: Principal, here: str) -> str:
    """Return the division that a principal may ask a node about: the unit's, or the node's if that is smaller."""
    own = principal.unit[:6]
    return own if is_within(own, here) else here


def filters_of(request: Request) -> dict[str, list[str]]:
    """Return the query parameters that filter by a dimension, or are mistaken."""
    names = dict.fromkeys(name for name in request.query_params if name not in QUESTION_WORDS)
    return {name: split(request.query_params.getlist(name)) for name in names}


def split(given: list[str]) -> list[str]:
    """Return the words of parameters that may be repeated and may hold several words between commas."""
    return [word.strip() for each in given for word in each.split(",") if word.strip()]


@router.get(
    "/values",
    summary="Figures, with what they are made of",
    response_model=ValuesOut,
    responses={304: {"description": "The answer is the one that the caller has."}},
    openapi_extra=_FILTERS_DOCUMENTED,
)
async def read_values(
    request: Request,
    session: Transaction,
    principal: Reader,
    settings: NodeSettings,
    now: Now,
    language: Speech,
    filters: Annotated[dict[str, list[str]], Depends(filters_of)],
    indicator: Annotated[
        list[str],
        Query(
            description="Codes of indicators: repeated, or between commas.",
            examples=[["customers", "arpu_fen"]],
        ),
    ],
    period: Annotated[
        str | None,
        Query(description="A month or a day; the present month without it.", examples=["2026-11"]),
    ] = None,
    first: Annotated[
        str | None,
        Query(alias="from", description="First month or day of a range.", examples=["2026-09"]),
    ] = None,
    last: Annotated[
        str | None,
        Query(alias="to", description="Last month or day of a range.", examples=["2026-11"]),
    ] = None,
    by: Annotated[
        list[str] | None,
        Query(
            description="What has rows of its own: `period`, `region`, dimensions; `period` without it.",
            examples=[["region", "level"]],
        ),
    ] = None,
    region: Annotated[
        str | None,
        Query(
            description="Division code of where; the caller's own without it.", examples=["440000"]
        ),
    ] = None,
    region_level: Annotated[
        str | None, Query(description="`nation`, `province` or `city`.", examples=["city"])
    ] = None,
    as_known_at: Annotated[
        AwareDatetime | None, Query(description="Answer as this node would have answered then.")
    ] = None,
    provenance: Annotated[
        Literal["full", "summary"], Query(description="Whether to list each city's revision.")
    ] = "full",
) -> Response:
    """Answer a question about the region that the caller may see."""
    words = Words(
        split(indicator),
        period,
        first,
        last,
        split(by or []),
        region,
        region_level,
        filters,
        as_known_at,
    )
    catalogue = await catalogue_in_force(session, settings.code, now)
    question = read_question(words, catalogue, scope=scope_of(principal, settings.code), now=now)
    found = await answer(
        session,
        question,
        catalogue,
        here=settings.code,
        language=language,
        held=request.headers.get("if-none-match"),
        in_full=provenance == "full",
    )
    headers = {
        "ETag": found.entity_tag,
        "Cache-Control": "private, no-cache",
        "Vary": "Accept-Language, Authorization",
    }
    if found.body is None:
        return Response(status_code=304, headers=headers)
    return Response(found.body, headers=headers, media_type="application/json")


@router.get("/slices", summary="Which cities have said what, and when", response_model=SlicePage)
async def list_slices(
    database: NodeDatabase,
    principal: Reader,
    settings: NodeSettings,
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
        "period": period,
        "current": current,
    }
    return Response(
        await SLICES.page(await database.pool(), page, filters), media_type="application/json"
    )


@router.get("/indicators", summary="The catalogue of indicators", response_model=IndicatorsOut)
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


@router.get("/dimensions", summary="The catalogue of dimensions", response_model=DimensionsOut)
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
        "sql": each.sql or None,
        "dimensions": [dimension.code for dimension in CATALOGUE.dimensions_of(each.dataset)],
        "owner": _named(OWNERS[each.family]),
        "valid_from": each.valid_from,
        "valid_until": each.valid_until,
        "defined_by": each.defined_by or None,
        "periods": sorted(kind.value for kind in CATALOGUE.datasets[each.dataset].periods),
    }


def _named(text: Text) -> dict[str, str]:
    return {"en": text.en, "zh": text.zh}
