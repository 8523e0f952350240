"""The arithmetic of the chain: what is hashed, in which form. No database, no clock.

A record's *digest* is the SHA-256 of its content: a JSON array (UTF-8, no spaces, keys of objects in order) of its
columns from ``id`` to ``detail``. A seal's *entries* are id and digest of each record that it covers, in order. Its
*link* is the SHA-256 of the link before and of the JSON array of everything else in the seal, with the entries by their
own SHA-256. So whoever has the two tables can check the chain with any programming language.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

FIRST = bytes(32)
"""What the first seal follows."""
_ID_BYTES = 8
ENTRY_BYTES = _ID_BYTES + 32


@dataclass(frozen=True, slots=True)
class Entry:
    """One record as a seal knows it."""

    id: int
    digest: bytes

    @property
    def packed(self) -> bytes:
        """Its bytes in the seal."""
        return self.id.to_bytes(_ID_BYTES, "big") + self.digest


def digest_of(record: Mapping[str, Any]) -> Entry:
    """Return the entry of a record, of which ``fields`` and ``detail`` are JSON text."""
    content = [
        record["id"],
        _moment(record["at"]),
        record["by"],
        _text(record["user_id"]),
        record["role"],
        record["unit_code"],
        record["unit_path"],
        record["action"],
        record["subject_type"],
        record["subject_id"],
        orjson.loads(record["fields"]),
        record["source"],
        record["trace_id"],
        _text(record["cause_id"]),
        orjson.loads(record["detail"]),
    ]
    written = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    return Entry(record["id"], hashlib.sha256(written).digest())


def entries(digests: bytes) -> Iterator[Entry]:
    """Give the entries that a seal holds."""
    for at in range(0, len(digests), ENTRY_BYTES):
        packed = digests[at : at + ENTRY_BYTES]
        yield Entry(int.from_bytes(packed[:_ID_BYTES], "big"), packed[_ID_BYTES:])


def link_of(  # noqa: PLR0917 - in the order in which they are hashed
    previous: bytes,
    number: int,
    at: datetime,
    era: int,
    until_xid: int,
    in_progress: Sequence[int],
    records: int,
    span: tuple[datetime | None, datetime | None],
    digests: bytes,
    key: str,
) -> bytes:
    """Return the link of a seal."""
    content = [
        number,
        _moment(at),
        str(era),
        until_xid,
        list(in_progress),
        records,
        _moment(span[0]),
        _moment(span[1]),
        hashlib.sha256(digests).hexdigest(),
        key,
    ]
    return hashlib.sha256(previous + orjson.dumps(content)).digest()


def link_of_seal(seal: Mapping[str, Any]) -> bytes:
    """Return the link that a stored seal should have."""
    return link_of(
        seal["previous"],
        seal["number"],
        seal["at"],
        seal["era"],
        seal["until_xid"],
        seal["in_progress"],
        seal["records"],
        (seal["first_at"], seal["last_at"]),
        seal["digests"],
        seal["key"],
    )


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat(timespec="microseconds")


def _text(value: object) -> str | None:
    return None if value is None else str(value)
