"""Answering questions: which slices an answer is made of, what is missing or withheld, and what the figures are.

Every answer is made here, whatever its shape and form, and from rows in which what is withheld is empty.
"""

import asyncio
import hashlib
import io
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson
from asyncpg import QueryCanceledError
from sqlalchemy.ext.asyncio import AsyncSession

from shared.kernel.language import Language
from shared.kernel.preconditions import holds
from shared.organisation.division import cities_of
from shared.statistics import figures
from shared.statistics.catalogue import Catalogue
from shared.statistics.cost import ORDINARY, Estimate, Limits
from shared.statistics.drilling import ways
from shared.statistics.estimates import reads_slices, sketched_for
from shared.statistics.expectation import expected_cities
from shared.statistics.forms import Form
from shared.statistics.hiding import Withheld, is_always_hidden
from shared.statistics.parts import Part, read_parts
from shared.statistics.privacy import Terms
from shared.statistics.problems import QuestionTooSlow
from shared.statistics.question import Question
from shared.statistics.repository import StoredSlice, limit_time, slices_by_id
from shared.statistics.shaping import shape
from shared.statistics.table import flattened, write
from shared.statistics.vocabulary import UNIT_NAMES
from shared.statistics.withholding import MOST_CELLS, count, decide, people_of, with_counts

Expected = Mapping[str, Sequence[str]]
"""By period: codes of the cities of which figures are expected."""


@dataclass(frozen=True, slots=True)
class Manner:
    """In which form an answer is wanted.

    Attributes:
        form: JSON, or one flat table.
        in_full: whether the provenance lists each city's revision, and not only those that are missing.
        with_bom: whether CSV begins with the mark by which Excel knows UTF-8.
    """

    form: Form = Form.JSON
    in_full: bool = True
    with_bom: bool = False


