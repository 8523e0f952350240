"""Which values about people are masked, who sees them in clear, and what everybody else sees.

SQL that builds an answer names a personal value by a *mark*, ``<<field|expression>>``; before the statement is run,
:func:`visible` puts the clear or the masked form in each mark's place, by what the reader may see (the reader's
*sight*). A mark that nobody resolved is no SQL: what forgets to mask fails, and shows nothing.

A value that is encrypted at rest comes out of the statement *sealed*, and is opened in the answer about one customer
(:func:`opened`); a list of several shows it masked to everybody, so that no list decrypts.

Not masked: a customer's name, without which no work can be done; the MSISDN of a line, a number of the operator's by
which staff and billing find the line; open attributes and notes, whose meaning the program does not know.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import orjson
from pydantic import Field

from shared.access import Principal
from shared.kernel.encryption import Cipher
from shared.kernel.language import Text

DOCUMENT = "customer:document"
CONTACT = "customer:contact"
ADDRESS = "customer:address"
BIRTH_DATE = "customer:birth-date"
THIRD_PARTY = "customer:third-party"

Sight = frozenset[str]
"""The permissions of a reader among those that show a personal value in clear."""


@dataclass(frozen=True, slots=True)
class PersonalField:
    """A kind of personal value.

    Attributes:
        name: as marks name it.
        summary: what it is.
        permission: who holds it sees the value in clear.
        masked: SQL of what others see; ``{0}`` stands for the marked expression.
        clear: SQL of what the holder sees: sealed, if it is encrypted.
        history: where history has such a value in clear, as a regular expression of its field's path.
    """

    name: str
    summary: Text
    permission: str
    masked: str
    clear: str = "{0}"
    history: str = ""

    def mark(self, expression: str) -> str:
        """Return the mark of ``expression`` for SQL that builds an answer."""
        return f"<<{self.name}|{expression}>>"


_SIGN = "E'\\x1f'"
"""Begins a sealed value in JSON: a control character, which no text of the node's has."""
_STORED = ("{0}_masked", f"coalesce({{0}}, {_SIGN} || encode({{0}}_cipher, 'hex'))")
"""The columns beside the value's own hold it masked and encrypted; its own still holds what is not sealed yet."""
contact_value = PersonalField(
    "contact", Text("Telephone numbers and e-mail addresses", "电话与电子邮箱"), CONTACT, *_STORED
)
address = PersonalField("address", Text("Postal addresses", "邮寄地址"), ADDRESS, *_STORED)
birth_date = PersonalField(
    "birth_date",
    Text("Dates of birth; the year is shown", "出生日期（显示年份）"),
    BIRTH_DATE,
    "left({0}::text, 4) || '-**-**'",
    history="(^|/)birth_date$",
)
third_party_name = PersonalField(
    "third_party_name",
    Text(
        "Names of key persons, legal representatives and tied persons; the first character is shown",
        "关键人、法定代表人及关系人姓名（显示首字）",
    ),
    THIRD_PARTY,
    "left({0}, 1) || repeat('*', greatest(char_length({0}) - 1, 1))",
    history="^(key_persons/[^/]+/name|ties/[^/]+/person_name|enterprise/legal_representative)$",
)

REGISTER = (contact_value, address, birth_date, third_party_name)
"""Every kind of personal value that SQL masks. Document numbers are not among them: no read has them but their own."""
SHOWING = frozenset(field.permission for field in REGISTER)
"""Permissions that decide what is seen in an answer."""
SEALED = frozenset({CONTACT, ADDRESS})
"""Permissions for values that are encrypted at rest."""

MaskedDay = Annotated[str, Field(pattern=r"^[0-9]{4}-\*\*-\*\*$", examples=["1990-**-**"])]
"""A date of birth as those see it who may not see the whole."""

_BY_NAME = {field.name: field for field in REGISTER}
_HISTORY = "history"
_SEALED_START = rb'"\u001f'
_SEALED = re.compile(rb'"\\u001f([0-9a-f]+)"')
_MARK = re.compile(r"<<(\w+)\|(.+?)>>", re.DOTALL)


def mark_medium(table: str) -> str:
    """Return the mark of a contact medium's value, by its kind."""
    value = f"{table}.value"
    return (
        f"CASE {table}.kind WHEN 'postal' THEN {address.mark(value)} "
        f"ELSE {contact_value.mark(value)} END"
    )


def mark_history(changes: str) -> str:
    """Return the mark of a JSON array of changes, in which every kind of personal value may occur."""
    return f"<<{_HISTORY}|{changes}>>"


def sight_of(principal: Principal) -> Sight:
    """Return what a reader sees in clear."""
    return sight_among(principal.permissions)


def sight_among(permissions: frozenset[str] | None) -> Sight:
    """Return what whoever holds ``permissions`` sees in clear; all of it for ``None``, the node's operator."""
    return SHOWING if permissions is None else permissions & SHOWING


@lru_cache(maxsize=1000)
def visible(sql: str, sight: Sight) -> str:
    """Return ``sql`` with every mark resolved for a reader."""

    def form(found: re.Match[str]) -> str:
        name, expression = found.groups()
        if name == _HISTORY:
            return _history(expression, sight)
        field = _BY_NAME[name]
        return (field.clear if field.permission in sight else field.masked).format(expression)

    return _MARK.sub(form, sql)


def visible_columns(columns: Mapping[str, str], sight: Sight) -> dict[str, str]:
    """Return the columns of a listing with every mark resolved for a reader."""
    return {name: visible(sql, sight) for name, sql in columns.items()}


def seen(name: str, sql: str, sight: Sight) -> str:
    """Return how the audit log names what a reader sees: ``name``, or ``name_masked`` if nothing of it is in clear."""
    permissions = {_BY_NAME[mark].permission for mark, _ in _MARK.findall(sql) if mark in _BY_NAME}
    return f"{name}_masked" if permissions and not permissions & sight else name


def is_sealed(sql: str) -> bool:
    """Tell whether what a statement gives has sealed values, which :func:`opened` is to open."""
    return _SIGN in sql


def opened(body: bytes, cipher: Cipher) -> bytes:
    """Return JSON with its sealed values decrypted.

    Raises:
        DecryptionFailed: if the node's keys are not those that they were sealed with.
    """
    if _SEALED_START not in body:
        return body
    return _SEALED.sub(
        lambda found: orjson.dumps(cipher.decrypt(bytes.fromhex(found[1].decode()))), body
    )


def _history(changes: str, sight: Sight) -> str:
    hidden = [field for field in REGISTER if field.history and field.permission not in sight]
    if not hidden:
        return changes
    cases = " ".join(
        f"WHEN e.value ->> 'field' ~ '{field.history}' THEN e.value || jsonb_build_object("
        f"'old', {field.masked.format(_of('old'))}, 'new', {field.masked.format(_of('new'))})"
        for field in hidden
    )
    return (
        f"(SELECT coalesce(jsonb_agg(CASE {cases} ELSE e.value END ORDER BY e.ordinality), '[]') "  # noqa: S608 - declared SQL alone
        f"FROM jsonb_array_elements({changes}) WITH ORDINALITY e)"
    )


def _of(side: str) -> str:
    return f"(e.value ->> '{side}')"
