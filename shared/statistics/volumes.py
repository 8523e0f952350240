"""Making and dropping partitions: two functions of the database, for a node's own role changes no table.

The migration that made them has them too: what is changed here is changed by another migration.
"""

from sqlalchemy import DDL, event

from shared.kernel.database import Base

_PARENTS = "ARRAY['statistics_fact', 'statistics_margin', 'statistics_aggregate_fact', 'statistics_sketch']"
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

for _statement in _FUNCTIONS:
    _ddl = DDL(_statement.replace("%", "%%"))  # type: ignore[no-untyped-call] # SQLAlchemy's own has no types
    event.listen(Base.metadata, "after_create", _ddl)
