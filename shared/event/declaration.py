"""Declaring events: a trigger that makes them of the rows that are added to a table, or changed in it."""

from sqlalchemy import DDL, MetaData, event

from shared.capability import EventType

# ruff: noqa: S608 - put together from declarations, never from input

UNIT_OF_CUSTOMER = "(SELECT c.unit_code FROM customer c WHERE c.id = r.customer_id)"
"""The unit of the customer that a row is of."""
OF_CUSTOMER = "'/customers/' || r.customer_id"
"""The path of the customer that a row is of."""


def statements(of: EventType) -> tuple[str, str]:
    """Return the DDL of the function and of the trigger of a type of event."""
    name = "publish_" + "_".join(of.type.split(".")[1:]).replace("-", "_")
    data = ", ".join(f"'{key}', {value}" for key, value in of.data.items())
    rows = f"added r JOIN went o ON o.{of.key} = r.{of.key}" if of.key else "added r"
    happened = (
        f"UPDATE ON {of.table} REFERENCING OLD TABLE AS went NEW TABLE AS added"
        if of.key
        else f"INSERT ON {of.table} REFERENCING NEW TABLE AS added"
    )
    function = f"""
CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO event (type, time, subject, unit_code, data)
    SELECT '{of.type}', {of.time}, {of.subject}, {of.unit}, jsonb_build_object({data})
    FROM {rows} WHERE {of.when};
    RETURN NULL;
END $$"""
    trigger = f"CREATE TRIGGER {name} AFTER {happened} FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
    return function, trigger


def publish(metadata: MetaData, *types: EventType) -> None:
    """Let whoever makes the tables of ``metadata`` make the triggers of ``types`` too.

    The migration that brings them has them as well: what is changed here is changed by another migration.
    """
    for each in types:
        for statement in statements(each):
            ddl = DDL(statement.replace("%", "%%"))  # type: ignore[no-untyped-call] # SQLAlchemy's own has no types
            event.listen(metadata, "after_create", ddl)
