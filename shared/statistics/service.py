"""Answering questions: which slices an answer is made of, what is missing, and what the figures are."""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from shared.kernel.language import Language
from shared.organisation.division import cities_of
from shared.statistics import figures
from shared.statistics.catalogue import Catalogue
from shared.statistics.expectation import expected_cities
from shared.statistics.parts import Part, read_parts
from shared.statistics.question import Question
from shared.statistics.repository import StoredSlice, slices_by_id
from shared.statistics.vocabulary import UNIT_NAMES

Expected = Mapping[str, Sequence[str]]
"""By period: codes of the cities of which figures are expected."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer and the tag by which it is recognised.

    Attributes:
        entity_tag: changes when, and only when, the question, the slices it is made of or the cities expected do.
        body: the JSON; ``None`` if the asker has it already.
    """

    entity_tag: str
    body: bytes | None


async def answer(
    session: AsyncSession,
    question: Question,
    catalogue: Catalogue,
    *,
    here: str,
    language: Language = Language.ENGLISH,
    held: str | None = None,
    in_full: bool = True,
) -> Answer:
    """Answer a question.

    Args:
        session: where to look.
        question: what is asked.
        catalogue: what its indicators mean.
        here: code of this node, from which figures are expected if it is a city.
        language: of the names.
        held: the ``If-None-Match`` header of an asker who may have the answer already.
        in_full: whether the provenance lists each city's revision, and not only those that are missing.
    """
    within = {city.code for city in cities_of(question.region.code)}
    parts = await read_parts(session, question, in_full=in_full)
    expected = await _expected(session, question, parts, within, here)
    tag = _entity_tag(question, parts, expected, language, in_full=in_full)
    if held is not None and holds(held, tag):
        return Answer(tag, None)
    closing = _closing_periods(parts)
    rows = await figures.rows(
        session, question, catalogue, parts, closing=closing, language=language
    )
    provenance = _provenance(question, parts, expected)
    if in_full:
        ids = [id_ for each in parts for id_ in each.slice_ids]
        _list_cities(provenance, await slices_by_id(session, ids))
    answered = {
        "indicators": orjson.dumps(_headings(question, catalogue, closing, language)),
        "rows": rows,
        "provenance": orjson.dumps(provenance),
    }
    body = b",".join(b'"%b":%b' % (name.encode(), part) for name, part in answered.items())
    return Answer(tag, b"{" + body + b"}")


async def _expected(
    session: AsyncSession,
    question: Question,
    parts: Sequence[Part],
    within: Collection[str],
    here: str,
) -> Expected:
    """Return, by period, the cities that were there, and those that have spoken of it all the same."""
    there = await expected_cities(session, question.consulted, within, here=here)
    spoken: dict[str, set[str]] = defaultdict(set)
    for each in parts:
        spoken[each.period].add(each.cities)
    joined = cache(_joined)  # most periods are alike
    return {
        str(period): joined(cities, frozenset(spoken[str(period)]))
        for period, cities in there.items()
    }


def _joined(cities: Sequence[str], spoken: frozenset[str]) -> Sequence[str]:
    return tuple(sorted({*cities, *(city for several in spoken for city in several.split())}))


def _entity_tag(
    question: Question,
    parts: Sequence[Part],
    expected: Expected,
    language: Language,
    *,
    in_full: bool,
) -> str:
    fingerprints: dict[str, int] = defaultdict(int)
    for each in parts:
        fingerprints[f"{each.dataset}/{each.period}"] += each.fingerprint
    known = sorted((key, str(value)) for key, value in fingerprints.items())
    # The question's repr holds the definitions of its indicators: an upgrade that changes one changes the tag.
    made_of = [repr(question), known, _by_cities(expected), language, in_full]
    return f'"{hashlib.sha256(orjson.dumps(made_of)).hexdigest()[:32]}"'


def _by_cities(expected: Expected) -> list[tuple[Sequence[str], list[str]]]:
    """Return what is expected in a short form: most periods are alike."""
    periods: dict[Sequence[str], list[str]] = defaultdict(list)
    for period, cities in expected.items():
        periods[cities].append(period)
    return list(periods.items())


def holds(header: str, tag: str) -> bool:
    """Tell whether an ``If-None-Match`` header names a tag.

    Compared weakly, as RFC 9110, 13.1.2 has it: proxies that compress weaken tags.
    """
    return any(each.strip().removeprefix("W/") in {tag, "*"} for each in header.split(","))


def _closing_periods(parts: Sequence[Part]) -> dict[str, str]:
    """Return, by dataset, the last period asked for about which anything is known: its snapshots close the range."""
    closing: dict[str, str] = {}
    for each in parts:
        closing[each.dataset] = max(each.period, closing.get(each.dataset, ""))
    return closing


def _headings(
    question: Question, catalogue: Catalogue, closing: dict[str, str], language: Language
) -> list[dict[str, Any]]:
    aggregated = not question.by_period and len(question.periods) > 1
    return [
        {
            "code": each.code,
            "name": each.name.speak(language),
            "unit": UNIT_NAMES[each.unit].speak(language),
            "aggregation": each.aggregation_code,
            "snapshot_period": closing.get(each.dataset)
            if aggregated and catalogue.is_snapshot(each)
            else None,
        }
        for each in question.indicators
    ]


def _provenance(
    question: Question, parts: Sequence[Part], expected: Expected
) -> list[dict[str, Any]]:
    found: dict[tuple[str, str], list[Part]] = defaultdict(list)
    for each in parts:
        found[each.dataset, each.period].append(each)
    lacking = cache(_lacking)  # as above
    told = []
    for dataset in question.measures:
        for period in map(str, question.consulted):
            here = found[dataset, period]
            missing = lacking(expected[period], frozenset(each.cities for each in here))
            told.append(
                {
                    "dataset": dataset,
                    "period": period,
                    "expected": len(expected[period]),
                    "included": len(expected[period]) - len(missing),
                    "as_of": min((each.as_of for each in here), default=None),
                    "missing": missing,
                }
            )
    return told


def _lacking(expected: Sequence[str], there: frozenset[str]) -> Sequence[str]:
    present = {city for several in there for city in several.split()}
    return [city for city in expected if city not in present]


def _list_cities(provenance: Sequence[dict[str, Any]], slices: Sequence[StoredSlice]) -> None:
    """Add to each entry the slices that it is made of."""
    found: dict[tuple[str, str], list[StoredSlice]] = defaultdict(list)
    for each in slices:
        found[each.dataset, each.period].append(each)
    for entry in provenance:
        entry["cities"] = [
            {
                "node": each.node,
                "revision": each.revision,
                "hash": each.hash,
                "computed_at": each.computed_at,
                "received_at": each.received_at,
            }
            for each in found[entry["dataset"], entry["period"]]
        ]
