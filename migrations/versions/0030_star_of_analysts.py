"""The star of analysts: its reference, and the views that are all they see."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


_VIEWS = (
    """
    CREATE VIEW analysis_fact WITH (security_barrier) AS
    SELECT f.slice_id, f.measure_id, f.volume, f.cell_id, f.value FROM statistics_fact f""",
    "CREATE SCHEMA analysis",
    """CREATE VIEW analysis.slice WITH (security_barrier) AS
    SELECT s.dataset, s.period,
           CASE WHEN length(s.period) = 7 THEN 'month' ELSE 'day' END AS period_kind,
           CASE WHEN length(s.period) = 7 THEN s.period || '-01' ELSE s.period END::date AS first_day,
           s.node AS city, left(s.node, 2) || '0000' AS province, s.revision,
           s.superseded_at IS NULL AND s.rolled_off_at IS NULL AS is_current, s.in_force_at AS known_from, s.superseded_at AS known_until, s.computed_at, s.reason, s.row_count, s.hash, s.rolled_off_at
    FROM statistics_slice s""",
    "COMMENT ON VIEW analysis.slice IS 'What one city said of one dataset and period; a revision that waits for approval has no known_from.'",
    """CREATE VIEW analysis.fact_current WITH (security_barrier) AS
    SELECT s.dataset, s.period,
           CASE WHEN length(s.period) = 7 THEN 'month' ELSE 'day' END AS period_kind,
           CASE WHEN length(s.period) = 7 THEN s.period || '-01' ELSE s.period END::date AS first_day,
           s.node AS city, left(s.node, 2) || '0000' AS province, s.revision,
           m.code AS measure,
           c.dims->>'level' AS level,
           c.dims->>'contract_term' AS contract_term,
           c.dims->>'tenure_band' AS tenure_band,
           c.dims->>'sex' AS sex,
           c.dims->>'age_band' AS age_band,
           c.dims->>'spend_band' AS spend_band,
           c.dims->>'customer_kind' AS customer_kind,
           c.dims->>'industry' AS industry,
           (SELECT d.parent FROM analysis_member d
            WHERE d.dimension = 'industry' AND d.code = c.dims->>'industry') AS industry_section,
           c.dims->>'enterprise_size' AS enterprise_size,
           c.dims->>'brand' AS brand,
           c.dims->>'product_category' AS product_category,
           c.dims->>'time_band' AS time_band,
           c.dims->>'arrears_age' AS arrears_age,
           c.dims->>'credit_rating' AS credit_rating,
           c.dims->>'reward' AS reward,
           c.dims->>'from_level' AS from_level,
           c.dims->>'target_level' AS target_level,
           c.dims->>'offer' AS offer,
           c.dims->>'departure_reason' AS departure_reason,
           c.dims->>'competitor' AS competitor,
           c.dims->>'channel' AS channel,
           c.dims->>'win_back_result' AS win_back_result,
           c.dims->>'interaction_kind' AS interaction_kind,
           c.dims->>'verification_reason' AS verification_reason,
           c.dims->>'request_kind' AS request_kind,
           c.dims->>'request_role' AS request_role,
           c.dims->>'unit' AS unit,
           c.dims->>'load_band' AS load_band,
           f.value
    FROM statistics_slice s
    JOIN analysis_fact f ON f.slice_id = s.id AND f.volume = (((left(s.period, 4)::int - 1970) * 12 + substr(s.period, 6, 2)::int)
        * CASE WHEN length(s.period) > 7 THEN -1 ELSE 1 END)::smallint
    JOIN statistics_measure m ON m.id = f.measure_id
    JOIN statistics_cell c ON c.id = f.cell_id
    WHERE s.superseded_at IS NULL AND s.rolled_off_at IS NULL""",
    "COMMENT ON VIEW analysis.fact_current IS 'One value of one measure, by city, period and the dimensions of its dataset; current revisions alone.'",
    """CREATE VIEW analysis.fact_history WITH (security_barrier) AS
    SELECT s.dataset, s.period,
           CASE WHEN length(s.period) = 7 THEN 'month' ELSE 'day' END AS period_kind,
           CASE WHEN length(s.period) = 7 THEN s.period || '-01' ELSE s.period END::date AS first_day,
           s.node AS city, left(s.node, 2) || '0000' AS province, s.revision,
           s.in_force_at AS known_from, s.superseded_at AS known_until, m.code AS measure,
           c.dims->>'level' AS level,
           c.dims->>'contract_term' AS contract_term,
           c.dims->>'tenure_band' AS tenure_band,
           c.dims->>'sex' AS sex,
           c.dims->>'age_band' AS age_band,
           c.dims->>'spend_band' AS spend_band,
           c.dims->>'customer_kind' AS customer_kind,
           c.dims->>'industry' AS industry,
           (SELECT d.parent FROM analysis_member d
            WHERE d.dimension = 'industry' AND d.code = c.dims->>'industry') AS industry_section,
           c.dims->>'enterprise_size' AS enterprise_size,
           c.dims->>'brand' AS brand,
           c.dims->>'product_category' AS product_category,
           c.dims->>'time_band' AS time_band,
           c.dims->>'arrears_age' AS arrears_age,
           c.dims->>'credit_rating' AS credit_rating,
           c.dims->>'reward' AS reward,
           c.dims->>'from_level' AS from_level,
           c.dims->>'target_level' AS target_level,
           c.dims->>'offer' AS offer,
           c.dims->>'departure_reason' AS departure_reason,
           c.dims->>'competitor' AS competitor,
           c.dims->>'channel' AS channel,
           c.dims->>'win_back_result' AS win_back_result,
           c.dims->>'interaction_kind' AS interaction_kind,
           c.dims->>'verification_reason' AS verification_reason,
           c.dims->>'request_kind' AS request_kind,
           c.dims->>'request_role' AS request_role,
           c.dims->>'unit' AS unit,
           c.dims->>'load_band' AS load_band,
           f.value
    FROM statistics_slice s
    JOIN analysis_fact f ON f.slice_id = s.id AND f.volume = (((left(s.period, 4)::int - 1970) * 12 + substr(s.period, 6, 2)::int)
        * CASE WHEN length(s.period) > 7 THEN -1 ELSE 1 END)::smallint
    JOIN statistics_measure m ON m.id = f.measure_id
    JOIN statistics_cell c ON c.id = f.cell_id""",
    "COMMENT ON VIEW analysis.fact_history IS 'The values of every revision, with the time in which this node took them for the current ones.'",
    """CREATE VIEW analysis.dim_period WITH (security_barrier) AS
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
    "COMMENT ON VIEW analysis.dim_period IS 'The calendar: months and days from 2000 to the end of next year.'",
    """CREATE VIEW analysis.dim_region WITH (security_barrier) AS
    SELECT u.code, CASE u.kind WHEN 'hq' THEN 'nation' ELSE u.kind END AS level, u.parent_code AS parent,
           u.name_zh, u.name_en, p.code AS province, p.name_zh AS province_zh, p.name_en AS province_en
    FROM organisation_unit u
    LEFT JOIN organisation_unit p ON p.kind = 'province' AND p.code = left(u.code, 2) || '0000'
    WHERE u.kind IN ('hq', 'province', 'city')""",
    "COMMENT ON VIEW analysis.dim_region IS 'The nation, provinces and cities that the node knows: those above it and below it.'",
    """CREATE VIEW analysis.dim_dataset WITH (security_barrier) AS
    SELECT d.code, d.name_zh, d.name_en, d.dimensions, d.periods FROM analysis_dataset d""",
    "COMMENT ON VIEW analysis.dim_dataset IS 'Groups of measures that are counted together, by the same dimensions.'",
    """CREATE VIEW analysis.dim_dimension WITH (security_barrier) AS
    SELECT d.code, d.name_zh, d.name_en, d.version, d.is_open, d.finer FROM analysis_dimension d""",
    "COMMENT ON VIEW analysis.dim_dimension IS 'The columns of facts by which figures are told apart.'",
    """CREATE VIEW analysis.dim_member WITH (security_barrier) AS
    SELECT m.dimension, m.code, m.name_zh, m.name_en, m.position, m.parent_dimension, m.parent
    FROM analysis_member m""",
    "COMMENT ON VIEW analysis.dim_member IS 'The values of dimensions, each with the member of a coarser dimension that it belongs to.'",
    """CREATE VIEW analysis.dim_indicator WITH (security_barrier) AS
    SELECT i.code, i.name_zh, i.name_en, i.dataset, i.family, i.family_zh, i.family_en, i.unit, i.unit_zh,
           i.unit_en, i.aggregation, i.is_measure, i.measures, i.numerator, i.denominator, i.scale, i.formula_zh,
           i.formula_en, i.owner_zh, i.owner_en, i.valid_from, i.valid_until, i.defined_by
    FROM analysis_indicator i""",
    "COMMENT ON VIEW analysis.dim_indicator IS 'The catalogue: measures, which facts are of, and what is derived from them.'",
)


