"""The page of the documentation that lists the catalogue, made from it."""

from collections.abc import Iterator

from shared.statistics.catalogue import (
    AGGREGATION_NAMES,
    FAMILY_NAMES,
    UNIT_NAMES,
    Catalogue,
    Indicator,
)
from shared.statistics.indicators import CATALOGUE

_INTRODUCTION = """\
# Indicators

<!-- Made from the program by `make docs`; change it there. -->

What can be asked for, from the catalogue in `shared/statistics/indicators.py`. The same is served, in both languages, by
`GET /statistics/indicators` and `GET /statistics/dimensions`.

Cities count *measures* for each combination of a dataset's dimensions; *ratios* are divided from sums when they are
asked for, so that no average is ever averaged. A level, contract or monthly charge is the customer's at the time of
computing; tenure is counted in whole months to the period's last day, or to the day of leaving. Money is in fen.
"""


def render_markdown(catalogue: Catalogue = CATALOGUE) -> str:
    """Return ``docs/indicators.md``."""
    return "\n".join([_INTRODUCTION, *_dimensions(catalogue), *_indicators(catalogue)])


def _dimensions(catalogue: Catalogue) -> Iterator[str]:
    yield "## Dimensions 分析角度\n"
    yield "| code | name | 名称 | values |"
    yield "|---|---|---|---|"
    yield "| `period` | Month or day | 月、日 | `2026-11`, `2026-11-23` |"
    yield "| `region` | Region | 地区 | division codes; `region_level`: `nation` 全国, `province` 省, `city` 地市 |"
    for each in catalogue.dimension_list:
        values = ", ".join(f"`{code}` {name.zh}" for code, name in each.values.items())
        yield f"| `{each.code}` | {each.name.en} | {each.name.zh} | {values} |"
    yield ""


def _indicators(catalogue: Catalogue) -> Iterator[str]:
    for family, name in FAMILY_NAMES.items():
        members = [each for each in catalogue.indicator_list if each.family is family]
        if members:
            yield f"## {name.en} {name.zh}\n"
            for each in members:
                yield from _indicator(catalogue, each)


def _indicator(catalogue: Catalogue, each: Indicator) -> Iterator[str]:
    dataset = catalogue.datasets[each.dataset]
    unit = UNIT_NAMES[each.unit]
    how = AGGREGATION_NAMES[each.aggregation_code]
    periods = " or ".join(sorted(kind.value for kind in dataset.periods))
    yield f"### `{each.code}`\n"
    yield f"{each.name.en} {each.name.zh}\n"
    yield f"- Formula: {each.formula.en}. {each.formula.zh}。"
    yield f"- Unit: {unit.en} {unit.zh}"
    yield f"- Aggregation: {each.aggregation_code}: {how.en}. {how.zh}。"
    yield f"- Dataset: `{dataset.code}`, by {periods}, {', '.join(f'`{code}`' for code in dataset.dimensions)}\n"
