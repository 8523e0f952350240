"""Copies of sealed values, which are sealed anew with the rows that they are copies of.

What waits for a second person, what was refused by an import, and what a merge or an import could be taken back to
keeps values as they were sealed. A copy is one sealed text, or the JSON of a row with its ``..._cipher`` and
``..._index``, bytes in hexadecimal as ``to_jsonb`` writes them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer.identity import contact_form, document_form
from services.city_node.customer.models import MediumKind
from shared.kernel.encryption import Cipher

# ruff: noqa: S608 - put together from the declared columns alone; values are bound


@dataclass(frozen=True, slots=True)
class SealedCopy:
    """A column that keeps sealed values beside the row that they belong to."""

    table: str
    column: str
    is_json: bool = False

    @property
    def label(self) -> str:
        """How reports call it."""
        return f"{self.table}.{self.column}"

    @property
    def keys(self) -> str:
        """The query for the number of the key of each value in the row ``t``."""
        if self.is_json:
            return (
                f"SELECT get_byte(decode(substr(e.value, 3, 2), 'hex'), 0) AS key FROM jsonb_each_text(t.{self.column}) e "
                "WHERE e.key LIKE '%\\_cipher' AND e.value IS NOT NULL"
            )
        return f"SELECT get_byte(t.{self.column}, 0) AS key WHERE t.{self.column} IS NOT NULL"


COPIES = (
    SealedCopy("attachment_chunk", "content_cipher"),
    SealedCopy("customer_proposal", "sealed"),
    SealedCopy("customer_import_reject", "row_cipher"),
    SealedCopy("customer_import_before", "before", is_json=True),
    SealedCopy("customer_merge", "profile", is_json=True),
    SealedCopy("customer_merge", "before", is_json=True),
    SealedCopy("customer_merge", "after", is_json=True),
    SealedCopy("customer_merge_row", "row", is_json=True),
    SealedCopy("port_call", "content_cipher"),
)
_FORMS: Mapping[str, Callable[[Mapping[str, Any], str], str]] = {
    "document": lambda _, number: document_form(number),
    "value": lambda row, value: contact_form(row["kind"], value),
    "phone": lambda _, value: contact_form(MediumKind.PHONE, value),
    "email": lambda _, value: contact_form(MediumKind.EMAIL, value),
}


async def keys_in_use(session: AsyncSession, copy: SealedCopy) -> dict[int, int]:
    """Return how many values each key seals."""
    rows = await session.execute(
        text(
            f"SELECT k.key, count(*) AS count_ FROM {copy.table} t CROSS JOIN LATERAL ({copy.keys}) k GROUP BY 1"
        )
    )
    return {row.key: row.count_ for row in rows}


async def seal_portion(
    session: AsyncSession, cipher: Cipher, copy: SealedCopy, after: Any, limit: int
) -> tuple[int, Any]:
    """Seal the next rows anew that another key seals; return how many, and the id of the last.

    Rows that somebody has locked are left for the next pass.
    """
    beyond = "" if after is None else "t.id > :after AND "
    values = {"key": cipher.current.id, "limit": limit} | (
        {} if after is None else {"after": after}
    )
    found = await session.execute(
        text(
            f"SELECT t.id, t.{copy.column} AS kept FROM {copy.table} t "
            f"WHERE {beyond}EXISTS (SELECT FROM ({copy.keys}) k WHERE k.key <> :key) "
            "ORDER BY t.id LIMIT :limit FOR UPDATE OF t SKIP LOCKED"
        ),
        values,
    )
    rows: Sequence[Any] = found.all()
    if not rows:
        return 0, after
    cast = "CAST(:kept AS jsonb)" if copy.is_json else ":kept"
    await session.execute(
        text(f"UPDATE {copy.table} SET {copy.column} = {cast} WHERE id = :id"),
        [{"id": row.id, "kept": _sealed_anew(cipher, copy, row.kept)} for row in rows],
    )
    return len(rows), rows[-1].id


def _sealed_anew(cipher: Cipher, copy: SealedCopy, kept: Any) -> Any:
    if not copy.is_json:
        return cipher.encrypt(cipher.decrypt(kept))
    row = dict(kept)
    for name, form in _FORMS.items():
        stored = row.get(f"{name}_cipher")
        if stored is not None:
            value = cipher.decrypt(bytes.fromhex(stored[2:]))
            row[f"{name}_cipher"] = "\\x" + cipher.encrypt(value).hex()
            if f"{name}_index" in row:
                row[f"{name}_index"] = "\\x" + cipher.index(form(row, value)).hex()
    return orjson.dumps(row).decode()
