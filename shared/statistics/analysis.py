"""What one question derives from the indicators that it names: comparisons, shares, and what a remainder is made of.

These are indicators of the kinds that HQ defines (:mod:`~shared.statistics.catalogue`), made for the one question and
computed by its one statement. Their codes have two underscores: ``customers__year_growth``.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from shared.kernel.language import Text
from shared.kernel.listing import QueryInvalid
from shared.statistics.aggregation import Aggregation, Difference, Ratio
from shared.statistics.catalogue import (
    Catalogue,
    Change,
    Earlier,
    Growth,
    Indicator,
    Share,
    Windowed,
)
from shared.statistics.vocabulary import Unit

COMPARISONS: Mapping[str, Earlier] = {"previous": Earlier.PERIOD, "year": Earlier.YEAR}
"""With what a question may compare, in its own words."""
_MARKS = {Earlier.PERIOD: "", Earlier.YEAR: "year_"}
_EARLIER = {
    Earlier.PERIOD: Text("the period before", "环比"),
    Earlier.YEAR: Text("the year before", "同比"),
}

Thing = TypeVar("Thing")


@dataclass(frozen=True, slots=True)
class Analysis:
    """How figures are looked at.

    Attributes:
        asked: codes of the indicators that were named.
        compare: with which periods each of them is compared, in the question's words.
        share: codes of those whose share of the total is told.
        top: how many rows are told one by one; the others are put together. ``None``: all.
        top_by: code of the indicator whose greatest values are told one by one.
        pivot: what goes across rather than down: ``period``, ``region`` or a dimension.
        hidden: codes of what is computed and not told: others are put together from it.
    """

    asked: tuple[str, ...] = ()
    compare: tuple[str, ...] = ()
    share: tuple[str, ...] = ()
    top: int | None = None
    top_by: str = ""
    pivot: str | None = None
    hidden: tuple[str, ...] = ()

    @property
    def reshapes(self) -> bool:
        """Whether the rows of the answer are others than those of the figures."""
        return self.top is not None or self.pivot is not None


def offered(parameter: str, code: str, things: Mapping[str, Thing]) -> Thing:
    """Return what a parameter names.

    Raises:
        QueryInvalid: if there is no such thing, with what there is.
    """
    if code not in things:
        raise QueryInvalid(parameter, code, ", ".join(things))
    return things[code]


def derived(
    asked: Sequence[Indicator], compare: Iterable[str], share: Iterable[str]
) -> list[Indicator]:
    """Return what a question derives from the indicators that it names, in the order in which it is told.

    Raises:
        QueryInvalid: for a comparison that there is not, or of what is itself made of other rows.
    """
    comparable = {each.code: each for each in asked if not isinstance(each.aggregation, Windowed)}
    addable = {each.code: each for each in asked if _adds_up(each)}
    periods = [offered("compare", word, COMPARISONS) for word in dict.fromkeys(compare)]
    shared = {offered("share", code, addable).code for code in share}
    found: list[Indicator] = []
    for each in asked:
        if periods:
            offered("compare", each.code, comparable)
        for over in periods:
            found += [_changed(each, over), _grown(each, over)]
        if each.code in shared:
            name = Text(f"{each.name.en}, share of the total", f"{each.name.zh}占比")
            found.append(_made(each, "share", name, Share(each), Unit.PERCENT))
    return found


def parts(indicators: Iterable[Indicator], catalogue: Catalogue) -> list[Indicator]:
    """Return what the figures of several rows are put together from, beside the indicators themselves."""
    found: list[Indicator] = []
    for each in indicators:
        match each.aggregation:
            case Ratio() | Difference() | Share():
                found += [catalogue.indicators[code] for code in each.measures]
            case Change(over=over) | Growth(over=over):
                measures = [catalogue.indicators[code] for code in each.measures]
                found += [*measures, *(_changed(measure, over) for measure in measures)]
    return found


def change_code(code: str, over: Earlier) -> str:
    """Return the code of the change of an indicator."""
    return f"{code}__{_MARKS[over]}change"


def _changed(of: Indicator, over: Earlier) -> Indicator:
    words = _EARLIER[over]
    name = Text(f"{of.name.en}, change over {words.en}", f"{of.name.zh}{words.zh}增减")
    code = change_code(of.code, over)
    return replace(_made(of, "", name, Change(of, over), of.unit), code=code)


def _grown(of: Indicator, over: Earlier) -> Indicator:
    words = _EARLIER[over]
    name = Text(f"{of.name.en}, growth over {words.en}", f"{of.name.zh}{words.zh}增长率")
    return _made(of, f"{_MARKS[over]}growth", name, Growth(of, over), Unit.PERCENT)


def _made(of: Indicator, mark: str, name: Text, how: Windowed, unit: Unit) -> Indicator:
    return replace(
        of, code=f"{of.code}__{mark}", name=name, unit=unit, aggregation=how, formula=name, sql=""
    )


def _adds_up(indicator: Indicator) -> bool:
    how = indicator.aggregation
    return isinstance(how, Aggregation) and how.adds_up
