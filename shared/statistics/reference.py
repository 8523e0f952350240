"""The pages of the documentation that describe the catalogue, made from it: an index, and one page an indicator."""

from collections.abc import Iterator
from textwrap import dedent

from shared.statistics.aggregation import MEDIAN, Aggregation, Quantile
from shared.statistics.catalogue import Catalogue, Dataset, Indicator
from shared.statistics.estimates import Sketched, sketched
from shared.statistics.indicators import CATALOGUE
from shared.statistics.sketches import DISTINCT_ERROR, RANK_ERROR
from shared.statistics.vocabulary import AGGREGATION_NAMES, FAMILY_NAMES, OWNERS, UNIT_NAMES

_MADE = "<!-- Made from the program by `make docs`; change it there. -->"
_INTRODUCTION = f"""\
# Indicators

{_MADE}

What can be asked for, from the catalogue in `shared/statistics`. The same is served, in both languages, by
`GET /statistics/indicators`, `GET /statistics/indicators/{{code}}` and `GET /statistics/dimensions`.

Cities count *measures* for each combination of a dataset's dimensions; *ratios* are divided from sums when they are
asked for, so that no average is ever averaged. A level is the one that the customer had at the period's end; contract,
sex, kind and monthly charge are those at the time of counting; tenure is counted in whole months to the period's last
day, or to the day of leaving. Money is in fen.

Distinct people and quantiles are told from [sketches](statistics.md#sketches), which merge and are never added: the SQL
of these pages is what they estimate.
"""


def render_markdown(catalogue: Catalogue = CATALOGUE) -> str:
    """Return ``docs/indicators.md``."""
    return "\n".join(
        [_INTRODUCTION, *_dimensions(catalogue), *_indicators(catalogue), *_datasets(catalogue)]
    )


def render_indicator(code: str, catalogue: Catalogue = CATALOGUE) -> str:
    """Return ``docs/indicators/<code>.md``."""
    return "\n".join(_page(catalogue, catalogue.indicators[code])) + "\n"


def _dimensions(catalogue: Catalogue) -> Iterator[str]:
    yield "## Dimensions 分析角度\n"
    yield "| code | name | 名称 | edition | values |"
    yield "|---|---|---|---|---|"
    yield "| `period` | Month or day | 月、日 | | `2026-11`, `2026-11-23` |"
    yield (
        "| `region` | Region | 地区 | GB/T 2260 | division codes; `region_level`: `nation` 全国, `province` 省, "
        "`city` 地市 |"
    )
    for each in catalogue.dimension_list:
        values = ", ".join(f"`{code}` {name.zh}" for code, name in each.values.items())
        made_of = f"put together from `{each.of}`: " if each.of else ""
        said = values or "as the cities say"
        yield f"| `{each.code}` | {each.name.en} | {each.name.zh} | {each.version} | {made_of}{said} |"
    yield ""


def _indicators(catalogue: Catalogue) -> Iterator[str]:
    for family, name in FAMILY_NAMES.items():
        members = [each for each in catalogue.indicator_list if each.family is family]
        if members:
            yield f"## {name.en} {name.zh}\n"
            yield "| code | name | 名称 | unit | aggregation | dataset |"
            yield "|---|---|---|---|---|---|"
            for each in members:
                yield (
                    f"| [`{each.code}`](indicators/{each.code}.md) | {each.name.en} | {each.name.zh} "
                    f"| {UNIT_NAMES[each.unit].en} | {each.aggregation_code} | `{each.dataset}` |"
                )
            yield ""


def _datasets(catalogue: Catalogue) -> Iterator[str]:
    yield "## Datasets 数据集 { #datasets }\n"
    yield (
        "The rows that a city counts, as its statement has them. `:first` and `:after` are the period's first day and the "
        "day after its last, `:first_at` and `:after_at` the moments at which these begin in China.\n"
    )
    for each in catalogue.dataset_list:
        yield f"### `{each.code}`\n"
        yield f"{each.name.en} {each.name.zh}. {_counted(each)}\n"
        yield f"```sql\n{dedent(each.rows).strip()}\n```\n"


