"""Who a peer is, as every exchange asks: one plain statement, for a peer that is looked at and not changed.

Who changes a peer takes it from :mod:`shared.federation.repository`.
"""

from collections.abc import Mapping
from typing import Any

import asyncpg
import orjson
from sqlalchemy.orm.attributes import set_committed_value

from shared.federation.models import Peer, RegistryEntry

_OF_PEER = tuple(Peer.__table__.columns.keys())
_OF_ENTRY = tuple(RegistryEntry.__table__.columns.keys())
_JSON = frozenset({"keys", "former_parents"})
_COLUMNS = ", ".join(
    [f"p.{name}" for name in _OF_PEER]
    + [f"r.{name}{'::text' if name in _JSON else ''} AS entry_{name}" for name in _OF_ENTRY]
)
_SELECT = (
    f"SELECT {_COLUMNS} FROM federation_peer p LEFT JOIN federation_registry r ON r.code = p.code"  # noqa: S608 - our own columns
)
_BY_CODE = f"{_SELECT} WHERE p.code = $1"
_PARENT = f"{_SELECT} WHERE p.relation = 'parent' AND p.status = 'active' ORDER BY p.code LIMIT 1"


async def by_code(connection: asyncpg.Connection | asyncpg.Pool, code: str) -> Peer | None:
    """Return the peer of that code, whatever its status, with what the registry says of it."""
    row = await connection.fetchrow(_BY_CODE, code)
    return _peer(row) if row else None


async def parent(connection: asyncpg.Connection | asyncpg.Pool) -> Peer | None:
    """Return the active parent, once the node has joined it, with what the registry says of it."""
    row = await connection.fetchrow(_PARENT)
    return _peer(row) if row else None


def _peer(row: Mapping[str, Any]) -> Peer:
    peer = Peer(**{name: row[name] for name in _OF_PEER})
    entry = None
    if row["entry_code"] is not None:
        said = {name: row[f"entry_{name}"] for name in _OF_ENTRY}
        entry = RegistryEntry(**said | {name: orjson.loads(said[name]) for name in _JSON})
    set_committed_value(peer, "entry", entry)
    return peer
