"""A catalogue that makes no sense cannot be made, and the one that ships does."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from shared.kernel.language import Text
from shared.statistics.aggregation import Aggregation, Ratio
from shared.statistics.catalogue import Catalogue, CatalogueInvalid, Dataset, Dimension, Indicator
from shared.statistics.indicators import CATALOGUE
from shared.statistics.period import PeriodKind
from shared.statistics.reference import render_markdown
from shared.statistics.vocabulary import (
    AGGREGATION_NAMES,
    FAMILY_NAMES,
    UNIT_NAMES,
    Family,
    Unit,
)

ROOT = Path(__file__).resolve().parents[2]
WORDS = Text("word", "词")
COLOUR = Dimension("colour", WORDS, {"red": WORDS, "blue": WORDS})
TONE = Dimension(
    "tone",
    WORDS,
    {"warm": WORDS, "cold": WORDS},
    of="colour",
    parents={"red": "warm", "blue": "cold"},
)


def measure(code: str, aggregation: Aggregation | Ratio, dataset: str = "sales") -> Indicator:
    return Indicator(code, WORDS, Unit.FEN, Family.REVENUE, dataset, aggregation, WORDS)


def catalogue(*indicators: Indicator) -> Catalogue:
    months = frozenset({PeriodKind.MONTH})
    return Catalogue(
        (Dimension("colour", WORDS, {"red": WORDS}),),
        (Dataset("sales", WORDS, ("colour",), months), Dataset("stock", WORDS, (), months)),
        indicators,
    )


def test_a_ratio_of_two_measures_makes_sense() -> None:
    made = catalogue(
        measure("sold", Aggregation.SUM),
        measure("visits", Aggregation.SUM),
        measure("yield", Ratio("sold", "visits", 100)),
    )

    assert made.indicators["yield"].measures == ("sold", "visits")
    assert [each.code for each in made.measures_of("sales")] == ["sold", "visits"]


NONSENSE: list[tuple[str, Callable[[], Catalogue]]] = [
    (
        "averages are never averaged",
        lambda: catalogue(
            measure("sold", Aggregation.SUM),
            measure("mean", Ratio("sold", "sold")),
            measure("mean_of_means", Ratio("mean", "sold")),
        ),
    ),
    ("unknown measure", lambda: catalogue(measure("yield", Ratio("sold", "visits")))),
    (
        "does not add up",
        lambda: catalogue(
            measure("sold", Aggregation.SUM),
            measure("best", Aggregation.MAX),
            measure("yield", Ratio("sold", "best")),
        ),
    ),
    (
        "over time",
        lambda: catalogue(
            measure("sold", Aggregation.SUM),
            measure("shops", Aggregation.SNAPSHOT),
            measure("yield", Ratio("sold", "shops")),
        ),
    ),
    (
        "another dataset",
        lambda: catalogue(
            measure("sold", Aggregation.SUM),
            measure("kept", Aggregation.SUM, "stock"),
            measure("yield", Ratio("sold", "kept")),
        ),
    ),
    ("unknown dataset", lambda: catalogue(measure("sold", Aggregation.SUM, "stok"))),
    (
        "declared twice",
        lambda: catalogue(measure("sold", Aggregation.SUM), measure("sold", Aggregation.MAX)),
    ),
    ("not of the form", lambda: catalogue(measure("Sold; DROP TABLE", Aggregation.SUM))),
    (
        "uses that word",
        lambda: Catalogue((Dimension("region", WORDS, {"north": WORDS}),), (), ()),
    ),
    (
        "no dimension of cells",
        lambda: Catalogue((Dimension("tone", WORDS, {"warm": WORDS}, of="colour"),), (), ()),
    ),
    (
        "does not say where each value",
        lambda: Catalogue((COLOUR, replace(TONE, parents={"red": "warm"})), (), ()),
    ),
    (
        "follows from a finer dimension",
        lambda: Catalogue((COLOUR, TONE), (Dataset("sales", WORDS, ("tone",), frozenset()),), ()),
    ),
    (
        "unknown dimension",
        lambda: Catalogue((), (Dataset("sales", WORDS, ("colour",), frozenset()),), ()),
    ),
]


@pytest.mark.parametrize(("why", "make"), NONSENSE, ids=[why for why, _ in NONSENSE])
def test_nonsense_is_refused(why: str, make: Callable[[], Catalogue]) -> None:
    with pytest.raises(CatalogueInvalid, match=why):
        make()


def test_what_ships_has_indicators_of_every_family_over_few_enough_cells() -> None:
    cells = [
        math.prod(len(CATALOGUE.dimensions[code].values) or 12 for code in dataset.dimensions)
        for dataset in CATALOGUE.dataset_list
    ]

    assert len(CATALOGUE.indicators) >= 80
    assert {each.family for each in CATALOGUE.indicator_list} == set(Family)
    assert sum(cells) < 5_500
    assert {code for each in CATALOGUE.dataset_list for code in each.dimensions} == {
        code for code, each in CATALOGUE.dimensions.items() if each.of is None
    }
    for each in CATALOGUE.indicator_list:
        assert bool(each.sql) == isinstance(each.aggregation, Aggregation), each.code


def test_a_dataset_can_be_asked_by_what_puts_its_dimensions_together() -> None:
    made = Catalogue((COLOUR, TONE), (Dataset("sales", WORDS, ("colour",), frozenset()),), ())

    assert made.dimensions_of("sales") == (COLOUR, TONE)
    section = CATALOGUE.dimensions["industry_section"]
    assert (section.parents["01"], section.values["A"].zh) == ("A", "农、林、牧、渔业")


def test_everything_is_named_in_both_languages() -> None:
    texts = [
        *(each.name for each in CATALOGUE.indicator_list),
        *(each.formula for each in CATALOGUE.indicator_list),
        *(each.name for each in CATALOGUE.dataset_list),
        *(each.name for each in CATALOGUE.dimension_list),
        *(name for each in CATALOGUE.dimension_list for name in each.values.values()),
    ]

    assert all(text.en and text.zh for text in texts)
    assert set(FAMILY_NAMES) == set(Family)
    assert set(UNIT_NAMES) == set(Unit)
    assert set(AGGREGATION_NAMES) == {
        *Aggregation,
        *("ratio", "difference", "quantile", "share", "change", "growth", "rank", "moving_sum"),
    }


def test_the_catalogue_stays_checked_when_it_is_changed() -> None:
    broken = replace(CATALOGUE.indicators["arpu_fen"], aggregation=Ratio("churn_rate", "customers"))

    with pytest.raises(CatalogueInvalid, match="never averaged"):
        replace(
            CATALOGUE, indicator_list=(*CATALOGUE.indicator_list[:-1], replace(broken, code="x"))
        )


def test_the_documentation_page_is_the_catalogue() -> None:
    written = (ROOT / "docs" / "indicators.md").read_text(encoding="utf-8")

    assert written == render_markdown()
    assert all(f"(indicators/{code}.md)" in written for code in CATALOGUE.indicators)
