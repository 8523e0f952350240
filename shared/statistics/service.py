"""Answering questions: which slices an answer is made of, what is missing, and what the figures are."""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from shared.kernel.language import Language
from shared.organisation.division import cities_of
from shared.statistics import figures
from shared.statistics.catalogue import Catalogue
from shared.statistics.expectation import expected_cities
from shared.statistics.question import Question
from shared.statistics.repository import StoredSlice, chosen_slices
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
    slices = await chosen_slices(
        session,
        question.measures,
        [str(period) for period in question.consulted],
        sorted(within),
        as_known_at=question.as_known_at,
    )
    expected = await _expected(session, question, slices, within, here)
    tag = _entity_tag(question, slices, expected, language, in_full=in_full)
    if held is not None and holds(held, tag):
        return Answer(tag, None)
    closing = _closing_periods(slices)
    rows = await figures.rows(
        session, question, catalogue, slices, closing=closing, language=language
    )
    parts = {
        "indicators": orjson.dumps(_headings(question, catalogue, closing, language)),
        "rows": rows,
        "provenance": orjson.dumps(_provenance(question, slices, expected, in_full=in_full)),
    }
    body = b",".join(b'"%b":%b' % (name.encode(), part) for name, part in parts.items())
    return Answer(tag, b"{" + body + b"}")


async def _expected(
    session: AsyncSession,
    question: Question,
    slices: Sequence[StoredSlice],
    within: Collection[str],
    here: str,
) -> dict[str, list[str]]:
    """Return, by period, the cities that were there, and those that have spoken of it all the same."""
    there = await expected_cities(session, question.consulted, within, here=here)
    spoken: dict[str, set[str]] = defaultdict(set)
    for each in slices:
        spoken[each.period].add(each.node)
    return {
        str(period): sorted({*cities, *spoken[str(period)]}) for period, cities in there.items()
    }


def _entity_tag(
    question: Question,
    slices: Sequence[StoredSlice],
    expected: Mapping[str, Sequence[str]],
    language: Language,
    *,
    in_full: bool,
) -> str:
    # The question's repr holds the definitions of its indicators: an upgrade that changes one changes the tag.
    made_of = [repr(question), [each.id for each in slices], expected, language, in_full]
    return f'"{hashlib.sha256(orjson.dumps(made_of)).hexdigest()[:32]}"'


def holds(header: str, tag: str) -> bool:
    """Tell whether an ``If-None-Match`` header names a tag.

    Compared weakly, as RFC 9110, 13.1.2 has it: proxies that compress weaken tags.
    """
    return any(each.strip().removeprefix("W/") in {tag, "*"} for each in header.split(","))


def _closing_periods(slices: Sequence[StoredSlice]) -> dict[str, str]:
    """Return, by dataset, the last period asked for about which anything is known: its snapshots close the range."""
    closing: dict[str, str] = {}
    for each in slices:
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
    question: Question,
    slices: Sequence[StoredSlice],
    expected: Mapping[str, Sequence[str]],
    *,
    in_full: bool,
) -> list[dict[str, Any]]:
    found: dict[tuple[str, str], list[StoredSlice]] = defaultdict(list)
    for each in slices:
        found[each.dataset, each.period].append(each)
    return [
        _made_of(
            dataset,
            str(period),
            found[dataset, str(period)],
            expected[str(period)],
            in_full=in_full,
        )
        for dataset in question.measures
        for period in question.consulted
    ]


def _made_of(
    dataset: str,
    period: str,
    slices: Sequence[StoredSlice],
    expected: Sequence[str],
    *,
    in_full: bool,
) -> dict[str, Any]:
    included = {each.node for each in slices}
    entry: dict[str, Any] = {
        "dataset": dataset,
        "period": period,
        "expected": len(expected),
        "included": len(included),
        "as_of": min((each.computed_at for each in slices), default=None),
        "missing": [code for code in expected if code not in included],
    }
    if in_full:
        entry["cities"] = [
            {
                "node": each.node,
                "revision": each.revision,
                "hash": each.hash,
                "computed_at": each.computed_at,
                "received_at": each.received_at,
            }
            for each in slices
        ]
    return entry
