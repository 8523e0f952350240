"""Marking days whose rows changed: triggers, in the transaction of the change, whoever makes it.

The catalogue says of which tables rows may come late, and by which column a row belongs to a day. The triggers look at
a statement's rows as a whole. A customer's row changes often and leaves a network seldom, so there a condition of the
row decides before a function is called.

The migration that made them has them too: what is changed here is changed by another migration.
"""

from sqlalchemy import DDL, event

from shared.kernel.database import Base

_MARK = """
    CREATE FUNCTION rollup_mark_{which}_rows() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        EXECUTE format('INSERT INTO rollup_mark SELECT %L, day FROM ({rows}) d', TG_TABLE_NAME{values});
        RETURN NULL;
    END $$"""
_FUNCTIONS = (
    _MARK.format(
        which="new", rows="SELECT DISTINCT %s AS day FROM new_rows", values=", TG_ARGV[0]"
    ),
    _MARK.format(
        which="old", rows="SELECT DISTINCT %s AS day FROM old_rows", values=", TG_ARGV[0]"
    ),
    _MARK.format(
        which="changed",
        rows="SELECT %s AS day FROM old_rows UNION SELECT %s FROM new_rows",
        values=", TG_ARGV[0], TG_ARGV[0]",
    ),
    """
    CREATE FUNCTION rollup_mark_departure() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO rollup_mark SELECT 'customer', day FROM (VALUES (OLD.left_on), (NEW.left_on)) d (day)
        WHERE day IS NOT NULL;
        RETURN NULL;
    END $$""",
)
_AT = "(at AT TIME ZONE ''Asia/Shanghai'')::date"
_DAYS = {
    "bill": "period",
    "usage_month": "period",
    "interaction": _AT,
    "win_back_attempt": _AT,
    "offer_grant": "granted_on",
    "offer_use": "used_on",
}
_WHEN = (
    ("inserted", "INSERT", "NEW TABLE AS new_rows", "new"),
    ("deleted", "DELETE", "OLD TABLE AS old_rows", "old"),
    ("updated", "UPDATE", "OLD TABLE AS old_rows NEW TABLE AS new_rows", "changed"),
)
_TRIGGERS = (
    *(
        f"""
    CREATE TRIGGER rollup_{table}_{name} AFTER {act} ON {table} REFERENCING {rows}
    FOR EACH STATEMENT EXECUTE FUNCTION rollup_mark_{which}_rows('{day}')"""
        for table, day in _DAYS.items()
        for name, act, rows, which in _WHEN
    ),
    """
    CREATE TRIGGER rollup_customer_joined AFTER INSERT ON customer FOR EACH ROW
    WHEN (NEW.left_on IS NOT NULL) EXECUTE FUNCTION rollup_mark_departure()""",
    """
    CREATE TRIGGER rollup_customer_left AFTER UPDATE ON customer FOR EACH ROW
    WHEN ((OLD.left_on, OLD.left_reason, OLD.left_competitor)
          IS DISTINCT FROM (NEW.left_on, NEW.left_reason, NEW.left_competitor))
    EXECUTE FUNCTION rollup_mark_departure()""",
)

for _statement in (*_FUNCTIONS, *_TRIGGERS):
    _ddl = DDL(_statement.replace("%", "%%"))  # type: ignore[no-untyped-call] # SQLAlchemy's own has no types
    event.listen(Base.metadata, "after_create", _ddl)