def _counted(dataset: Dataset) -> str:
    periods = " and ".join(sorted(kind.value for kind in dataset.periods))
    dimensions = ", ".join(f"`{code}`" for code in dataset.dimensions)
    said = f"By {periods}; {dimensions}."
    if dataset.late:
        tables = ", ".join(f"`{table}`" for table in dataset.late)
        said += f" A past period is counted again when rows of {tables} come, change or go."
    if dataset.present_only:
        said += " The present alone is known: a past period cannot be counted any more."
    return f"{said} {_people(dataset)}"


def _people(dataset: Dataset) -> str:
    """Say whom a dataset is about."""
    others: dict[tuple[str, ...], list[str]] = {}
    for measure, counts in dataset.others.items():
        others.setdefault(counts, []).append(f"`{measure}`")
    besides = (
        f"of {', '.join(measures)} by {' and '.join(f'`{each}`' for each in counts)}"
        for counts, measures in others.items()
    )
    said = f"{'; '.join([f'Its people are counted by `{dataset.people}`', *besides])}."
    for measure, within in dataset.within.items():
        finer = " and ".join(f"`{each}`" for each in within.dimensions)
        said += f" `{measure}` follows from cells by {finer}."
    return said


def _page(catalogue: Catalogue, each: Indicator) -> Iterator[str]:
    dataset = catalogue.datasets[each.dataset]
    unit, owner = UNIT_NAMES[each.unit], OWNERS[each.family]
    family, how = FAMILY_NAMES[each.family], AGGREGATION_NAMES[each.aggregation_code]
    periods = " or ".join(sorted(kind.value for kind in dataset.periods))
    dimensions = ", ".join(f"`{found.code}`" for found in catalogue.dimensions_of(each.dataset))
    yield f"# {each.code}\n"
    yield f"{_MADE}\n"
    yield f"{each.name.en} {each.name.zh}\n"
    yield "| | |"
    yield "|---|---|"
    yield f"| Formula 公式 | {each.formula.en}. {each.formula.zh}。 |"
    yield f"| Unit 单位 | {unit.en} {unit.zh} |"
    yield f"| Family 类别 | {family.en} {family.zh} |"
    yield f"| Aggregation 汇总方式 | {each.aggregation_code}: {how.en}. {how.zh}。 |"
    for found in sketched(each, catalogue):
        yield f"| Error 误差 | {_error(found)} |"
    yield f"| Dataset 数据集 | [`{dataset.code}`](../indicators.md#{dataset.code}), by {periods} |"
    yield f"| Dimensions 分析角度 | `period`, `region`, {dimensions} |"
    yield f"| Owner 归口 | {owner.en} {owner.zh} |"
    yield f"| Valid 有效期 | {each.valid_from or 'always'} – {each.valid_until or ''} |\n"
    yield f"```sql\n{exact_sql(catalogue, each)}\n```"


def _error(told: Sketched) -> str:
    whose = f"`{told.code}`: "
    if told.percent is None:
        return f"{whose}±{100 * DISTINCT_ERROR:.2f} % in 95 of 100 cases. 95% 置信度"
    return f"{whose}±{100 * RANK_ERROR:.1f} % in rank. 名次误差"


def exact_sql(catalogue: Catalogue, each: Indicator) -> str:
    """Return what an indicator is of a dataset's rows, in SQL; a sketch is an estimate of it."""
    if isinstance(each.aggregation, Quantile):
        return _quantile(catalogue.indicators[each.aggregation.of], each.aggregation.percent)
    if each.is_sketch and each.aggregation is not Aggregation.DISTINCT:
        return _quantile(each, MEDIAN)
    if each.sql:
        return f"count(DISTINCT {each.sql})" if each.is_sketch else each.sql
    numerator, denominator = (catalogue.indicators[code] for code in each.measures)
    scale = getattr(each.aggregation, "scale", 1)
    times = f" * {scale}" if scale != 1 else ""
    above, below = (exact_sql(catalogue, side) for side in (numerator, denominator))
    return f"{above}{times}\n/ nullif({below}, 0)"


def _quantile(of: Indicator, percent: int) -> str:
    return f"percentile_disc({percent / 100}) WITHIN GROUP (ORDER BY {of.sql})"
