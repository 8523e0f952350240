"""Answering questions: which slices an answer is made of, what is missing, and what the figures are."""

import asyncio
import hashlib
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from asyncpg import QueryCanceledError
from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation.repository import registered_cities
from shared.kernel.language import Language
from shared.kernel.tier import Tier
from shared.organisation.division import cities_of, division
from shared.statistics import figures
from shared.statistics.catalogue import Catalogue
from shared.statistics.cost import ORDINARY, Estimate, Limits
from shared.statistics.drilling import ways
from shared.statistics.forms import Form
from shared.statistics.problems import QuestionTooSlow
from shared.statistics.question import Question
from shared.statistics.repository import StoredSlice, chosen_slices, limit_time
from shared.statistics.shaping import shape
from shared.statistics.table import flattened, write
from shared.statistics.vocabulary import UNIT_NAMES


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
        entity_tag: changes when, and only when, the question, the slices it is made of or the cities expected do.
        body: the JSON, or the file; ``None`` if the asker has it already.
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
    manner: Manner = AS_JSON,
    limits: Limits = ORDINARY,
) -> Answer:
    """Answer a question.

    Args:
        session: where to look.
        question: what is asked.
        catalogue: what its indicators mean.
        here: code of this node, from which figures are expected if it is a city.
        language: of the names.
        held: the ``If-None-Match`` header of an asker who may have the answer already.
        manner: in which form the answer is wanted.
        limits: what it may cost.

    Raises:
        QuestionTooCostly: if it would read too much (422).
        QuestionTooSlow: if the database takes too long (422); the transaction is spoilt.
    """
    within = {city.code for city in cities_of(question.region.code)}
    registered = {
        *await registered_cities(session),
        *([here] if division(here).tier is Tier.CITY else []),
    }
    slices = await chosen_slices(
        session,
        question.measures,
        [str(period) for period in question.consulted],
        sorted(within),
        as_known_at=question.as_known_at,
    )
    expected = sorted((registered & within) | {each.node for each in slices})
    tag = _entity_tag(question, slices, expected, language, manner)
    if held is not None and _holds(held, tag):
        return Answer(tag, None)
    Estimate.of(question, slices).require_within(limits)
    closing = _closing_periods(slices)
    await limit_time(session, limits.seconds)
    try:
        rows = await _rows(session, question, catalogue, slices, closing, language)
    except QueryCanceledError:
        raise QuestionTooSlow(seconds=limits.seconds) from None
    told = {"rows": rows}
    if question.analysis.reshapes:  # in a thread, for many rows take their time
        told = await asyncio.to_thread(_reshaped, question, catalogue, rows, language)
    parts = {
        "indicators": orjson.dumps(_headings(question, catalogue, closing, language)),
        **told,
        "drill": orjson.dumps(ways(question, catalogue)),
        "provenance": orjson.dumps(_provenance(question, slices, expected, in_full=manner.in_full)),
    }
    body = (
        b"{" + b",".join(b'"%b":%b' % (name.encode(), part) for name, part in parts.items()) + b"}"
    )
    if manner.form is Form.JSON:
        return Answer(tag, body)
    return Answer(tag, await asyncio.to_thread(_file, question, body, manner))


async def estimate(session: AsyncSession, question: Question) -> Estimate:
    """Tell what a question would cost, without answering it."""
    slices = await chosen_slices(
        session,
        question.measures,
        [str(period) for period in question.consulted],
        [city.code for city in cities_of(question.region.code)],
        as_known_at=question.as_known_at,
    )
    return Estimate.of(question, slices)


async def _rows(  # noqa: PLR0917 - what the figures need
    session: AsyncSession,
    question: Question,
    catalogue: Catalogue,
    slices: Sequence[StoredSlice],
    closing: Mapping[str, str],
    language: Language,
) -> bytes:
    """Return the rows of the figures, before any are put together, turned or written.

    Every answer passes here, whatever its shape and form: what is to be withheld is withheld here.
    """
    return await figures.rows(
        session, question, catalogue, slices, closing=closing, language=language
    )


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


def _entity_tag(
    question: Question,
    slices: Sequence[StoredSlice],
    expected: Sequence[str],
    language: Language,
    manner: Manner,
) -> str:
    # The question's repr holds the definitions of its indicators: an upgrade that changes one changes the tag.
    made_of = [repr(question), [each.id for each in slices], expected, language, repr(manner)]
    return f'"{hashlib.sha256(orjson.dumps(made_of)).hexdigest()[:32]}"'


def _holds(header: str, tag: str) -> bool:
    """Compare weakly, as RFC 9110, 13.1.2 has it: proxies that compress weaken tags."""
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
        for each in question.told
    ]


def _provenance(
    question: Question, slices: Sequence[StoredSlice], expected: Sequence[str], *, in_full: bool
) -> list[dict[str, Any]]:
    found: dict[tuple[str, str], list[StoredSlice]] = defaultdict(list)
    for each in slices:
        found[each.dataset, each.period].append(each)
    return [
        _made_of(dataset, str(period), found[dataset, str(period)], expected, in_full=in_full)
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
