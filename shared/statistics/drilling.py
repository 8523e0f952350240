"""From a figure to those that it is made of, and back: the questions one level finer and coarser.

They are given once for an answer and not with each of its rows, as query strings in which ``{region}`` or the name of a
dimension in braces stands for what a row has (RFC 6570, level 1).
"""

from collections.abc import Iterator
from urllib.parse import urlencode

from shared.statistics.catalogue import Catalogue
from shared.statistics.question import BY_PERIOD, BY_REGION, LEVELS, Question

Words = dict[str, str]


def words_of(question: Question) -> Words:
    """Return the question as the parameters by which it is asked for."""
    analysis = question.analysis
    first, last = str(question.periods[0]), str(question.periods[-1])
    known_at = question.as_known_at
    words = {
        "indicator": ",".join(analysis.asked or [each.code for each in question.told]),
        **({"period": first} if first == last else {"from": first, "to": last}),
        "by": ",".join(_by(question) or [BY_REGION]),
        "region": question.region.code,
        "region_level": question.region_level.value,
        **{dimension.code: ",".join(values) for dimension, values in question.filters},
        "as_known_at": known_at.isoformat() if known_at else "",
        "compare": ",".join(analysis.compare),
        "share": ",".join(analysis.share),
        "top": str(analysis.top or ""),
        "top_by": analysis.top_by if analysis.top else "",
        "pivot": analysis.pivot or "",
    }
    return {name: value for name, value in words.items() if value}


def query_string(words: Words) -> str:
    """Write parameters as the query of an address, in which braces stay."""
    return urlencode(words, safe="{},:")


def ways(question: Question, catalogue: Catalogue) -> dict[str, dict[str, str]]:
    """Return the finer and the coarser questions, by what they are finer or coarser in."""
    plain = words_of(question)
    return {
        "down": {name: query_string(plain | finer) for name, finer in _finer(question)},
        "up": {
            name: query_string(plain | coarser) for name, coarser in _coarser(question, catalogue)
        },
    }


def _finer(question: Question) -> Iterator[tuple[str, Words]]:
    level = LEVELS.index(question.region_level)
    if level + 1 < len(LEVELS):
        by = _by(question) if question.tells_regions_apart else [BY_REGION, *_by(question)]
        finer = {"region": "{region}", "region_level": LEVELS[level + 1].value}
        yield BY_REGION, finer | {"by": ",".join(by)}
    for each in question.dimensions:
        if each.of is not None:
            of_this = {each.code: f"{{{each.code}}}"}
            yield each.code, _instead(question, each.code, each.of) | of_this


def _coarser(question: Question, catalogue: Catalogue) -> Iterator[tuple[str, Words]]:
    level = LEVELS.index(question.region_level)
    if question.tells_regions_apart:
        yield BY_REGION, {"region_level": LEVELS[level - 1].value}
    elif question.region.code != question.scope and question.region.parent:
        wider = {"region": question.region.parent, "region_level": LEVELS[level - 1].value}
        yield BY_REGION, wider
    for each in question.dimensions:
        for whole in catalogue.dimension_list:
            if whole.of == each.code:
                yield each.code, _instead(question, each.code, whole.code)


def _instead(question: Question, code: str, other: str) -> Words:
    """Return how a question tells rows apart by another dimension in the place of one."""
    by = [other if each == code else each for each in _by(question)]
    pivot = {"pivot": other} if question.analysis.pivot == code else {}
    return {"by": ",".join(dict.fromkeys(by))} | pivot


def _by(question: Question) -> list[str]:
    return [
        *([BY_PERIOD] if question.by_period else []),
        *([BY_REGION] if question.tells_regions_apart else []),
        *(each.code for each in question.dimensions),
    ]
