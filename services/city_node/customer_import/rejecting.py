"""Rows that are not loaded: what is kept of them.

A *fault* names the line, the target that a value was for, and the reason. What stood there is looked up in the row;
numbers that name a person are masked. The whole row is kept beside its first fault, encrypted like the documents in
it, so that it can be given back to whoever corrects it.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer_import.mapping import ImportMapping
from services.city_node.customer_import.targets import LONGEST_TEXT
from shared.kernel.database import copy_rows
from shared.kernel.encryption import Cipher, mask

KEY = "key"
"""The target of the key column."""
_PERSONAL = frozenset(
    {
        "customer.birth_date",
        "customer.document_number",
        "subscription.msisdn",
        "sim.imsi",
        "contact.phone",
        "contact.email",
        "contact.postal",
    }
)
_COLUMNS = ("import_id", "line", "column", "value", "reason", "row_cipher")


class RowFault(NamedTuple):
    """Why a row is not loaded: ``target`` is empty if the whole row is meant."""

    line: int
    target: str
    reason: str


class Rejecter:
    """Keeps the faults of one import.

    Args:
        import_id: which.
        mapping: tells which column a target is filled from.
        header: the file's columns.
        cipher: the node's keys.
    """

    def __init__(
        self, import_id: UUID, mapping: ImportMapping, header: Sequence[str], cipher: Cipher
    ) -> None:
        self._import_id = import_id
        self._cipher = cipher
        columns = {
            name: filling.column
            for name, filling in mapping.fillings.items()
            if filling.column is not None
        }
        if mapping.key is not None:
            columns[KEY] = mapping.key
        self._places = {name: (column, header.index(column)) for name, column in columns.items()}
        self._personal = {self._places[name][0] for name in _PERSONAL if name in self._places}

    async def keep(
        self,
        session: AsyncSession,
        faults: Iterable[RowFault],
        rows: Mapping[int, Sequence[str]],
    ) -> None:
        """Write faults and the rows, by line, that they are about."""
        records, kept = list[tuple[object, ...]](), set[int]()
        # A column that fills several targets is at fault once.
        seen = set[tuple[int, str, str]]()
        for line, target, reason in faults:
            column, index = self._places.get(target, (target, None))
            if (line, column, reason) in seen:
                continue
            seen.add((line, column, reason))
            row = rows[line]
            cipher = None if line in kept else self._cipher.encrypt(json.dumps(list(row)))
            kept.add(line)
            value = None if index is None else self._shown(column, row[index])
            records.append((self._import_id, line, column, value, reason, cipher))
        if records:
            await copy_rows(session, "customer_import_reject", _COLUMNS, records)

    def _shown(self, column: str, text: str) -> str:
        shown = "".join(
            letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}"
            for letter in text[:LONGEST_TEXT]
        )
        return mask(shown) if shown and column in self._personal else shown
