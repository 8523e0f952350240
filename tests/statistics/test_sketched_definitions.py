"""What can be defined from sketches, and what would be nonsense."""

from typing import Any

import pytest
from pydantic import ValidationError

from shared.kernel.language import Text
from shared.statistics.aggregation import Aggregation, Quantile, Ratio
from shared.statistics.catalogue import Catalogue, CatalogueInvalid, Indicator
from shared.statistics.definition import Definition
from shared.statistics.indicators import CATALOGUE
from shared.statistics.vocabulary import Family, Unit
from tests.statistics.test_estimates import ACTIVE, CHARGE, DATA, P99


@pytest.mark.parametrize(
    ("kind", "of", "more"),
    [
        ("difference", ACTIVE, {"by": DATA}),
        ("share", ACTIVE, {}),
        ("moving_sum", ACTIVE, {"periods": 3}),
        ("ratio", CHARGE, {"by": "median_tenure_months", "unit": "percent"}),
        ("ratio", P99, {"by": CHARGE, "unit": "percent"}),
        ("moving_sum", CHARGE, {"periods": 3}),
        ("share", P99, {}),
    ],
)
def test_sketches_are_never_added_in_what_hq_defines(
    kind: str, of: str, more: dict[str, Any]
) -> None:
    with pytest.raises(ValidationError, match="averages are never averaged"):
        defined(kind=kind, of=of, **more)


def test_a_ratio_of_distinct_people_can_be_defined_and_one_with_customers_cannot() -> None:
    found = defined(kind="ratio", of=DATA, by=ACTIVE, unit="percent", scale=100)
    assert found.indicator("1").measures == (DATA, ACTIVE)
    assert defined(kind="growth", of=P99, over="year").indicator("1").measures == (CHARGE,)
    with pytest.raises(ValidationError, match="is of the dataset customer"):
        defined(kind="ratio", of=ACTIVE, by="customers", unit="percent")


def defined(**words: Any) -> Definition:
    return Definition.model_validate({"code": "x", "name_zh": "某", "name_en": "Some", **words})


def test_a_quantile_is_of_a_distribution() -> None:
    word = Text("word", "词")
    wrong = Indicator("x", word, Unit.FEN, Family.REVENUE, "activity", Quantile(ACTIVE, 90), word)
    for broken in (
        wrong,
        Indicator("x", word, Unit.FEN, Family.REVENUE, "activity", Quantile("no", 90), word),
    ):
        with pytest.raises(CatalogueInvalid, match="of no distribution"):
            Catalogue(
                CATALOGUE.dimension_list,
                CATALOGUE.dataset_list,
                (*CATALOGUE.indicator_list, broken),
            )
    mixed = Ratio(ACTIVE, "usage_charge_fen")
    assert Aggregation.DISTINCT.divides
    with pytest.raises(CatalogueInvalid, match="another dataset"):
        Catalogue(
            CATALOGUE.dimension_list,
            CATALOGUE.dataset_list,
            (
                *CATALOGUE.indicator_list,
                Indicator("x", word, Unit.FEN, Family.REVENUE, "activity", mixed, word),
            ),
        )
