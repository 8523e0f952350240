"""What the node's role may do in its database, where the tables belong to another role.

A node's database has two roles. The *owner* has the tables, and migrations run as it. The node's workers connect as
the *node's role*, which reads and writes rows and changes no table. A table whose comment begins with
:data:`APPEND_ONLY` is one that the node's role can read and add to, and nothing more: it can neither change nor remove
what is there, nor give itself the right to.

Where an administrator gives the node one role for both, it owns what it writes, and all of this is a promise and no
more. :func:`rewritable` says so.
"""

from collections.abc import Sequence

import asyncpg

APPEND_ONLY = "append-only"
"""How the comment of a table begins that is only added to. It stands in the database, so that a restored one knows."""

_MAINTAIN_SINCE = 17
_RELATIONS = """
    SELECT c.oid, c.oid::regclass::text AS name,
           CASE WHEN c.relname = 'alembic_version' OR c.relkind IN ('v', 'm') THEN '{SELECT}'::text[]
                WHEN coalesce(obj_description(c.oid, 'pg_class'), '') LIKE $1 || '%' THEN '{SELECT,INSERT}'::text[]
                ELSE $2::text[] END AS wanted
    FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')"""
_TABLES_AMISS = f"""
    SELECT name, wanted FROM ({_RELATIONS}) t
    WHERE EXISTS (SELECT FROM unnest($2::text[]) p WHERE has_table_privilege($3, t.oid, p) <> (p = ANY (t.wanted)))"""  # noqa: S608 - no input in it
# OFFSET 0, because conditions are tried in any order, and only sequences can be asked this.
# One that belongs to no table's column may also be set: whole ranges of numbers are drawn from it at once.
_SEQUENCES_AMISS = """
    SELECT s.oid::regclass::text AS name, s.wanted
    FROM (SELECT c.oid, CASE WHEN EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype IN ('a', 'i')
                                          AND d.refclassid = 'pg_class'::regclass)
                        THEN ARRAY['USAGE', 'SELECT'] ELSE ARRAY['USAGE', 'SELECT', 'UPDATE'] END AS wanted
          FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'S' OFFSET 0) s
    WHERE EXISTS (SELECT FROM unnest(s.wanted) p WHERE NOT has_sequence_privilege($1, s.oid, p))"""
_REWRITABLE = """
    SELECT c.relname FROM pg_class c
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
      AND obj_description(c.oid, 'pg_class') LIKE $1 || '%'
      AND (has_table_privilege(c.oid, 'UPDATE, DELETE, TRUNCATE') OR has_any_column_privilege(c.oid, 'UPDATE')
           OR pg_has_role(c.relowner, 'MEMBER'))
    ORDER BY c.relname"""


async def role_of(connection: asyncpg.Connection) -> str:
    """Return the role as which ``connection`` works."""
    role: str = await connection.fetchval("SELECT current_user")
    return role


async def grant(owner: asyncpg.Connection, role: str) -> None:
    """Give the node's role what it needs on every table, and no more; what is so already is left alone.

    Args:
        owner: a connection as the owner of the tables.
        role: the node's role. If it is the owner, nothing is done.
    """
    if role == await role_of(owner):
        return
    rows = ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE"]
    if owner.get_server_version().major >= _MAINTAIN_SINCE:
        rows.append("MAINTAIN")
    tables = await owner.fetch(_TABLES_AMISS, APPEND_ONLY, rows, role)
    sequences = await owner.fetch(_SEQUENCES_AMISS, role)
    if not tables and not sequences:
        return
    name = await owner.fetchval("SELECT quote_ident($1)", role)
    schema = await owner.fetchval("SELECT quote_ident(current_schema())")
    async with owner.transaction():
        await owner.execute(f"GRANT USAGE ON SCHEMA {schema} TO {name}")
        for table in tables:
            await owner.execute(f"REVOKE ALL ON TABLE {table['name']} FROM {name}")
            await owner.execute(
                f"GRANT {', '.join(table['wanted'])} ON TABLE {table['name']} TO {name}"
            )
        for sequence in sequences:
            await owner.execute(
                f"GRANT {', '.join(sequence['wanted'])} ON SEQUENCE {sequence['name']} TO {name}"
            )


async def rewritable(connection: asyncpg.Connection | asyncpg.Pool) -> Sequence[str]:
    """Return the append-only tables that the role of ``connection`` could change; there should be none."""
    return [row["relname"] for row in await connection.fetch(_REWRITABLE, APPEND_ONLY)]
