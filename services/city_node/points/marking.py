"""The triggers on ``bill`` by which bills become due: once for each statement, whatever wrote it.

A bulk load is one run of ids and so one row; a change is a row for each bill that counts otherwise now. Whoever writes
bills knows nothing of points, and nothing that is written is forgotten.
"""

from sqlalchemy import DDL, MetaData, event

_MARK = """
CREATE FUNCTION points_mark_bills() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Ids that follow one another differ from their place by the same number: one row for each run of them.
    IF TG_OP = 'INSERT' THEN
        INSERT INTO points_due (first_id, last_id)
        SELECT min(id), max(id) FROM (SELECT id, id - row_number() OVER () AS run FROM came) b GROUP BY run;
    ELSIF TG_OP = 'UPDATE' THEN
        INSERT INTO points_due (first_id, last_id)
        SELECT min(id), max(id) FROM (
            SELECT n.id, n.id - row_number() OVER () AS run FROM came n JOIN went o ON o.id = n.id
            WHERE n.charge_fen <> o.charge_fen OR (n.paid_on IS NULL) <> (o.paid_on IS NULL)) b GROUP BY run;
    ELSE
        INSERT INTO points_due (first_id, last_id, gone)
        SELECT min(id), max(id), true FROM (SELECT id, id - row_number() OVER () AS run FROM went) b GROUP BY run;
    END IF;
    RETURN NULL;
END $$"""
_TRIGGERS = {
    "came": "INSERT ON bill REFERENCING NEW TABLE AS came",
    "changed": "UPDATE ON bill REFERENCING OLD TABLE AS went NEW TABLE AS came",
    "went": "DELETE ON bill REFERENCING OLD TABLE AS went",
}


def mark_bills(metadata: MetaData) -> None:
    """Let whoever makes the tables of ``metadata`` make the triggers, too."""
    statements = [_MARK]
    for name, what in _TRIGGERS.items():
        statements.append(
            f"CREATE TRIGGER points_bill_{name} AFTER {what} FOR EACH STATEMENT EXECUTE FUNCTION points_mark_bills()"
        )
    for statement in statements:
        ddl = DDL(statement)  # type: ignore[no-untyped-call] # SQLAlchemy's own has no types
        event.listen(metadata, "after_create", ddl)
