"""Small cells: what is withheld in the star and the lake."""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


_BEFORE = (
    """
    CREATE VIEW analysis_fact WITH (security_barrier) AS
    SELECT f.slice_id, f.measure_id, f.volume, f.cell_id, f.value FROM statistics_fact f""",
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
    """COMMENT ON VIEW analysis.fact_current IS 'One value of one measure, by city, period and the dimensions of its dataset; current revisions alone.'""",
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
    """COMMENT ON VIEW analysis.fact_history IS 'The values of every revision, with the time in which this node took them for the current ones.'""",
)
_NOW = (
    """
    CREATE VIEW analysis_fact AS
    SELECT f.slice_id, f.measure_id, f.volume, f.cell_id,
           CASE WHEN NOT EXISTS (SELECT FROM analysis_rule) OR NOT EXISTS (
               SELECT FROM analysis_about a WHERE a.measure_id = f.measure_id AND (a.always OR EXISTS (
                   SELECT FROM analysis_withheld w
                   WHERE (w.slice_id, w.cell_id, w.count_id) = (f.slice_id, f.cell_id, a.count_id)))
           ) THEN f.value END AS value
    FROM statistics_fact f
    WHERE NOT EXISTS (SELECT FROM analysis_rule) OR EXISTS (SELECT FROM analysis_decided d WHERE d.slice_id = f.slice_id)""",
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
           f.value, f.value IS NULL AS withheld
    FROM statistics_slice s
    JOIN analysis_fact f ON f.slice_id = s.id AND f.volume = (((left(s.period, 4)::int - 1970) * 12 + substr(s.period, 6, 2)::int)
        * CASE WHEN length(s.period) > 7 THEN -1 ELSE 1 END)::smallint
    JOIN statistics_measure m ON m.id = f.measure_id
    JOIN statistics_cell c ON c.id = f.cell_id
    WHERE s.superseded_at IS NULL AND s.rolled_off_at IS NULL
    UNION ALL
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
           f.value, f.value IS NULL AS withheld
    FROM statistics_slice s
    JOIN analysis_unsaid f ON f.slice_id = s.id AND f.volume = (((left(s.period, 4)::int - 1970) * 12 + substr(s.period, 6, 2)::int)
        * CASE WHEN length(s.period) > 7 THEN -1 ELSE 1 END)::smallint
    JOIN statistics_measure m ON m.id = f.measure_id
    JOIN statistics_cell c ON c.id = f.cell_id
    WHERE s.superseded_at IS NULL AND s.rolled_off_at IS NULL""",
    """COMMENT ON VIEW analysis.fact_current IS 'One value of one measure, by city, period and the dimensions of its dataset; current revisions alone.'""",
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
           f.value, f.value IS NULL AS withheld
    FROM statistics_slice s
    JOIN analysis_fact f ON f.slice_id = s.id AND f.volume = (((left(s.period, 4)::int - 1970) * 12 + substr(s.period, 6, 2)::int)
        * CASE WHEN length(s.period) > 7 THEN -1 ELSE 1 END)::smallint
    JOIN statistics_measure m ON m.id = f.measure_id
    JOIN statistics_cell c ON c.id = f.cell_id
    UNION ALL
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
           f.value, f.value IS NULL AS withheld
    FROM statistics_slice s
    JOIN analysis_unsaid f ON f.slice_id = s.id AND f.volume = (((left(s.period, 4)::int - 1970) * 12 + substr(s.period, 6, 2)::int)
        * CASE WHEN length(s.period) > 7 THEN -1 ELSE 1 END)::smallint
    JOIN statistics_measure m ON m.id = f.measure_id
    JOIN statistics_cell c ON c.id = f.cell_id""",
    """COMMENT ON VIEW analysis.fact_history IS 'The values of every revision, with the time in which this node took them for the current ones.'""",
)
_GONE = (
    "DROP VIEW analysis.fact_history",
    "DROP VIEW analysis.fact_current",
    "DROP VIEW analysis_fact",
)


def upgrade() -> None:
    """Bring the database forward."""
    # ### commands auto generated by Alembic - please adjust! ###
    op.create_table(
        "analysis_about",
        sa.Column("measure_id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("count_id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("always", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("measure_id", "count_id", name=op.f("analysis_about_pkey")),
    )
    op.create_table(
        "analysis_decided",
        sa.Column("slice_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("slice_id", name=op.f("analysis_decided_pkey")),
    )
    op.create_table(
        "analysis_rule",
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("rule", name=op.f("analysis_rule_pkey")),
    )
    op.create_table(
        "analysis_withheld",
        sa.Column("slice_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("cell_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("count_id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("volume", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "slice_id", "cell_id", "count_id", name=op.f("analysis_withheld_pkey")
        ),
    )
    # ### end Alembic commands ###
    for statement in (*_GONE, *_NOW):
        op.execute(statement)


def downgrade() -> None:
    """Take the database back."""
    for statement in (*_GONE, "DROP VIEW analysis_unsaid", *_BEFORE):
        op.execute(statement)
    # ### commands auto generated by Alembic - please adjust! ###
    op.drop_table("analysis_withheld")
    op.drop_table("analysis_rule")
    op.drop_table("analysis_decided")
    op.drop_table("analysis_about")
    # ### end Alembic commands ###