def upgrade() -> None:
    """Bring the database forward."""
    # ### commands auto generated by Alembic - please adjust! ###
    op.create_table(
        "analysis_dataset",
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name_zh", sa.String(), nullable=False),
        sa.Column("name_en", sa.String(), nullable=False),
        sa.Column("dimensions", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("periods", sa.ARRAY(sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("analysis_dataset_pkey")),
    )
    op.create_table(
        "analysis_dimension",
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name_zh", sa.String(), nullable=False),
        sa.Column("name_en", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("finer", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("code", name=op.f("analysis_dimension_pkey")),
    )
    op.create_table(
        "analysis_edition",
        sa.Column("edition", sa.String(), nullable=False),
        sa.Column("loaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("edition", name=op.f("analysis_edition_pkey")),
    )
    op.create_table(
        "analysis_indicator",
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name_zh", sa.String(), nullable=False),
        sa.Column("name_en", sa.String(), nullable=False),
        sa.Column("dataset", sa.String(), nullable=False),
        sa.Column("family", sa.String(), nullable=False),
        sa.Column("family_zh", sa.String(), nullable=False),
        sa.Column("family_en", sa.String(), nullable=False),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("unit_zh", sa.String(), nullable=False),
        sa.Column("unit_en", sa.String(), nullable=False),
        sa.Column("aggregation", sa.String(), nullable=False),
        sa.Column("is_measure", sa.Boolean(), nullable=False),
        sa.Column("measures", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("numerator", sa.String(), nullable=True),
        sa.Column("denominator", sa.String(), nullable=True),
        sa.Column("scale", sa.BigInteger(), nullable=True),
        sa.Column("formula_zh", sa.String(), nullable=False),
        sa.Column("formula_en", sa.String(), nullable=False),
        sa.Column("owner_zh", sa.String(), nullable=False),
        sa.Column("owner_en", sa.String(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("defined_by", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("code", name=op.f("analysis_indicator_pkey")),
    )
    op.create_table(
        "analysis_member",
        sa.Column("dimension", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name_zh", sa.String(), nullable=False),
        sa.Column("name_en", sa.String(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("parent_dimension", sa.String(), nullable=True),
        sa.Column("parent", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("dimension", "code", name=op.f("analysis_member_pkey")),
    )
    # ### end Alembic commands ###
    for statement in _VIEWS:
        op.execute(statement)


def downgrade() -> None:
    """Take the database back."""
    op.execute("DROP SCHEMA analysis CASCADE")
    op.execute("DROP VIEW analysis_fact")
    # ### commands auto generated by Alembic - please adjust! ###
    op.drop_table("analysis_member")
    op.drop_table("analysis_indicator")
    op.drop_table("analysis_edition")
    op.drop_table("analysis_dimension")
    op.drop_table("analysis_dataset")
    # ### end Alembic commands ###
