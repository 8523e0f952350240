"""Reading a question from a request: its words, and in which form the answer is wanted."""

from typing import Annotated, Any, Literal

from fastapi import Depends, Header, Query, Request

from shared.access import Principal
from shared.kernel.clock import Moment
from shared.kernel.listing import require_once
from shared.organisation.division import is_within
from shared.statistics.catalogue import QUESTION_WORDS
from shared.statistics.forms import Form, form_of
from shared.statistics.indicators import CATALOGUE
from shared.statistics.question import Words
from shared.statistics.service import Manner

FILTERS_DOCUMENTED: dict[str, Any] = {
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
    return scope_of_unit(principal.unit, here)


def scope_of_unit(unit: str, here: str) -> str:
    """Return the division that somebody of a unit may ask a node about."""
    own = unit[:6]
    return own if is_within(own, here) else here


_OF_SEVERAL = frozenset({"indicator", "by", "compare", "share"})
"""The parameters that take several values."""


def filters_of(request: Request) -> dict[str, list[str]]:
    """Return the query parameters that filter by a dimension, or are mistaken.

    Raises:
        ParameterRepeated: if one comes twice that takes one value (400).
    """
    require_once(request, QUESTION_WORDS - _OF_SEVERAL)
    names = dict.fromkeys(name for name in request.query_params if name not in QUESTION_WORDS)
    return {name: split(request.query_params.getlist(name)) for name in names}


def split(given: list[str] | None) -> list[str]:
    """Return the words of parameters that may be repeated and may hold several words between commas."""
    return [word.strip() for each in given or () for word in each.split(",") if word.strip()]


async def words_asked(  # noqa: PLR0917 - its parameters are a request's; nobody calls it by position
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
        Query(
            description="A month or a day, or `last_month`, `yesterday`, `last_12_months`, `last_30_days`; "
            "the present month without it.",
            examples=["2026-11"],
        ),
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
        Moment | None, Query(description="Answer as this node would have answered then.")
    ] = None,
    compare: Annotated[
        list[str] | None,
        Query(
            description="`previous`, `year`: the change and growth of each indicator beside it.",
            examples=[["previous", "year"]],
        ),
    ] = None,
    share: Annotated[
        list[str] | None,
        Query(
            description="Codes of those of the indicators whose share of the period's total is told.",
            examples=[["customers"]],
        ),
    ] = None,
    top: Annotated[
        int | None,
        Query(
            description="So many rows of each period one by one, and one row of all others together.",
            examples=[10],
        ),
    ] = None,
    top_by: Annotated[
        str | None,
        Query(
            description="The indicator that says which rows these are; the first one without it.",
            examples=["customers"],
        ),
    ] = None,
    pivot: Annotated[
        str | None,
        Query(
            description="What of `by` goes across rather than down: `period`, `region` or a dimension.",
            examples=["level"],
        ),
    ] = None,
) -> Words:
    """Return the words of a question."""
    return Words(
        split(indicator),
        period,
        first,
        last,
        split(by),
        region,
        region_level,
        filters,
        as_known_at,
        split(compare),
        split(share),
        top,
        top_by,
        pivot,
    )


async def manner_asked(
    provenance: Annotated[
        Literal["full", "summary"], Query(description="Whether to list each city's revision.")
    ] = "full",
    named: Annotated[
        str | None,
        Query(
            alias="format",
            description=f"{', '.join(f'`{form}`' for form in Form)}; by `Accept` without it.",
            examples=["csv"],
        ),
    ] = None,
    bom: Annotated[  # noqa: FBT002 - a flag in the query is a boolean parameter
        bool, Query(description="Begin CSV with the mark by which Excel knows UTF-8.")
    ] = False,
    accept: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> Manner:
    """Return in which form the answer is wanted."""
    return Manner(form_of(named, accept), in_full=provenance == "full", with_bom=bom)


Asked = Annotated[Words, Depends(words_asked)]
AskedManner = Annotated[Manner, Depends(manner_asked)]
