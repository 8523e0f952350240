"""Marking customers whose facts changed: triggers, in the transaction of the change, whoever makes it.

Bills, memberships and appointments are marked by the statement, as often as one is written. Few changes of profiles
and few rows of history are of what a rule knows, so there a condition of the row decides before a function is called.
History also tells how levels moved, and fills ``level_migration``.

The migration that made them has them too: what is changed here is changed by another migration.
"""

from sqlalchemy import DDL, event

from shared.kernel.database import Base

_FUNCTIONS = (
    """
    CREATE FUNCTION mark_customers_of_new_rows() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        EXECUTE format('INSERT INTO evaluation_mark SELECT DISTINCT %I FROM new_rows', TG_ARGV[0]);
        RETURN NULL;
    END $$""",
    """
    CREATE FUNCTION mark_customers_of_old_rows() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        EXECUTE format('INSERT INTO evaluation_mark SELECT DISTINCT %I FROM old_rows', TG_ARGV[0]);
        RETURN NULL;
    END $$""",
    """
    CREATE FUNCTION mark_customers_of_changed_rows() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        EXECUTE format(
            'INSERT INTO evaluation_mark SELECT %1$I FROM old_rows UNION SELECT %1$I FROM new_rows', TG_ARGV[0]);
        RETURN NULL;
    END $$""",
    """
    CREATE FUNCTION mark_customer() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO evaluation_mark VALUES (NEW.id);
        IF NEW.kind = 'group' THEN
            INSERT INTO evaluation_mark SELECT member_id FROM group_member WHERE customer_id = NEW.id;
        END IF;
        RETURN NULL;
    END $$""",
    """
    CREATE FUNCTION mark_customer_of_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO evaluation_mark VALUES (NEW.customer_id);
        RETURN NULL;
    END $$""",
    """
    CREATE FUNCTION note_level_migration() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO level_migration (customer_id, at, unit_code, from_level, to_level, by, source, cause_id)
        SELECT NEW.customer_id, NEW.at, c.unit_code, v ->> 'old', v ->> 'new', NEW."by", NEW.source, NEW.cause_id
        FROM jsonb_array_elements(NEW.changes) v JOIN customer c ON c.id = NEW.customer_id
        WHERE v ->> 'field' = 'level' AND v ->> 'old' <> v ->> 'new';
        RETURN NULL;
    END $$""",
)
_SUSPENDED = """'[{"new": "suspended"}]'"""
_LEVEL = """'[{"field": "level"}]'"""
_MARKED_BY_STATEMENT = {
    "bill": "customer_id",
    "group_member": "member_id",
    "level_appointment": "customer_id",
}
_AFTER = """
    CREATE TRIGGER {table}_{event} AFTER {act} ON {table} REFERENCING {rows}
    FOR EACH STATEMENT EXECUTE FUNCTION mark_customers_of_{which}_rows('{column}')"""
_INSERTED = {"event": "inserted", "act": "INSERT", "rows": "NEW TABLE AS new_rows", "which": "new"}
_DELETED = {"event": "deleted", "act": "DELETE", "rows": "OLD TABLE AS old_rows", "which": "old"}
_UPDATED = {
    "event": "updated",
    "act": "UPDATE",
    "rows": "OLD TABLE AS old_rows NEW TABLE AS new_rows",
    "which": "changed",
}
_TRIGGERS = (
    *(
        _AFTER.format(table=table, column=column, **event)
        for table, column in _MARKED_BY_STATEMENT.items()
        for event in (_INSERTED, _DELETED, _UPDATED)
    ),
    *(_AFTER.format(table="customer", column="id", **event) for event in (_INSERTED, _DELETED)),
    """
    CREATE TRIGGER customer_updated AFTER UPDATE OF library, level, contract_term, entry_date ON customer FOR EACH ROW
    WHEN ((OLD.library, OLD.level, OLD.contract_term, OLD.entry_date)
          IS DISTINCT FROM (NEW.library, NEW.level, NEW.contract_term, NEW.entry_date))
    EXECUTE FUNCTION mark_customer()""",
    f"""
    CREATE TRIGGER customer_change_suspended AFTER INSERT ON customer_change FOR EACH ROW
    WHEN (NEW.changes @> {_SUSPENDED}) EXECUTE FUNCTION mark_customer_of_change()""",
    f"""
    CREATE TRIGGER customer_change_level AFTER INSERT ON customer_change FOR EACH ROW
    WHEN (NEW.action <> 'created' AND NEW.changes @> {_LEVEL}) EXECUTE FUNCTION note_level_migration()""",
)

for _statement in (*_FUNCTIONS, *_TRIGGERS):
    _ddl = DDL(_statement.replace("%", "%%"))  # type: ignore[no-untyped-call] # SQLAlchemy's own has no types
    event.listen(Base.metadata, "after_create", _ddl)
