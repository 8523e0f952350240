"""The report of an import: its summary, and its rejected rows as CSV or JSON."""

import csv
import io
import json
from collections.abc import AsyncIterator, Callable, Sequence
from itertools import chain
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer_import import repository
from services.city_node.customer_import.mapping import read_mapping
from services.city_node.customer_import.models import CustomerImport, CustomerImportReject
from services.city_node.customer_import.reading import REJECTED
from services.city_node.customer_import.schemas import ImportOut, ImportSummary, KeptOut, RejectOut
from shared.kernel.encryption import Cipher

REJECTS_SHOWN = 100
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")
_JOIN = "; "


async def report(session: AsyncSession, loaded: CustomerImport) -> ImportOut:
    """Return the summary of an import, its first reasons, and what its undo has left."""
    rejects = await repository.first_rejects(session, loaded.id, REJECTS_SHOWN)
    kept = await repository.first_kept(session, loaded.id, REJECTS_SHOWN)
    return ImportOut(
        **ImportSummary.model_validate(loaded).model_dump(),
        samples=loaded.samples,
        rejects=[RejectOut.model_validate(reject) for reject in rejects],
        kept_records=[KeptOut.model_validate(one) for one in kept],
    )


async def rejects_as_csv(
    session: AsyncSession, loaded: CustomerImport, cipher: Cipher | None
) -> AsyncIterator[bytes]:
    """Give the rejected rows as a CSV that can be corrected and imported again by the same mapping.

    Each row stands as it did in the file, and behind it the line, columns, values and reasons. A cell that a
    spreadsheet would compute has an apostrophe before it, which an import of such a file takes away again.

    Args:
        session: the transaction.
        loaded: the import.
        cipher: the keys with which the rows were kept; without it the rows themselves are left out.
    """
    written = _writer(*form_of(loaded))
    columns = loaded.header if cipher is not None else []
    # Of a file of rejected rows that had faults again, the new reasons count.
    places = [place for place, name in enumerate(columns) if name not in REJECTED]
    yield written([*(columns[place] for place in places), *REJECTED])
    async for rejects in _by_row(session, loaded):
        cells = _cells(rejects[0], cipher) if cipher is not None else []
        row = [cells[place] if place < len(cells) else "" for place in places]
        surplus = cells[len(columns) :]
        why: list[str] = [
            str(rejects[0].line),
            _JOIN.join(reject.column for reject in rejects),
            _JOIN.join(chain((reject.value or "" for reject in rejects), surplus)),
            _JOIN.join(reject.reason for reject in rejects),
        ]
        yield written([_harmless(cell) for cell in [*row, *why]])


def form_of(loaded: CustomerImport) -> tuple[str, str]:
    """Return the delimiter and the encoding of an import's file."""
    if not loaded.mapping_text:  # loaded before mappings were kept
        return ",", "utf-8-sig"
    mapping = read_mapping(loaded.mapping_text, loaded.parameters)
    return mapping.delimiter, mapping.encoding


async def rejects_as_json(session: AsyncSession, loaded: CustomerImport) -> AsyncIterator[bytes]:
    """Give the reasons as one array of JSON."""
    between = b"["
    async for reject in repository.all_rejects(session, loaded.id):
        yield between + orjson.dumps(RejectOut.model_validate(reject).model_dump())
        between = b","
    yield b"]" if between == b"," else b"[]"


async def _by_row(
    session: AsyncSession, loaded: CustomerImport
) -> AsyncIterator[list[CustomerImportReject]]:
    together = list[CustomerImportReject]()
    async for reject in repository.all_rejects(session, loaded.id):
        if together and together[0].line != reject.line:
            yield together
            together = []
        together.append(reject)
    if together:
        yield together


def _cells(reject: CustomerImportReject, cipher: Cipher) -> list[str]:
    if reject.row_cipher is None:
        return []
    cells: list[str] = json.loads(cipher.decrypt(reject.row_cipher))
    return cells


def _harmless(text: str) -> str:
    """Return a value that a spreadsheet shows and does not compute."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _writer(delimiter: str, encoding: str) -> Callable[[Sequence[Any]], bytes]:
    """Return what writes a line of CSV in the encoding of the file; a mark of the byte order only before the first."""
    first = True

    def write(cells: Sequence[Any]) -> bytes:
        nonlocal first
        line = io.StringIO()
        csv.writer(line, delimiter=delimiter, lineterminator="\r\n").writerow(cells)
        name = encoding if first else encoding.removesuffix("-sig")
        first = False
        return line.getvalue().encode(name, "replace")

    return write
