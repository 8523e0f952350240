"""The rules of a merge and of its undo."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from services.city_node.customer import repository as customers
from services.city_node.customer.history import Changes, change_row, differences, snapshot
from services.city_node.customer.models import (
    ChangeAction,
    ChangeSource,
    Customer,
    CustomerChange,
    Library,
)
from services.city_node.customer.rules import merge_patch
from services.city_node.customer.service import Desk
from services.city_node.merge import repository
from services.city_node.merge.models import CustomerMerge, MergeState
from services.city_node.merge.problems import (
    ChangedSinceMerge,
    KindsDiffer,
    MergeOver,
    MergeWithItself,
    RequestOpen,
    SurvivorRetained,
)
from services.city_node.merge.schemas import Choice, MergeCreate, Side
from shared.kernel.ids import new_id
from shared.kernel.preconditions import require_version

_COLUMNS: Mapping[Choice, tuple[str, ...]] = {
    Choice.NAME: ("name", "name_sort"),
    Choice.DOCUMENT: ("document_type", "document_cipher", "document_index", "document_masked"),
}
"""The columns of a choice that is not one column of its own name."""
_CHARGES = ("monthly_charge_fen", "total_charge_fen")
_NOT_COMPARED = {*_CHARGES, "document_cipher"}
"""Charges are told anew by each bill; what is encrypted changes with its key, and its index tells the value."""
_BOOKKEEPING = {"version", "updated_at", "updated_by"}


async def merge(desk: Desk, body: MergeCreate) -> UUID:
    """Merge two profiles and return the merge's id.

    Raises:
        CustomerNotFound: if one is not in the caller's scope (404).
        CustomerMerged: if one was merged already (410).
        VersionStale: if one was changed since it was seen (412).
        MergeWithItself: if there is only one (422).
        RequestOpen: if one waits for an answer about personal data (409).
        KindsDiffer, SurvivorRetained: if they cannot be one customer (409).
    """
    if body.survivor_id == body.merged_id:
        raise MergeWithItself
    # In the order of their ids, so that two merges of the same pair wait for one another and not each for the other.
    locked = {one: await desk.locked(one) for one in sorted((body.survivor_id, body.merged_id))}
    survivor, merged = locked[body.survivor_id], locked[body.merged_id]
    require_version(survivor.version, body.survivor_version)
    require_version(merged.version, body.merged_version)
    _require_mergeable(survivor, merged)
    waiting = await repository.with_open_request(desk.session, list(locked))
    if waiting is not None:
        raise RequestOpen(customer=waiting)
    before, profile = snapshot(survivor), await repository.image(desk.session, merged.id)
    was = await repository.image(desk.session, survivor.id)
    done = CustomerMerge(
        id=new_id(),
        survivor_id=survivor.id,
        merged_id=merged.id,
        merged_number=merged.customer_number,
        at=desk.now,
        by=desk.principal.username,
        state=MergeState.DONE.value,
        note=body.note,
        chosen=dict(body.chosen),
        profile=profile,
    )
    repository.add(desk.session, done)
    await customers.write(desk.session)
    repository.let_go(desk.session, merged)
    done.moved, done.set_aside = await repository.move_everything(desk.session, done)
    await repository.end_profile(desk.session, done, merged.customer_number)
    if None not in {survivor.source, merged.source}:
        await repository.keep_source_key(desk.session, done)
    for name, value in _values(survivor, merged, body.chosen).items():
        setattr(survivor, name, value)
    changes = [
        {"field": f"merged/{merged.id}", "old": None, "new": merged.customer_number},
        *differences(before, snapshot(survivor)),
        *await repository.moved_as_history_tells(desk.session, done),
    ]
    await _keep(desk, done, survivor, ChangeAction.MERGED, changes)
    now = await repository.image(desk.session, survivor.id)
    set_by_it = [name for name in now if now[name] != was[name] and name not in _BOOKKEEPING]
    done.before = {name: was[name] for name in set_by_it}
    done.after = {name: now[name] for name in set_by_it}
    await customers.write(desk.session)
    return done.id


async def undo(desk: Desk, merge_id: UUID) -> None:
    """Put both profiles back as they were.

    Raises:
        MergeNotFound: if there is no such merge (404).
        CustomerNotFound: if the survivor is not in the caller's scope (404).
        CustomerMerged: if the survivor was merged itself since (410).
        MergeOver: if it was undone, or is too old (409).
        ChangedSinceMerge: if something cannot be put back (409).
        DocumentTaken: if somebody else has the document meanwhile (409).
    """
    done = await repository.lock_merge(desk.session, merge_id)
    survivor = await desk.locked(done.survivor_id)
    if done.profile is None or done.state != MergeState.DONE:
        raise MergeOver(at=done.at.date(), state=done.state)
    was, after = done.before or {}, done.after or {}
    now = await repository.image(desk.session, survivor.id)
    places = [
        f"/{name}" for name in after if name not in _NOT_COMPARED and now[name] != after[name]
    ]
    places += [
        f"/{reference.table.name}/{'/'.join(map(str, key.values()))}"
        for reference, key in await repository.changed_rows(desk.session, done)
    ]
    if places:
        raise ChangedSinceMerge(places)
    before = snapshot(survivor)
    came = await repository.moved_as_history_tells(desk.session, done)
    async with customers.refused_if_taken():
        await repository.restore_fields(
            desk.session, survivor.id, {**was, **_charges_without(done, now)}
        )
        await repository.restore_profile(desk.session, done)
        await repository.move_everything_back(desk.session, done)
    done.state, done.undone_at, done.undone_by = (
        MergeState.UNDONE.value,
        desk.now,
        desk.principal.username,
    )
    survivor = await desk.locked(done.survivor_id)
    merged = await desk.locked(done.merged_id)
    changes = [
        {"field": f"merged/{merged.id}", "old": merged.customer_number, "new": None},
        *differences(before, snapshot(survivor)),
        *({**one, "old": one["new"], "new": None} for one in came),
    ]
    await _keep(desk, done, survivor, ChangeAction.UNMERGED, changes)


def _require_mergeable(survivor: Customer, merged: Customer) -> None:
    stays, ends = survivor.customer_number, merged.customer_number
    if survivor.kind != merged.kind:
        raise KindsDiffer(survivor=stays, merged=ends)
    if survivor.library != Library.IN_NETWORK and merged.library == Library.IN_NETWORK:
        raise SurvivorRetained(survivor=stays, merged=ends)


def _values(survivor: Customer, merged: Customer, chosen: Mapping[Choice, Side]) -> dict[str, Any]:
    """Return what the survivor's fields become."""
    values: dict[str, Any] = {}
    for choice in Choice:
        if choice in {Choice.ATTRIBUTES, Choice.ENTRY_DATE}:
            continue
        names = _COLUMNS.get(choice, (choice.value,))
        empty = getattr(survivor, names[0]) in {None, "unknown"}
        side = chosen.get(choice, Side.MERGED if empty else Side.SURVIVOR)
        if side == Side.MERGED:
            values |= {name: getattr(merged, name) for name in names}
    entry = chosen.get(Choice.ENTRY_DATE)
    of_side = {Side.SURVIVOR: survivor.entry_date, Side.MERGED: merged.entry_date}
    values["entry_date"] = of_side[entry] if entry else min(of_side.values())
    first, second = survivor.attributes, merged.attributes
    if chosen.get(Choice.ATTRIBUTES) == Side.MERGED:
        first, second = second, first
    values["attributes"] = merge_patch(second, first)
    for name in _CHARGES:
        values[name] = getattr(survivor, name) + getattr(merged, name)
    if survivor.source is None:
        values |= {"source": merged.source, "source_key": merged.source_key}
    return values


def _charges_without(done: CustomerMerge, now: Mapping[str, Any]) -> dict[str, int]:
    """Return the survivor's charges without those that the merge had added, if they were told anew since."""
    profile, after = done.profile or {}, done.after or {}
    return {
        name: max(0, now[name] - profile[name])
        for name in _CHARGES
        if name in after and now[name] != after[name]
    }


async def _keep(
    desk: Desk,
    done: CustomerMerge,
    survivor: Customer,
    action: ChangeAction,
    changes: Changes,
) -> None:
    """Write what was done into the history of both."""
    row = change_row(
        survivor,
        action,
        changes,
        at=desk.now,
        by=desk.principal.username,
        source=ChangeSource.REST,
        cause_id=done.id,
    )
    old, new = (None, str(survivor.id)) if action is ChangeAction.MERGED else (str(survivor.id), None)  # fmt: skip
    repository.add(desk.session, row)
    repository.add(
        desk.session,
        CustomerChange(
            customer_id=done.merged_id,
            at=desk.now,
            by=desk.principal.username,
            source=ChangeSource.REST.value,
            action=action.value,
            changes=[{"field": "merged_into", "old": old, "new": new}],
            cause_id=done.id,
        ),
    )
    await customers.write(desk.session)
