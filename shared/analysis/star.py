"""The star: the schema ``analysis``, views that are all an analyst sees of the node's database.

They are the owner's, with the owner's rights, so that whoever reads them needs none on the tables; and they are
barriers: no function that an analyst writes sees a row that a view leaves out. Facts have a column for each dimension
of the catalogue. So a dimension that is added needs a migration, and the test of the history says so.

The gates ``analysis_fact`` and ``analysis_unsaid`` lie with the tables, because the lake reads them too: every value
passes there. What they withhold was decided before (:mod:`~shared.analysis.withholding`).
"""

from collections.abc import Mapping

from sqlalchemy import DDL, event

from shared.kernel.database import Base
from shared.statistics.indicators import CATALOGUE
from shared.statistics.standing import CURRENT

SCHEMA = "analysis"

# ruff: noqa: S608 - put together from the catalogue's codes alone

_RULED = "EXISTS (SELECT FROM analysis_rule)"
GATES = (
    f"""
    CREATE VIEW analysis_fact AS
    SELECT f.slice_id, f.measure_id, f.volume, f.cell_id,
           CASE WHEN NOT {_RULED} OR NOT EXISTS (
               SELECT FROM analysis_about a WHERE a.measure_id = f.measure_id AND (a.always OR EXISTS (
                   SELECT FROM analysis_withheld w
                   WHERE (w.slice_id, w.cell_id, w.count_id) = (f.slice_id, f.cell_id, a.count_id)))
           ) THEN f.value END AS value
    FROM statistics_fact f
    WHERE NOT {_RULED} OR EXISTS (SELECT FROM analysis_decided d WHERE d.slice_id = f.slice_id)""",
    """
    CREATE VIEW analysis_unsaid AS
    SELECT w.slice_id, a.measure_id, w.volume, w.cell_id, NULL::bigint AS value
    FROM analysis_withheld w JOIN analysis_about a ON a.count_id = w.count_id
    WHERE NOT EXISTS (
        SELECT FROM statistics_fact f WHERE (f.slice_id, f.measure_id, f.volume, f.cell_id)
                                          = (w.slice_id, a.measure_id, w.volume, w.cell_id))
      AND NOT EXISTS (
        SELECT FROM analysis_withheld o JOIN analysis_about b ON b.count_id = o.count_id
        WHERE (o.slice_id, o.cell_id, b.measure_id) = (w.slice_id, w.cell_id, a.measure_id) AND o.count_id < w.count_id)""",
)
"""What is told of each fact, and the facts that there are not, of cells that are withheld: a missing row tells a zero.

They are no barriers: then a question about one period would read every fact. The star's views above them are.
"""


def _dimension_columns() -> str:
    columns = []
    for each in CATALOGUE.dimension_list:
        if each.of is None:
            columns.append(f"c.dims->>'{each.code}' AS {each.code}")
        else:
            columns.append(
                f"(SELECT d.parent FROM analysis_member d\n            WHERE d.dimension = '{each.of}' "
                f"AND d.code = c.dims->>'{each.of}') AS {each.code}"
            )
    return ",\n           ".join(columns)


_FIRST_DAY = "CASE WHEN length(s.period) = 7 THEN s.period || '-01' ELSE s.period END::date"
_SLICE = f"""s.dataset, s.period,
           CASE WHEN length(s.period) = 7 THEN 'month' ELSE 'day' END AS period_kind,
           {_FIRST_DAY} AS first_day,
           s.node AS city, left(s.node, 2) || '0000' AS province, s.revision"""
_KNOWN = "s.in_force_at AS known_from, s.superseded_at AS known_until"
_VOLUME = """(((left(s.period, 4)::int - 1970) * 12 + substr(s.period, 6, 2)::int)
        * CASE WHEN length(s.period) > 7 THEN -1 ELSE 1 END)::smallint"""
_FACT = f"""
    SELECT {_SLICE},
           {{known}}m.code AS measure,
           {_dimension_columns()},
           f.value, f.value IS NULL AS withheld
    FROM statistics_slice s
    JOIN {{gate}} f ON f.slice_id = s.id AND f.volume = {_VOLUME}
    JOIN statistics_measure m ON m.id = f.measure_id
    JOIN statistics_cell c ON c.id = f.cell_id{{where}}"""


def _facts(*, known: str = "", where: str = "") -> str:
    """Return the query of all that passes the gates."""
    gates = ("analysis_fact", "analysis_unsaid")
    return "\n    UNION ALL".join(_FACT.format(gate=x, known=known, where=where) for x in gates)


