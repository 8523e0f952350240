"""Writing the audit log: one line in whatever does something that is to be answered for.

Inside a transaction that changes something, :func:`record` adds the record to that transaction: both are committed, or
neither; :func:`insertion` and :func:`values_of` do so as part of a statement that writes the change, or finds what is
shown. For a look, which changes nothing and needs no transaction, :func:`record_now` returns once the record is on
disk, together with those of others who look at the same time; the caller answers after it, and not at all if it fails.

A record holds no personal data: subjects are ids, ``fields`` names and not values, and what somebody searched for is
a blind index. So it can be kept when a person is erased.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from shared.access import Principal
from shared.audit.models import AuditRecord, Source
from shared.capability import Action
from shared.kernel.database import Database, Insert
from shared.kernel.tracing import current

Subject = tuple[str, object]
"""What an action is about: its type and its id, such as ``("customer", customer.id)``. Never a name or a number."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts.

    Attributes:
        by: username, or how the history names whoever has none.
        source: what the action came through.
        user_id: the account, if there is one.
        role: what the person was to the node.
        unit_code: the person's unit.
        unit_path: where in the tree it is.
    """

    by: str
    source: Source = Source.REST
    user_id: UUID | None = None
    role: str | None = None
    unit_code: str | None = None
    unit_path: str | None = None

    @classmethod
    def of(cls, principal: Principal, source: Source = Source.REST) -> Self:
        """Return a member of staff who is signed in."""
        return cls(
            principal.username,
            source,
            principal.id,
            principal.role.value,
            principal.unit,
            principal.unit_path,
        )

    @classmethod
    def command(cls, by: str) -> Self:
        """Return whoever runs a command on the node's machine."""
        return cls(by, Source.COMMAND)

    @classmethod
    def peer(cls, code: str) -> Self:
        """Return another node, whose message made this one act."""
        return cls(code, Source.MESSAGE)


def record(
    session: AsyncSession,
    actor: Actor,
    action: Action,
    *,
    at: datetime,
    subject: Subject | None = None,
    fields: Iterable[str] = (),
    cause_id: UUID | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Add a record to the transaction of ``session``.

    Args:
        session: the transaction of what is recorded.
        actor: who does it.
        action: what is done, as the capability declares it.
        at: when.
        subject: to whom or what.
        fields: names of what was seen or changed.
        cause_id: the import or message that made it happen.
        detail: what else an auditor has to know; small, and without personal data.
    """
    row = _row(actor, action, at, subject, list(fields), cause_id, dict(detail or {}))
    session.add(AuditRecord(**dict(zip(_COLUMNS, row, strict=True))))


def insertion(source: str, first: int, expressions: Mapping[str, str] | None = None) -> str:
    """Return the statement that adds a record for each row of ``source``: what it records.

    Its values, as :func:`values_of` gives them, are the parameters from number ``first`` on. ``expressions`` are SQL of
    columns that say more than their value, for which ``{}`` stands there.
    """
    said = dict.fromkeys(_COLUMNS, "{}") | dict(expressions or {})
    values = ", ".join(
        said[name].replace("{}", f"${first + nth}") for nth, name in enumerate(_COLUMNS)
    )
    return f"INSERT INTO audit_record ({', '.join(_COLUMNS)}) SELECT {values} FROM {source}"  # noqa: S608 - names


def values_of(
    actor: Actor,
    action: Action,
    *,
    at: datetime,
    subject: Subject | None = None,
    fields: Iterable[str] = (),
    cause_id: UUID | None = None,
    detail: Mapping[str, Any] | None = None,
) -> tuple[Any, ...]:
    """Return the values of a record as asyncpg takes them; otherwise as :func:`record`."""
    seen = orjson.dumps(list(fields)).decode()
    more = orjson.dumps(detail, default=str).decode() if detail else "{}"
    return _row(actor, action, at, subject, seen, cause_id, more)


async def record_now(
    database: Database,
    actor: Actor,
    action: Action,
    *,
    at: datetime,
    subject: Subject | None = None,
    fields: Iterable[str] = (),
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Write a record, and return once it is on disk; otherwise as :func:`record`.

    Raises:
        Exception: if it cannot be written; what was to be shown must then not be.
    """
    row = values_of(actor, action, at=at, subject=subject, fields=fields, detail=detail)
    await database.append(_INSERT, row)


_COLUMNS = (
    "at", "by", "user_id", "role", "unit_code", "unit_path", "action", "subject_type", "subject_id", "fields",
    "source", "trace_id", "cause_id", "detail",
)  # fmt: skip
_MANY = """
    INSERT INTO audit_record
      (at, by, user_id, role, unit_code, unit_path, action, subject_type, subject_id, fields, source, trace_id,
       cause_id, detail)
    SELECT at, by, user_id, role, unit_code, unit_path, action, subject_type, subject_id, fields::jsonb, source,
           trace_id, cause_id, detail::jsonb
    FROM unnest($1::timestamptz[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                $9::text[], $10::text[], $11::text[], $12::text[], $13::uuid[], $14::text[])
      AS r (at, by, user_id, role, unit_code, unit_path, action, subject_type, subject_id, fields, source, trace_id,
            cause_id, detail)"""
_INSERT = Insert(insertion("(SELECT) one", 1), _MANY)


def _row(  # noqa: PLR0917 - in the order of the columns
    actor: Actor,
    action: Action,
    at: datetime,
    subject: Subject | None,
    fields: object,
    cause_id: UUID | None,
    detail: object,
) -> tuple[Any, ...]:
    trace = current()
    subject_type, subject_id = (None, None) if subject is None else (subject[0], str(subject[1]))
    return (
        at, actor.by, actor.user_id, actor.role, actor.unit_code, actor.unit_path, action.code, subject_type,
        subject_id, fields, actor.source.value, trace.trace_id if trace else None, cause_id, detail,
    )  # fmt: skip
