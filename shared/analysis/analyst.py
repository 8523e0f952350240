"""The analyst: one role of the database that reads the star, and nothing else.

It is made, let in and shut out by the owner of the tables. Its password goes to the server as a SCRAM verifier, as
``psql`` does it: the server's log never holds it. What an administrator has to do, because the owner may not, is said.

A session may lift the time limit and the read-only mode that it begins with; what it may read, and that it may write
to no table, are rights, and stay.
"""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

import asyncpg

from shared.analysis.problems import AnalystNotMade, AnalystPasswordUnfit, AnalystSeesMore
from shared.analysis.star import SCHEMA

CONNECTIONS = 10
"""Sessions at once; more are refused by the server."""
SETTINGS = {
    "statement_timeout": "5min",
    "idle_in_transaction_session_timeout": "10min",
    "default_transaction_read_only": "on",
    "search_path": SCHEMA,
    "timezone": "Asia/Shanghai",
}
"""What its sessions begin with."""
_LEAST, _ITERATIONS, _SALT_BYTES = 16, 4096, 16
_MOST_NAMED = 5

# What it could do to a table, a view or a sequence beside the star, whatever the right comes from.
_SEES_MORE = """
    SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname <> $2 AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
      AND CASE WHEN c.relkind = 'S' THEN has_sequence_privilege($1, c.oid, 'USAGE, SELECT, UPDATE')
               WHEN c.relkind IN ('r', 'p', 'v', 'm', 'f')
               THEN has_table_privilege($1, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')
                    OR has_any_column_privilege($1, c.oid, 'SELECT, INSERT, UPDATE') ELSE false END
    ORDER BY 1"""

# ruff: noqa: S608 - names are quoted by the server


@dataclass(frozen=True, slots=True)
class Access:
    """How analysts get in.

    Attributes:
        role: the role.
        url: the connection string, without the password.
        password: the password; ``None`` where an administrator has given one.
    """

    role: str
    url: str
    password: str | None


def role_of(node: str) -> str:
    """Return the name of a node's role; a server may have the databases of several nodes."""
    return f"guanxi_analyst_{node}"


async def grant(owner: asyncpg.Connection, node: str, url: str, password: str | None) -> Access:
    """Let analysts in. Doing it again gives them a new password.

    Args:
        owner: a connection as the owner of the tables, in a transaction.
        node: code of the node.
        url: address of the database as the owner.
        password: the password; without one, a new one is made.

    Raises:
        AnalystPasswordUnfit: if the password is short (422).
        AnalystNotMade: if there is no role, and the owner may not make one (403).
        AnalystSeesMore: if the role could do more than it should (409).
    """
    password = secrets.token_urlsafe(24) if password is None else password
    if len(password) < _LEAST or not (password.isascii() and password.isprintable()):
        raise AnalystPasswordUnfit(least=_LEAST)
    role = role_of(node)
    name = await owner.fetchval("SELECT quote_ident($1)", role)
    if not await _exists(owner, role):
        try:
            async with owner.transaction():
                await owner.execute(f"CREATE ROLE {name}")
        except asyncpg.InsufficientPrivilegeError:
            raise AnalystNotMade(role=role, connections=CONNECTIONS) from None
    await owner.execute(f"GRANT USAGE ON SCHEMA {SCHEMA} TO {name}")
    await owner.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {SCHEMA} TO {name}")
    await owner.execute(
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA {SCHEMA} GRANT SELECT ON TABLES TO {name}"
    )
    more = [row[0] for row in await owner.fetch(_SEES_MORE, role, SCHEMA)]
    if more or await owner.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = $1", role):
        named = ", ".join(more[:_MOST_NAMED]) + (", ..." if len(more) > _MOST_NAMED else "")
        raise AnalystSeesMore(role=role, tables=named)
    is_ours = await _let_in(owner, name, password)
    return Access(role, _address(url, role), password if is_ours else None)


async def _let_in(owner: asyncpg.Connection, name: str, password: str) -> bool:
    """Give the role its password and limits; tells whether the owner may, or an administrator has to have done it."""
    database = await owner.fetchval("SELECT quote_ident(current_database())")
    try:
        async with owner.transaction():
            await owner.execute(
                f"ALTER ROLE {name} LOGIN PASSWORD '{verifier(password, secrets.token_bytes(_SALT_BYTES))}' "
                f"CONNECTION LIMIT {CONNECTIONS}"
            )
            for setting, value in SETTINGS.items():
                await owner.execute(
                    f"ALTER ROLE {name} IN DATABASE {database} SET {setting} = '{value}'"
                )
    except asyncpg.InsufficientPrivilegeError:
        return False
    return True


async def revoke(owner: asyncpg.Connection, node: str) -> bool:
    """Shut analysts out, and end their sessions; tells whether there was anybody to shut out.

    Args:
        owner: a connection as the owner of the tables, in a transaction.
        node: code of the node.
    """
    role = role_of(node)
    if not await _exists(owner, role):
        return False
    was_in: bool = await owner.fetchval(
        "SELECT has_schema_privilege($1, $2, 'USAGE')", role, SCHEMA
    )
    name = await owner.fetchval("SELECT quote_ident($1)", role)
    await owner.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA {SCHEMA} FROM {name}")
    await owner.execute(f"REVOKE ALL ON SCHEMA {SCHEMA} FROM {name}")
    await owner.execute(
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA {SCHEMA} REVOKE SELECT ON TABLES FROM {name}"
    )
    try:
        async with owner.transaction():
            await owner.execute(f"ALTER ROLE {name} NOLOGIN PASSWORD NULL")
            await owner.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", role
            )
    except asyncpg.InsufficientPrivilegeError:
        pass  # the role is an administrator's: it comes in, and finds nothing
    return was_in


async def _exists(owner: asyncpg.Connection, role: str) -> bool:
    found: bool = await owner.fetchval(
        "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", role
    )
    return found


def verifier(password: str, salt: bytes) -> str:
    """Return what PostgreSQL keeps of a password (RFC 5803)."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ITERATIONS)
    client = hmac.digest(salted, b"Client Key", "sha256")
    server = hmac.digest(salted, b"Server Key", "sha256")
    stored = hashlib.sha256(client).digest()
    parts = [base64.b64encode(each).decode() for each in (salt, stored, server)]
    return f"SCRAM-SHA-256${_ITERATIONS}:{parts[0]}${parts[1]}:{parts[2]}"


def _address(url: str, role: str) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{quote(role)}@{host}").geturl()
