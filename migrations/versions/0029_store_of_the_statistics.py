"""The store of the statistics: facts in monthly partitions, margins, and aggregates of regions."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

_PARENTS = "ARRAY['statistics_fact', 'statistics_margin', 'statistics_aggregate_fact']"
_NAME = """format('%s_%s%s_%s', parent, CASE WHEN volume < 0 THEN 'd' ELSE 'm' END,
                    1970 + (abs(volume) - 1) / 12, to_char((abs(volume) - 1) % 12 + 1, 'FM00'))"""
# They run as the owner of the tables, because a node's own role changes no table. Attaching, unlike creating as a
# partition, lets everybody else go on reading and writing.
_FUNCTIONS = (
    f"""
    CREATE FUNCTION statistics_open_volume(volume smallint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    DECLARE parent text; partition text;
    BEGIN
        PERFORM pg_advisory_xact_lock(hashtextextended('statistics volume', 0));
        FOREACH parent IN ARRAY {_PARENTS} LOOP
            partition := {_NAME};
            IF to_regclass(quote_ident(partition)) IS NULL THEN
                EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', partition, parent);
                EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES IN (%s)', parent, partition, volume);
            END IF;
        END LOOP;
        INSERT INTO statistics_volume VALUES (volume) ON CONFLICT DO NOTHING;
    END $$""",  # noqa: S608 - constants alone
    f"""
    CREATE FUNCTION statistics_drop_volume(volume smallint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    DECLARE parent text;
    BEGIN
        PERFORM pg_advisory_xact_lock(hashtextextended('statistics volume', 0));
        FOREACH parent IN ARRAY {_PARENTS} LOOP
            EXECUTE format('DROP TABLE IF EXISTS %I', {_NAME});
        END LOOP;
        DELETE FROM statistics_volume v WHERE v.volume = statistics_drop_volume.volume;
    END $$""",  # noqa: S608 - as above
)
_VOLUME = """(((left(s.period, 4)::int - 1970) * 12 + substr(s.period, 6, 2)::int)
    * CASE WHEN length(s.period) > 7 THEN -1 ELSE 1 END)::smallint"""
_REFILL = (
    f"SELECT statistics_open_volume(volume) FROM (SELECT DISTINCT {_VOLUME} AS volume FROM statistics_slice s) v",  # noqa: S608 - as above
    f"""
    INSERT INTO statistics_fact (slice_id, value, cell_id, measure_id, volume)
    SELECT f.slice_id, f.value, f.cell_id, f.measure_id, {_VOLUME}
    FROM statistics_fact_before f JOIN statistics_slice s ON s.id = f.slice_id""",  # noqa: S608 - as above
    """
    INSERT INTO statistics_member (dimension, value)
    SELECT DISTINCT d.key, d.value FROM statistics_cell c CROSS JOIN LATERAL jsonb_each_text(c.dims) d""",
    """
    INSERT INTO statistics_margin (part_id, measure_id, volume, member_id, total, least, greatest)
    SELECT f.slice_id, f.measure_id, f.volume, m.id, sum(f.value), min(f.value), max(f.value)
    FROM statistics_fact f JOIN (
        SELECT c.id AS cell_id, m.id FROM statistics_cell c
        CROSS JOIN LATERAL jsonb_each_text(c.dims) d
        JOIN statistics_member m ON m.dimension = d.key AND m.value = d.value
        UNION ALL SELECT id, 0 FROM statistics_cell
    ) m ON m.cell_id = f.cell_id
    GROUP BY f.slice_id, f.measure_id, f.volume, m.id""",
    """
    INSERT INTO statistics_change
    SELECT DISTINCT dataset, period, left(node, 2) || '0000' FROM statistics_slice WHERE superseded_at IS NULL""",
    "DROP TABLE statistics_fact_before",
)


def upgrade() -> None:
    """Bring the database forward."""
    op.execute("CREATE TABLE statistics_fact_before AS SELECT * FROM statistics_fact")
    op.drop_table("statistics_fact")
    op.create_table(
        "statistics_fact",
        sa.Column("slice_id", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.Column("cell_id", sa.Integer(), nullable=False),
        sa.Column("measure_id", sa.SmallInteger(), nullable=False),
        sa.Column("volume", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "slice_id", "measure_id", "volume", "cell_id", name=op.f("statistics_fact_pkey")
        ),
        postgresql_partition_by="LIST (volume)",
    )
    op.create_table(
        "statistics_volume",
        sa.Column("volume", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("volume", name=op.f("statistics_volume_pkey")),
    )
    for name, key in (("statistics_margin", "member_id"), ("statistics_aggregate_fact", "cell_id")):
        op.create_table(
            name,
            sa.Column("part_id", sa.BigInteger(), nullable=False),
            sa.Column("least", sa.BigInteger(), nullable=False),
            sa.Column("greatest", sa.BigInteger(), nullable=False),
            sa.Column(key, sa.Integer(), nullable=False),
            sa.Column("measure_id", sa.SmallInteger(), nullable=False),
            sa.Column("volume", sa.SmallInteger(), nullable=False),
            sa.Column("total", sa.Numeric(), nullable=False),
            sa.PrimaryKeyConstraint(
                "part_id", "measure_id", "volume", key, name=op.f(f"{name}_pkey")
            ),
            postgresql_partition_by="LIST (volume)",
        )
    op.create_table(
        "statistics_member",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("dimension", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("statistics_member_pkey")),
        sa.UniqueConstraint(
            "dimension", "value", name=op.f("statistics_member_dimension_value_key")
        ),
    )
    op.create_table(
        "statistics_aggregate",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("dataset", sa.String(), nullable=False),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("region", sa.String(), nullable=False),
        sa.Column("slice_ids", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("cities", sa.String(), nullable=False),
        sa.Column("measures", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("fingerprint", sa.Numeric(), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("replaced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("row_count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("statistics_aggregate_pkey")),
    )
    op.create_index(
        "statistics_aggregate_current",
        "statistics_aggregate",
        ["dataset", "period", "region"],
        unique=True,
        postgresql_where=sa.text("replaced_at IS NULL"),
    )
    op.create_table(
        "statistics_change",
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
    )
    op.add_column(
        "statistics_slice",
        sa.Column("rolled_off_at", sa.DateTime(timezone=True), nullable=True),
    )
    op.create_index(
        "statistics_slice_history",
        "statistics_slice",
        ["superseded_at"],
        unique=False,
        postgresql_where=sa.text("superseded_at IS NOT NULL AND rolled_off_at IS NULL"),
    )
    for statement in (*_FUNCTIONS, *_REFILL):
        op.execute(statement)


def downgrade() -> None:
    """Take the database back."""
    op.execute("CREATE TABLE statistics_fact_parted AS SELECT * FROM statistics_fact")
    op.drop_table("statistics_fact")
    op.execute(
        "DELETE FROM statistics_former_standing WHERE slice_id IN "
        "(SELECT id FROM statistics_slice WHERE rolled_off_at IS NOT NULL)"
    )
    op.execute("DELETE FROM statistics_slice WHERE rolled_off_at IS NOT NULL")
    op.create_table(
        "statistics_fact",
        sa.Column("slice_id", sa.BigInteger(), nullable=False),
        sa.Column("measure_id", sa.SmallInteger(), nullable=False),
        sa.Column("cell_id", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["cell_id"], ["statistics_cell.id"], name=op.f("statistics_fact_cell_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["measure_id"], ["statistics_measure.id"], name=op.f("statistics_fact_measure_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["slice_id"], ["statistics_slice.id"], name=op.f("statistics_fact_slice_id_fkey")
        ),
        sa.PrimaryKeyConstraint(
            "slice_id", "measure_id", "cell_id", name=op.f("statistics_fact_pkey")
        ),
    )
    op.execute(
        "INSERT INTO statistics_fact SELECT slice_id, measure_id, cell_id, value FROM statistics_fact_parted f "
        "WHERE EXISTS (SELECT FROM statistics_slice s WHERE s.id = f.slice_id)"
    )
    op.drop_table("statistics_fact_parted")
    for function in ("open", "drop"):
        op.execute(f"DROP FUNCTION statistics_{function}_volume(smallint)")
    op.drop_index(
        "statistics_slice_history",
        table_name="statistics_slice",
        postgresql_where=sa.text("superseded_at IS NOT NULL AND rolled_off_at IS NULL"),
    )
    op.drop_column("statistics_slice", "rolled_off_at")
    op.drop_table("statistics_change")
    op.drop_index(
        "statistics_aggregate_current",
        table_name="statistics_aggregate",
        postgresql_where=sa.text("replaced_at IS NULL"),
    )
    for name in ("volume", "aggregate", "member", "aggregate_fact", "margin"):
        op.drop_table(f"statistics_{name}")