VIEWS: Mapping[str, tuple[str, str]] = {
    "slice": (
        "What one city said of one dataset and period; a revision that waits for approval has no known_from.",
        f"""
    SELECT {_SLICE},
           {CURRENT} AS is_current, {_KNOWN}, s.computed_at, s.reason, s.row_count, s.hash, s.rolled_off_at
    FROM statistics_slice s""",
    ),
    "fact_current": (
        "One value of one measure, by city, period and the dimensions of its dataset; current revisions alone.",
        _facts(where=f"\n    WHERE {CURRENT}"),
    ),
    "fact_history": (
        "The values of every revision, with the time in which this node took them for the current ones.",
        _facts(known=f"{_KNOWN}, "),
    ),
    "dim_period": (
        "The calendar: months and days from 2000 to the end of next year.",
        """
    SELECT to_char(t.first_day, CASE t.kind WHEN 'month' THEN 'YYYY-MM' ELSE 'YYYY-MM-DD' END) AS period,
           t.kind AS period_kind, t.first_day::date AS first_day,
           (t.first_day + ('1 ' || t.kind)::interval)::date AS next_day,
           extract(year FROM t.first_day)::integer AS year,
           to_char(t.first_day, 'YYYY-"Q"Q') AS quarter, to_char(t.first_day, 'YYYY-MM') AS month,
           CASE t.kind WHEN 'day' THEN to_char(t.first_day, 'IYYY-"W"IW') END AS iso_week,
           CASE t.kind WHEN 'day' THEN extract(isodow FROM t.first_day)::integer END AS weekday
    FROM (VALUES ('month'), ('day')) k (kind)
    CROSS JOIN LATERAL (
        SELECT k.kind, generate_series(timestamp '2000-01-01',
                                       date_trunc('year', current_date::timestamp) + interval '2 years - 1 day',
                                       ('1 ' || k.kind)::interval) AS first_day
    ) t""",
    ),
    "dim_region": (
        "The nation, provinces and cities that the node knows: those above it and below it.",
        """
    SELECT u.code, CASE u.kind WHEN 'hq' THEN 'nation' ELSE u.kind END AS level, u.parent_code AS parent,
           u.name_zh, u.name_en, p.code AS province, p.name_zh AS province_zh, p.name_en AS province_en
    FROM organisation_unit u
    LEFT JOIN organisation_unit p ON p.kind = 'province' AND p.code = left(u.code, 2) || '0000'
    WHERE u.kind IN ('hq', 'province', 'city')""",
    ),
    "dim_dataset": (
        "Groups of measures that are counted together, by the same dimensions.",
        """
    SELECT d.code, d.name_zh, d.name_en, d.dimensions, d.periods FROM analysis_dataset d""",
    ),
    "dim_dimension": (
        "The columns of facts by which figures are told apart.",
        """
    SELECT d.code, d.name_zh, d.name_en, d.version, d.is_open, d.finer FROM analysis_dimension d""",
    ),
    "dim_member": (
        "The values of dimensions, each with the member of a coarser dimension that it belongs to.",
        """
    SELECT m.dimension, m.code, m.name_zh, m.name_en, m.position, m.parent_dimension, m.parent
    FROM analysis_member m""",
    ),
    "dim_indicator": (
        "The catalogue: measures, which facts are of, and what is derived from them.",
        """
    SELECT i.code, i.name_zh, i.name_en, i.dataset, i.family, i.family_zh, i.family_en, i.unit, i.unit_zh,
           i.unit_en, i.aggregation, i.is_measure, i.measures, i.numerator, i.denominator, i.scale, i.formula_zh,
           i.formula_en, i.owner_zh, i.owner_en, i.valid_from, i.valid_until, i.defined_by
    FROM analysis_indicator i""",
    ),
}
"""Name, what it holds, and its query."""


def statements() -> list[str]:
    """Return what makes the star."""
    made = [*GATES, f"CREATE SCHEMA {SCHEMA}"]
    for name, (comment, query) in VIEWS.items():
        made.append(f"CREATE VIEW {SCHEMA}.{name} WITH (security_barrier) AS\n    {query.strip()}")
        made.append(f"COMMENT ON VIEW {SCHEMA}.{name} IS '{comment}'")
    return made


for _statement in statements():
    _ddl = DDL(_statement.replace("%", "%%"))  # type: ignore[no-untyped-call] # SQLAlchemy's own has no types
    event.listen(Base.metadata, "after_create", _ddl)
