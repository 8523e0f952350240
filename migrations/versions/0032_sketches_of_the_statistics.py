"""Sketches of the statistics, in partitions as the facts."""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

_NAME = """format('%s_%s%s_%s', parent, CASE WHEN volume < 0 THEN 'd' ELSE 'm' END,
                    1970 + (abs(volume) - 1) / 12, to_char((abs(volume) - 1) % 12 + 1, 'FM00'))"""
_BEFORE = "'statistics_fact', 'statistics_margin', 'statistics_aggregate_fact'"
_WITH_SKETCHES = f"{_BEFORE}, 'statistics_sketch'"


def upgrade() -> None:
    """Bring the database forward."""
    op.create_table(
        "statistics_sketch",
        sa.Column("part_id", sa.BigInteger(), nullable=False),
        sa.Column("cell_id", sa.Integer(), nullable=False),
        sa.Column("measure_id", sa.SmallInteger(), nullable=False),
        sa.Column("volume", sa.SmallInteger(), nullable=False),
        sa.Column("family", sa.SmallInteger(), nullable=False),
        sa.Column("image", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint(
            "part_id", "measure_id", "volume", "cell_id", name=op.f("statistics_sketch_pkey")
        ),
        postgresql_partition_by="LIST (volume)",
    )
    for statement in _functions(_WITH_SKETCHES):
        op.execute(statement)
    op.execute("SELECT statistics_open_volume(volume) FROM statistics_volume")


def downgrade() -> None:
    """Take the database back; without their sketches slices say nothing."""
    sketched = "(SELECT part_id FROM statistics_sketch)"
    for table, column in (
        ("statistics_former_standing", "slice_id"),
        ("statistics_slice", "id"),
        ("statistics_aggregate", "id"),
    ):
        op.execute(f"DELETE FROM {table} WHERE {column} IN {sketched}")  # noqa: S608 - constants
    op.drop_table("statistics_sketch")
    for statement in _functions(_BEFORE):
        op.execute(statement)


def _functions(parents: str) -> tuple[str, str]:
    return (
        f"""
    CREATE OR REPLACE FUNCTION statistics_open_volume(volume smallint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    DECLARE parent text; partition text;
    BEGIN
        PERFORM pg_advisory_xact_lock(hashtextextended('statistics volume', 0));
        FOREACH parent IN ARRAY ARRAY[{parents}] LOOP
            partition := {_NAME};
            IF to_regclass(quote_ident(partition)) IS NULL THEN
                EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', partition, parent);
                EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES IN (%s)', parent, partition, volume);
            END IF;
        END LOOP;
        INSERT INTO statistics_volume VALUES (volume) ON CONFLICT DO NOTHING;
    END $$""",  # noqa: S608 - constants alone
        f"""
    CREATE OR REPLACE FUNCTION statistics_drop_volume(volume smallint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    DECLARE parent text;
    BEGIN
        PERFORM pg_advisory_xact_lock(hashtextextended('statistics volume', 0));
        FOREACH parent IN ARRAY ARRAY[{parents}] LOOP
            EXECUTE format('DROP TABLE IF EXISTS %I', {_NAME});
        END LOOP;
        DELETE FROM statistics_volume v WHERE v.volume = statistics_drop_volume.volume;
    END $$""",  # noqa: S608 - constants alone
    )
