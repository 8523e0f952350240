"""Keeping the catalogue of offers, and the quotas of units."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.city_node.customer.problems import DatesContradict, UnitOutOfScope
from services.city_node.offer import repository
from services.city_node.offer.counter import Counter
from services.city_node.offer.models import Offer, OfferQuota
from services.city_node.offer.problems import (
    ConflictWithItself,
    OfferOutOfScope,
    OfferTaken,
    OfferUnknown,
    OfferValueUnclear,
    QuotaBelowReserved,
)
from services.city_node.offer.schemas import OfferCreate, OfferPatch, QuotaSet
from services.city_node.query.schemas import ConditionForm
from services.city_node.query.selection import read_condition
from services.city_node.query.writing import to_json, to_text
from shared.capability import Action
from shared.kernel.database import driver_connection
from shared.kernel.language import Text
from shared.kernel.preconditions import require_version

CREATED = Action("offer.created", Text("An offer was added", "新增优惠"))
CHANGED = Action("offer.changed", Text("An offer was changed", "修改优惠"))
QUOTA_SET = Action("offer.quota_set", Text("A unit's quota of an offer was set", "设定优惠配额"))
ACTIONS = (CREATED, CHANGED, QUOTA_SET)
_NOBODYS: frozenset[str] = frozenset()


async def add(counter: Counter, body: OfferCreate) -> None:
    """Add an offer.

    Raises:
        OfferTaken: if its code is in use (409).
        UnitOutOfScope: if it is for a unit that is not at or below the caller's (422).
        OfferValueUnclear, DatesContradict, ConflictWithItself, OfferUnknown: if it does not fit together (422).
        ConditionInvalid, ConditionForbidden: as :func:`~services.city_node.query.selection.read_condition`.
    """
    values = body.model_dump(exclude={"conflicts_with", "condition"})
    values["units"] = body.units or [counter.unit]
    values |= _condition(body.condition)
    stamp = {"version": 1, "updated_at": counter.now, "updated_by": counter.actor.by}
    _require_sound(values)
    await _require_units(counter, values["units"])
    await repository.hold_catalogue(counter.session)
    if await repository.add(counter.session, {**values, **stamp}) is None:
        raise OfferTaken(body.code)
    await _set_conflicts(counter, body.code, body.conflicts_with)
    counter.record(CREATED, ("offer", body.code), fields=list(OfferCreate.model_fields))


async def change(counter: Counter, code: str, expected: int, patch: OfferPatch) -> None:
    """Change what ``patch`` names; grants that were made stay as they are.

    Raises:
        OfferNotFound: if there is none (404).
        VersionStale: if it was changed since version ``expected`` (412).
        OfferOutOfScope: if it is for units that are not below the caller's (403).
        UnitOutOfScope, OfferValueUnclear, DatesContradict, ConflictWithItself, OfferUnknown, ConditionInvalid,
        ConditionForbidden: as :func:`add`.
    """
    await repository.hold_catalogue(counter.session)
    offer = await repository.find(counter.session, code, locked=True)
    require_version(offer.version, expected)
    await _require_all_in_scope(counter, offer)
    values = patch.model_dump(exclude_unset=True, exclude={"conflicts_with", "condition"})
    if "condition" in patch.model_fields_set:
        values |= _condition(patch.condition)
    _require_sound({**_fields(offer), **values})
    if "units" in values:
        await _require_units(counter, values["units"])
    for name, value in values.items():
        setattr(offer, name, value)
    if "conflicts_with" in patch.model_fields_set:
        await _set_conflicts(counter, code, patch.conflicts_with)
    if patch.model_fields_set:
        _stamp(counter, offer)
        counter.record(CHANGED, ("offer", code), fields=sorted(patch.model_fields_set))
    await counter.session.flush()  # what is answered is read by SQL


async def set_quota(
    counter: Counter, code: str, body: QuotaSet, *, year: int, unit: str, expected: int
) -> None:
    """Say how many uses of an offer a unit may grant in a year, and what they may cost.

    Grants that were made before count where they were counted. A quota that is not there yet has version 0.

    Raises:
        OfferNotFound: if there is no such offer (404).
        UnitOutOfScope: if the unit is not at or below the caller's (422).
        VersionStale: if it was changed since version ``expected`` (412).
        QuotaBelowReserved: if more is granted of it already (409).
    """
    await repository.find(counter.session, code)
    await _require_units(counter, [unit])
    await repository.hold_catalogue(counter.session)
    quota = await repository.quota(counter.session, code, year, unit, locked=True)
    require_version(0 if quota is None else quota.version, expected)
    if quota is None:
        quota = OfferQuota(
            offer_code=code, year=year, unit_code=unit, reserved=0, reserved_fen=0, version=0
        )
        counter.session.add(quota)
    few = body.uses is not None and body.uses < quota.reserved
    if few or (body.budget_fen is not None and body.budget_fen < quota.reserved_fen):
        raise QuotaBelowReserved(reserved=quota.reserved, reserved_fen=quota.reserved_fen)
    quota.uses, quota.budget_fen = body.uses, body.budget_fen
    _stamp(counter, quota)
    counter.record(QUOTA_SET, ("offer", code), detail={"unit": unit, "year": year})
    await counter.session.flush()  # what is answered is read by SQL


def _fields(offer: Offer) -> dict[str, Any]:
    return {name: getattr(offer, name) for name in ("value_fen", "value_permille", "valid_from", "valid_until")}  # fmt: skip


def _require_sound(values: Mapping[str, Any]) -> None:
    if (values["value_fen"] is None) == (values["value_permille"] is None):
        raise OfferValueUnclear
    since, until = values["valid_from"], values["valid_until"]
    if until is not None and until <= since:
        raise DatesContradict("valid_until", until, "before", since)


def _condition(given: ConditionForm | None) -> dict[str, Any]:
    if given is None:
        return {"condition": None, "condition_text": None}
    # Whether it holds is told to everybody who grants offers: it asks for nothing that takes a permission.
    condition = read_condition(given, permissions=_NOBODYS, is_kept=True)
    return {"condition": to_json(condition), "condition_text": to_text(condition)}


async def _require_units(counter: Counter, units: Sequence[str]) -> None:
    connection = await driver_connection(counter.session)
    for code in await repository.units_out_of_scope(connection, units, counter.scope):
        raise UnitOutOfScope(code)


async def _require_all_in_scope(counter: Counter, offer: Offer) -> None:
    connection = await driver_connection(counter.session)
    # Also an offer for a unit that was closed since can be changed.
    if await repository.units_out_of_scope(connection, offer.units, counter.scope, closed=True):
        raise OfferOutOfScope(code=offer.code, units=", ".join(offer.units))


async def _set_conflicts(counter: Counter, code: str, others: Sequence[str]) -> None:
    if code in others:
        raise ConflictWithItself(code)
    connection = await driver_connection(counter.session)
    before = (await repository.conflicting(connection, [code]))[code]
    found = await repository.named(counter.session, sorted({*before, *others}))
    known = {offer.code for offer in found}
    for other in others:
        if other not in known:
            raise OfferUnknown(other, "/conflicts_with")
    # Both show it, so both have changed.
    for offer in found:
        if (offer.code in before) is not (offer.code in others):
            _stamp(counter, offer)
    await repository.pair(counter.session, code, others)


def _stamp(counter: Counter, row: Offer | OfferQuota) -> None:
    row.version += 1
    row.updated_at, row.updated_by = counter.now, counter.actor.by