AS_JSON = Manner()


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer and the tag by which it is recognised.

    Attributes:
        entity_tag: changes when, and only when, the question, the slices it is made of, the cities expected or what is
            withheld do.
        body: the JSON, or the file; ``None`` if the asker has it already.
    """

    entity_tag: str
    body: bytes | None


async def answer(
    session: AsyncSession,
    question: Question,
    terms: Terms,
    *,
    here: str,
    language: Language = Language.ENGLISH,
    held: str | None = None,
    manner: Manner = AS_JSON,
    limits: Limits = ORDINARY,
) -> Answer:
    """Answer a question.

    Args:
        session: where to look.
        question: what is asked.
        terms: what its indicators mean, and what is withheld.
        here: code of this node, from which figures are expected if it is a city.
        language: of the names.
        held: the ``If-None-Match`` header of an asker who may have the answer already.
        manner: in which form the answer is wanted.
        limits: what it may cost.

    Raises:
        QuestionTooCostly: if it would read too much (422).
        DisclosureTooCostly: if too much would have to be looked at to decide what is withheld (422).
        QuestionTooSlow: if the database takes too long (422); the transaction is spoilt.
    """
    catalogue, rule = terms.catalogue, terms.rule
    within = {city.code for city in cities_of(question.region.code)}
    in_full = manner.in_full or reads_slices(question, catalogue)
    asked = with_counts(question, catalogue) if rule else question
    parts = await read_parts(session, asked, in_full=in_full)
    expected = await _expected(session, question, parts, within, here)
    people = await people_of(session, question, catalogue, rule) if rule else []
    withholding = [repr(rule), *(each.fingerprint for each in people)] if rule else []
    tag = _entity_tag(question, parts, expected, language, manner, withholding)
    if held is not None and holds(held, tag):
        return Answer(tag, None)
    Estimate.of(question, parts).require_within(limits)
    closing = _closing_periods(parts)
    await limit_time(session, limits.seconds)
    try:
        withheld = None
        if rule:
            counted = await count(session, people, catalogue, limits)
            withheld = await asyncio.to_thread(
                decide, question, catalogue, rule, people, counted, most=MOST_CELLS
            )
        rows = await figures.rows(
            session,
            question,
            catalogue,
            parts,
            closing=closing,
            language=language,
            withheld=withheld,
        )
    except QueryCanceledError:
        raise QuestionTooSlow(seconds=limits.seconds) from None
    told = {"rows": rows}
    if question.analysis.reshapes:  # in a thread, for many rows take their time
        told = await asyncio.to_thread(_reshaped, question, catalogue, rows, language)
    provenance = _provenance(question, catalogue, parts, expected, withheld)
    _tell_errors(provenance, question, catalogue)
    if manner.in_full:
        ids = [id_ for each in parts for id_ in each.slice_ids]
        _list_cities(provenance, await slices_by_id(session, ids))
    answered = {
        "indicators": orjson.dumps(_headings(question, catalogue, closing, language)),
        **told,
        "drill": orjson.dumps(ways(question, catalogue)),
        "provenance": orjson.dumps(provenance),
    }
    body = (
        b"{"
        + b",".join(b'"%b":%b' % (name.encode(), part) for name, part in answered.items())
        + b"}"
    )
    if manner.form is Form.JSON:
        return Answer(tag, body)
    return Answer(tag, await asyncio.to_thread(_file, question, body, manner))


async def estimate(session: AsyncSession, question: Question) -> Estimate:
    """Tell what a question would cost, without answering it."""
    return Estimate.of(question, await read_parts(session, question, in_full=False))


def _reshaped(
    question: Question, catalogue: Catalogue, rows: bytes, language: Language
) -> dict[str, bytes]:
    """Return the rows in their shape, and what goes across."""
    shaped = shape(question, catalogue, orjson.loads(rows), language=language)
    if shaped.columns is None:
        return {"rows": orjson.dumps(shaped.rows)}
    columns = [{"code": code, "name": name} for code, name in shaped.columns.items()]
    return {"columns": orjson.dumps(columns), "rows": orjson.dumps(shaped.rows)}


def _file(question: Question, body: bytes, manner: Manner) -> bytes:
    """Return an answer as a file; in a thread, for a large one takes its time."""
    file = io.BytesIO()
    table = flattened(question, orjson.loads(body))
    write(table, manner.form, file, with_bom=manner.with_bom)
    return file.getvalue()


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


def _entity_tag(  # noqa: PLR0917 - all that it depends on
    question: Question,
    parts: Sequence[Part],
    expected: Expected,
    language: Language,
    manner: Manner,
    withholding: Sequence[str],
) -> str:
    fingerprints: dict[str, int] = defaultdict(int)
    for each in parts:
        fingerprints[f"{each.dataset}/{each.period}"] += each.fingerprint
    known = sorted((key, str(value)) for key, value in fingerprints.items())
    # The question's repr holds the definitions of its indicators: an upgrade that changes one changes the tag.
    made_of = [repr(question), known, _by_cities(expected), language, repr(manner), withholding]
    return f'"{hashlib.sha256(orjson.dumps(made_of)).hexdigest()[:32]}"'


def _by_cities(expected: Expected) -> list[tuple[Sequence[str], list[str]]]:
    """Return what is expected in a short form: most periods are alike."""
    periods: dict[Sequence[str], list[str]] = defaultdict(list)
    for period, cities in expected.items():
        periods[cities].append(period)
    return list(periods.items())


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
        for each in question.told
    ]


def _provenance(
    question: Question,
    catalogue: Catalogue,
    parts: Sequence[Part],
    expected: Expected,
    withheld: Withheld | None,
) -> list[dict[str, Any]]:
    found: dict[tuple[str, str], list[Part]] = defaultdict(list)
    for each in parts:
        found[each.dataset, each.period].append(each)
    lacking = cache(_lacking)  # as above
    always: dict[str, list[str]] = defaultdict(list)
    for indicator in question.told:
        if is_always_hidden(catalogue, indicator):
            always[indicator.dataset].append(indicator.code)
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
                    **_withheld(withheld, dataset, period, always.get(dataset, [])),
                }
            )
    return told


def _tell_errors(
    provenance: Sequence[dict[str, Any]], question: Question, catalogue: Catalogue
) -> None:
    """Add to each entry how far the figures may be off that are estimated from its dataset."""
    errors: dict[str, dict[str, dict[str, float]]] = defaultdict(dict)
    for each in sketched_for(question, catalogue).values():
        errors[each.measure.dataset][each.code] = each.error
    for entry in provenance:
        if entry["dataset"] in errors:
            entry["errors"] = errors[entry["dataset"]]


def _withheld(
    withheld: Withheld | None, dataset: str, period: str, always: Sequence[str]
) -> dict[str, Any]:
    """Return what an entry says of what is withheld; nothing where nothing ever is."""
    if withheld is None:
        return {}
    rule = withheld.rule
    told = {
        "cells": withheld.cells.get((dataset, period), 0),
        "least_people": rule.threshold,
        "policy": rule.policy,
        "always": always,
    }
    return {"withheld": told}


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
