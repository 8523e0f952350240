"""A profile as of an earlier moment: the present one, with every change since taken back.

History is read backwards: each change holds what each field was before. What it does not hold cannot be told, and is
left out rather than guessed: which SIM was on a line, and which contact medium was preferred. Numbers are masked, as
history has them. Bills and usage carry their own months and need no reconstruction.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from services.city_node.customer import profile
from services.city_node.customer.models import ChangeAction, SubscriptionStatus
from services.city_node.customer.parts import Part
from services.city_node.customer.privacy import SEALED, Sight, mark_history, visible
from services.city_node.customer.problems import NotYetACustomer
from shared.kernel.listing import QueryInvalid

_NOT_TOLD = {"subscriptions": ("iccid", "imsi"), "contacts": ("preferred", "preferred_hours")}
"""Fields of parts that history does not hold."""
_ADDED = {ChangeAction.PART_ADDED, ChangeAction.CREATED}
# ruff: noqa: S608 - every statement here is put together from declared expressions
_AFTER = f"""
    SELECT id, action, {mark_history("changes")} AS changes
    FROM customer_change WHERE customer_id = $1 AND at > $2 ORDER BY id DESC"""
_BEFORE = """
    SELECT to_jsonb(at) #>> '{}', by FROM customer_change WHERE customer_id = $1 AND at <= $2 ORDER BY id DESC LIMIT 1"""


def moment_of(written: str, *, now: datetime) -> datetime:
    """Return the moment that ``as_of`` names.

    Raises:
        QueryInvalid: if it is no moment with an offset from UTC, or lies in the future (400).
    """
    try:
        # In a query a plus sign stands for a space.
        moment = datetime.fromisoformat(written.replace(" ", "+"))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or moment > now:
        raise QueryInvalid("as_of", written, "a past moment such as 2026-05-01T00:00:00+08:00")
    return moment


def parts_told(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Return the parts whose past history tells."""
    return tuple(part for part in parts if part.told)


async def read_as_of(
    pool: asyncpg.Pool,
    customer_id: UUID,
    unit_path: str,
    moment: datetime,
    *,
    fields: str | None,
    include: str | None,
    parts: Sequence[Part],
    sight: Sight,
) -> tuple[tuple[str, ...], bytes]:
    """Return what is shown, as the audit log names it, and the JSON of a customer as of ``moment``.

    It is for a reader whose unit has the customer now. ``sight`` is what the reader sees in clear; of sealed values
    history has but the masked form.

    Raises:
        CustomerNotFound: if there is none below the unit (404).
        NotYetACustomer: if the profile was made later (404).
        QueryInvalid: for a field that there is not, or a part whose past history does not tell (400).
    """
    sight -= SEALED
    how = profile.reading(None, include, sight, parts_told(parts))
    wanted = profile.reading(fields, include, sight, parts_told(parts))
    if wanted.with_document_number:
        raise QueryInvalid("fields", profile.DOCUMENT_NUMBER, ", ".join(profile.FIELDS))
    async with (
        pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        _, body = await profile.read(connection, how, customer_id, unit_path)
        changes = await connection.fetch(visible(_AFTER, sight), customer_id, moment)
        latest = await connection.fetchrow(_BEFORE, customer_id, moment)
    page = orjson.loads(body)
    if moment < datetime.fromisoformat(page["created_at"]):
        raise NotYetACustomer(customer=customer_id, made=page["created_at"])
    for change in changes:
        take_back(page, change["action"], orjson.loads(change["changes"]))
        page["version"] -= change["action"] != ChangeAction.CREATED
    page["updated_at"], page["updated_by"] = latest or (page["created_at"], page["created_by"])
    _leave_out_what_is_not_told(page)
    page["as_of"] = moment.isoformat()
    if fields:
        named = {name.strip() for name in fields.split(",")} | {part.name for part in parts}
        page = {name: value for name, value in page.items() if name in named | {"as_of"}}
    return wanted.shows, orjson.dumps(page)


def take_back(page: dict[str, Any], action: str, changes: Sequence[Mapping[str, Any]]) -> None:
    """Take one change back from a page."""
    for change in changes:
        name, _, rest = str(change["field"]).partition("/")
        old = change["old"]
        if name == "document_number":
            page["document_masked"] = old
        elif name == "attributes" and rest:
            _set(page["attributes"], rest, old)
        elif name == "subscriptions" and name in page:
            _take_back_line(page[name], rest, old)
        elif name == "contacts" and name in page:
            _take_back_contact(page, rest, change)
        elif rest and name in page:
            page[name] = _take_back_part(page[name], rest, old, added=action in _ADDED)
        elif not rest and name in page:
            page[name] = old


def _take_back_line(lines: list[dict[str, Any]], path: str, old: Any) -> None:
    msisdn, _, field = path.partition("/")
    # A number may have been on a line that ended and again on another: the latest of them changed last.
    line = next((one for one in reversed(lines) if one["msisdn"] == msisdn), None)
    if line is None:
        line = {"msisdn": msisdn}
        lines.append(line)
    if field == "status" and old is None:
        lines.remove(line)
        return
    line[field] = old
    if field == "status" and old != SubscriptionStatus.ENDED:
        line["ended_on"] = None


def _take_back_contact(page: dict[str, Any], path: str, change: Mapping[str, Any]) -> None:
    """Take a contact medium back: named by its id, or by its kind where an import brought it."""
    old, new = change["old"], change["new"]
    if old is None:
        page["contacts"] = [
            one
            for one in page["contacts"]
            if one["id"] != path and (one["kind"], one["value"]) != (path, new)
        ]
    else:
        kind, _, value = str(old).partition(" ")
        page["contacts"].append({"id": path, "kind": kind, "value": value})


def _take_back_part(part: Any, path: str, old: Any, *, added: bool) -> Any:
    if not isinstance(part, list):
        return {**(part or {}), path: old}
    item, _, field = path.partition("/")
    if added:
        return [one for one in part if one["id"] != item]
    found = next((one for one in part if one["id"] == item), None)
    if found is None:
        found = {"id": item}
        part.append(found)
    found[field] = old
    return part


def _set(attributes: dict[str, Any], name: str, value: Any) -> None:
    if value is None:
        attributes.pop(name, None)
    else:
        attributes[name] = value


def _leave_out_what_is_not_told(page: dict[str, Any]) -> None:
    for part, names in _NOT_TOLD.items():
        for item in page.get(part, []):
            for name in names:
                item.pop(name, None)
    for name, value in page.items():
        if isinstance(value, dict) and name != "attributes" and not any(value.values()):
            page[name] = None
