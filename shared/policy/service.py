"""Which policy is in force, and which would be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from shared.capability import Bound, D, PolicyKind
from shared.federation import repository as federation
from shared.federation import tree
from shared.federation.models import NodeStatus
from shared.kernel.database import Database, driver_connection
from shared.kernel.problems import Fault
from shared.kernel.settings import HQ_CODE
from shared.organisation.division import divisions
from shared.policy import repository
from shared.policy.declaration import PolicyInForce, PolicyKinds
from shared.policy.problems import (
    PlaceUnknown,
    PolicyInvalid,
    PolicyKindUnknown,
    PolicyOutsideBounds,
)
from shared.policy.resolution import Resolution, Version, resolve


async def in_force(
    session: AsyncSession, kind: PolicyKind[D], *, on: date, node: str
) -> PolicyInForce[D]:
    """Return the policy of ``kind`` that ``node`` goes by ``on`` a date, as far as this node knows.

    Args:
        session: where to look.
        kind: what the policy is about.
        on: the day, in the business zone.
        node: division code of the node that goes by it.
    """
    (found,) = await several_in_force(session, (kind,), on=on, node=node)
    return found


async def several_in_force(
    session: AsyncSession, kinds: Sequence[PolicyKind[Any]], *, on: date, node: str
) -> list[PolicyInForce[Any]]:
    """Return the policies of several kinds, in their order, by one look at what is remembered."""
    # Rules ask at every redemption: what was found is remembered by all that it depends on, and one look tells that.
    connection = await driver_connection(session)
    names = [kind.name for kind in kinds]
    found = []
    fingerprints = await repository.fingerprints(connection, names, node)
    for kind, fingerprint in zip(kinds, fingerprints, strict=True):
        known = (kind, on, node, fingerprint)
        if known not in _remembered:
            if len(_remembered) >= _MOST_REMEMBERED:
                _remembered.clear()
            _remembered[known] = (await resolution(session, kind, on=on, node=node)).in_force
        found.append(_remembered[known])
    return found


async def in_force_now(
    database: Database,
    connection: asyncpg.Connection,
    kind: PolicyKind[D],
    *,
    on: date,
    node: str,
) -> PolicyInForce[D]:
    """Return the same for a hot write.

    Args:
        database: where to look if it is not remembered.
        connection: where to find out whether it is.
        kind: what the policy is about.
        on: the day, in the business zone.
        node: division code of the node that goes by it.
    """
    known = (kind, on, node, await repository.fingerprint(connection, kind.name, node))
    if known in _remembered:
        return _remembered[known]
    async with database.reading() as session:
        return await in_force(session, kind, on=on, node=node)


_MOST_REMEMBERED = 256
_remembered: dict[tuple[PolicyKind[Any], date, str, str], PolicyInForce[Any]] = {}


async def draft_in_force(
    session: AsyncSession,
    kind: PolicyKind[D],
    *,
    draft: Any,
    on: date,
    node: str,
    publisher: str | None = None,
) -> PolicyInForce[D]:
    """Return what would be in force with ``draft`` in the place of what its publisher has published, for dry runs.

    Args:
        session: where to look.
        kind: what the policy is about.
        draft: JSON: a whole document if its publisher is HQ, a merge patch (RFC 7396) otherwise.
        on: the day.
        node: division code of the node that would go by it.
        publisher: division code of who would publish it; ``node`` itself without it.

    Raises:
        PolicyInvalid: if it does not have the form of its kind (422).
        PolicyOutsideBounds: if it leaves the bounds of the national policy (422).
    """
    tried = unpublished(publisher or node, draft, on)
    found = await resolution(session, kind, on=on, node=node, draft=tried)
    require_holds(found, tried)
    return found.in_force


def unpublished(
    publisher: str, document: Any, effective_from: date, bounds: tuple[Bound, ...] | None = None
) -> Version:
    """Return what is not published yet as if it were."""
    return Version(publisher, None, "", effective_from, document, bounds)


async def resolution(
    session: AsyncSession,
    kind: PolicyKind[D],
    *,
    on: date,
    node: str,
    draft: Version | None = None,
) -> Resolution[D]:
    """Return what is in force at a node, and how it came about."""
    line = await line_to(session, node)
    return resolve(kind, line, await repository.versions(session, kind.name, line), on, draft)


def require_holds(found: Resolution[D], tried: Version, below: str = "") -> None:
    """Refuse a draft that is set aside.

    Args:
        found: what would be in force with it.
        tried: the draft.
        below: JSON pointer of where the document is in what was sent.

    Raises:
        PolicyInvalid: if it does not have the form of its kind (422).
        PolicyOutsideBounds: if it leaves the bounds (422).
    """
    layer = next((each for each in found.layers if each.version is tried), None)
    if layer is None or layer.holds:
        return
    faults = [Fault(below + f.pointer, f.detail, f.detail_zh) for f in layer.faults]
    kind, count = found.kind.name, len(faults)
    if layer.is_malformed:
        raise PolicyInvalid(faults=faults, kind=kind, count=count)
    raise PolicyOutsideBounds(faults=faults, national=found.national_reference, count=count)


async def line_to(session: AsyncSession, node: str) -> list[str]:
    """Return the division codes from HQ down to a node."""
    return (await tree.lines(session, [node]))[node][0][::-1]


async def require_known(session: AsyncSession, node: str, *, here: str) -> None:
    """Make sure that this node knows what is in force at another: that is so above and below it.

    Raises:
        PlaceUnknown: if it does not (404).
    """
    if node not in divisions():  # by its digits alone it would lie below HQ
        raise PlaceUnknown(here=here, at=node)
    lines = await tree.lines(session, [here, node])
    if here not in lines[node][0] and node not in lines[here][0]:
        raise PlaceUnknown(here=here, at=node)


def kind_named(kinds: PolicyKinds, name: str) -> PolicyKind[Any]:
    """Return a kind of policy.

    Raises:
        PolicyKindUnknown: if this node does not know it (404).
    """
    found = kinds.get(name)
    if found is None:
        raise PolicyKindUnknown(kind=name, known=", ".join(kinds) or "-")
    return found


@dataclass(frozen=True, slots=True)
class Place:
    """What a node goes by."""

    node: str
    resolution: Resolution[Any]


async def places(
    session: AsyncSession,
    kind: PolicyKind[Any],
    *,
    on: date,
    here: str,
    draft: Version | None = None,
) -> Sequence[Place]:
    """Return what is in force at this node and at each below it that the registry knows, by code."""
    nodes = {here} | {
        entry.code
        for entry in await federation.registry(session)
        if entry.status != NodeStatus.RETIRED
    }
    lines: Mapping[str, list[str]] = {
        code: each[0][::-1] for code, each in (await tree.lines(session, nodes)).items()
    }
    below = sorted(code for code, line in lines.items() if here in line)
    known: dict[str, list[Version]] = {HQ_CODE: []}
    if draft is not None:
        known[draft.publisher] = []
    for version in await repository.versions(session, kind.name):
        known.setdefault(version.publisher, []).append(version)
    # Most places have no override of their own: they go by what the one above them does.
    found: dict[tuple[str, ...], Resolution[Any]] = {}
    result = []
    for code in below:
        line = tuple(each for each in lines[code] if each in known)
        if line not in found:
            of_line = [version for publisher in line for version in known[publisher]]
            found[line] = resolve(kind, line, of_line, on, draft)
        result.append(Place(code, found[line]))
    return result
