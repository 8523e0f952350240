"""Answering questions: which slices an answer is made of, what is missing, and what the figures are."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation.repository import registered_cities
from shared.kernel.language import Language
from shared.kernel.tier import Tier
from shared.organisation.division import cities_of, division
from shared.statistics import figures
from shared.statistics.catalogue import Catalogue
from shared.statistics.parts import Part, read_parts
from shared.statistics.question import Question
from shared.statistics.repository import StoredSlice, slices_by_id
from shared.statistics.vocabulary import UNIT_NAMES


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
    registered = {
        *await registered_cities(session),
        *([here] if division(here).tier is Tier.CITY else []),
    }
    parts = await read_parts(session, question, in_full=in_full)
    told = {city for cities in {each.cities for each in parts} for city in cities.split()}
    expected = sorted((registered & within) | told)
    tag = _entity_tag(question, parts, expected, language, in_full=in_full)
    if held is not None and _holds(held, tag):
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


def _entity_tag(
    question: Question,
    parts: Sequence[Part],
    expected: Sequence[str],
    language: Language,
    *,
    in_full: bool,
) -> str:
    fingerprints: dict[str, int] = defaultdict(int)
    for each in parts:
        fingerprints[f"{each.dataset}/{each.period}"] += each.fingerprint
    known = sorted((key, str(value)) for key, value in fingerprints.items())
    # The question's repr holds the definitions of its indicators: an upgrade that changes one changes the tag.
    made_of = [repr(question), known, expected, language, in_full]
    return f'"{hashlib.sha256(orjson.dumps(made_of)).hexdigest()[:32]}"'


def _holds(header: str, tag: str) -> bool:
    """Compare weakly, as RFC 9110, 13.1.2 has it: proxies that compress weaken tags."""
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
    question: Question, parts: Sequence[Part], expected: Sequence[str]
) -> list[dict[str, Any]]:
    found: dict[tuple[str, str], list[Part]] = defaultdict(list)
    for each in parts:
        found[each.dataset, each.period].append(each)
    missing = _Missing(expected)
    return [
        {
            "dataset": dataset,
            "period": str(period),
            "expected": len(expected),
            "included": len(expected) - len(missing[here]),
            "as_of": min((each.as_of for each in found[dataset, str(period)]), default=None),
            "missing": missing[here],
        }
        for dataset in question.measures
        for period in question.consulted
        for here in [" ".join(each.cities for each in found[dataset, str(period)])]
    ]


class _Missing(dict[str, list[str]]):
    """Which cities are missing beside those that are there: worked out once, for most periods are alike."""

    def __init__(self, expected: Sequence[str]) -> None:
        self._expected = expected

    def __missing__(self, there: str) -> list[str]:
        present = set(there.split())
        self[there] = [code for code in self._expected if code not in present]
        return self[there]


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
