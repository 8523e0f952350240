"""How the statement that answers a question (:mod:`~shared.statistics.figures`) leaves out what is withheld.

What has been *counted* is put together with the rows that are withheld, so that such a row is there even if nobody is
in it: a missing one would tell that. A figure is empty if a count of the people whom it is about is withheld in its
row, and so is whatever is computed from it. Each row then names the indicators that are withheld in it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from shared.statistics.aggregation import Aggregation, Quantile
from shared.statistics.catalogue import Catalogue, Indicator, Windowed
from shared.statistics.privacy import Rule
from shared.statistics.question import Question


@dataclass(frozen=True, slots=True)
class Withheld:
    """What is withheld from an answer.

    Attributes:
        rule: by which rule.
        rows: bucket, region and dimensions of rows, each with the reasons (:func:`reasons_of`).
        cells: how many these are, by dataset and period.
    """

    rule: Rule
    rows: Mapping[tuple[str | None, ...], Collection[str]]
    cells: Mapping[tuple[str, str], int]


def reasons_of(catalogue: Catalogue, measure: Indicator) -> tuple[str, ...]:
    """Return for which reasons a measure may be withheld: counts of people, or finer cells that it would give away."""
    dataset = catalogue.datasets[measure.dataset]
    if measure.code in dataset.within:
        return (f"within_{measure.code}", *dataset.counts_of(measure.code))
    return dataset.counts_of(measure.code)


def is_always_hidden(catalogue: Catalogue, indicator: Indicator) -> bool:
    """Tell whether an indicator is withheld wherever small cells are, however many people a cell is about."""
    how = indicator.aggregation
    if isinstance(how, Windowed):
        return is_always_hidden(catalogue, how.of)
    if isinstance(how, Quantile):
        return True  # near its ends a distribution is the values of a few
    for each in (catalogue.indicators[code] for code in indicator.measures):
        reasons = reasons_of(catalogue, each)
        if each.is_sketch and not reasons:
            return True  # nobody counts whom it is about
        if reasons and each.aggregation in {Aggregation.MAX, Aggregation.MIN}:
            return (
                True  # it is the value of a single one, and tells in which of the cells that one is
            )
    return False


@dataclass(frozen=True)
class Hiding:
    """What the statement needs for it; only codes of the catalogue become part of its text."""

    question: Question
    catalogue: Catalogue
    withheld: Withheld

    @cached_property
    def measures(self) -> Sequence[Indicator]:
        """The measures that are computed."""
        codes = dict.fromkeys(code for each in self.question.indicators for code in each.measures)
        return [self.catalogue.indicators[code] for code in codes]

    @cached_property
    def reasons(self) -> Sequence[str]:
        """For which reasons any of these may be withheld."""
        return sorted({x for each in self.measures for x in reasons_of(self.catalogue, each)})

    def hides(self, indicator: Indicator) -> str:
        """Return whether an indicator, put together from measures, is withheld in a row ``g``."""
        if is_always_hidden(self.catalogue, indicator):
            return "true"
        reasons = [
            f"coalesce(g.w_{reason}, false)"
            for code in indicator.measures
            for reason in reasons_of(self.catalogue, self.catalogue.indicators[code])
        ]
        return " OR ".join(dict.fromkeys(reasons)) or "false"

    def step(self, names: Sequence[str], computed: Sequence[str], parameter: int) -> str:
        """Return the step of the statement between what has been counted and what is gathered.

        Args:
            names: the columns of dimensions.
            computed: those of measures and estimates.
            parameter: number of the first of its parameters, :attr:`values`.
        """
        flags = [f"w_{each}" for each in self.reasons]
        keys = ", ".join(["bucket", "region", *names])
        types = ["text"] * (2 + len(names)) + ["boolean"] * len(flags)
        given = ", ".join(f"${at}::{type_}[]" for at, type_ in enumerate(types, start=parameter))
        columns = [
            *(f"max({each}) AS {each}" for each in computed),
            *(f"bool_or({each}) AS {each}" for each in flags),
        ]
        return f"""gathered AS (
                SELECT {keys}, {", ".join(columns)}
                FROM (
                    SELECT {", ".join([keys, *computed, *("false AS " + each for each in flags)])} FROM counted
                    UNION ALL
                    SELECT {", ".join([keys, *("NULL" for _ in computed), *flags])}
                    FROM unnest({given}) AS h ({", ".join([keys, *flags])})
                ) u GROUP BY {keys}
            ),"""  # noqa: S608 - codes of the catalogue alone

    @property
    def values(self) -> list[list[Any]]:
        """The parameters of :meth:`step`: a column for each part of a row's key, and for each reason."""
        rows = self.withheld.rows
        keys = [[key[at] for key in rows] for at in range(2 + len(self.question.dimensions))]
        return [*keys, *([each in why for why in rows.values()] for each in self.reasons)]

    @property
    def marks(self) -> list[str]:
        """What a row ``f`` says of what is withheld in it."""
        codes = [each.code for each in self.question.indicators]
        marked = ", ".join(f"CASE WHEN f.h_{code} THEN '{code}' END" for code in codes)
        return [f"'withheld', to_json(array_remove(ARRAY[{marked}]::text[], NULL))"]
