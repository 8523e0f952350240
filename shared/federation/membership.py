"""Who is in the registry: entering, moving, revoking and retiring a node.

What a parent decides holds there from its commit on; it tells HQ, which decides by the same rules, signs the entry and
publishes it. So each rule is here once and is checked twice.

============  =====================================================================================================
entering      a node whose division lies below the parent's, or one that was revoked or retired
moving        only with the node's own *consent*: its signature over from where, to where, and the version it knows
revoking      at once, by one person at its parent or at HQ; it joins again with a new key
retiring      by two persons there; what is under way drains, then its link is closed
============  =====================================================================================================
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation import registry, repository, tree
from shared.federation.delivery import Delivery, MessageRefused
from shared.federation.envelope import EnvelopeForged, sign, verify
from shared.federation.models import Lane, NodeStatus, RegistryEntry, Retirement
from shared.federation.post import PostOffice
from shared.federation.problems import (
    NodeHasChildren,
    NodeNotActive,
    NodeNotOurs,
    NodeUnknown,
    RetirementNotProposed,
)
from shared.kernel.second_person import SecondPersonNeeded
from shared.kernel.settings import HQ_CODE

log = structlog.get_logger("federation.membership")

ENROLLED = "guanxi.registry.enrolled.v1"
WITHDRAWN = "guanxi.registry.withdrawn.v1"


class RegistrationRefused(Exception):
    """A node cannot be entered as its parent asks; the message says why."""


# Entering and moving


def consent_to_move(post: PostOffice, entry: RegistryEntry, to: str) -> dict[str, Any]:
    """Return this node's own word that it moves from its parent to ``to``."""
    said = {"code": post.code, "from": entry.parent, "to": to, "version": entry.version}
    return {**said, "signature": sign(_said(said), post.key, post.code)}


def _said(consent: dict[str, Any]) -> bytes:
    said = {name: consent.get(name) for name in ("code", "from", "to", "version")}
    return orjson.dumps(said, option=orjson.OPT_SORT_KEYS)


async def register(
    session: AsyncSession,
    post: PostOffice,
    *,
    code: str,
    parent: str | None,
    public_key: str,
    now: datetime,
    consent: dict[str, Any] | None = None,
    key_life: timedelta = registry.KEY_LIFE,
) -> None:
    """Enter a node below ``parent``, or move it there; entering it again as it is changes nothing.

    Raises:
        RegistrationRefused: if the parent may not have it, or it is known with another key.
    """
    await repository.lock_registry(session)
    known = await repository.entry(session, code)
    asked = _Asked(code, parent, public_key, consent)
    changes = _changes(known, asked, now=now, key_life=key_life)
    if changes:
        await registry.amend(session, post, code, now=now, **changes)
    if post.code != HQ_CODE:
        data = {"code": code, "public_key": public_key} | ({"consent": consent} if consent else {})
        await _tell_hq(session, post, ENROLLED, data, now=now)


async def require_registrable(
    session: AsyncSession,
    *,
    code: str,
    parent: str,
    public_key: str,
    consent: dict[str, Any] | None,
    now: datetime,
) -> None:
    """Make sure that :func:`register` would do as it is asked.

    Raises:
        RegistrationRefused: if not.
    """
    known = await repository.entry(session, code)
    _changes(known, _Asked(code, parent, public_key, consent), now=now, key_life=registry.KEY_LIFE)


@dataclass(frozen=True, slots=True)
class _Asked:
    code: str
    parent: str | None
    public_key: str
    consent: dict[str, Any] | None


def _changes(
    known: RegistryEntry | None, asked: _Asked, *, now: datetime, key_life: timedelta
) -> dict[str, Any]:
    """Return what is to become of the entry."""
    code, parent = asked.code, asked.parent
    anew = {"parent": parent, "keys": [registry.new_key(asked.public_key, now=now, life=key_life)]}
    if known is None:
        _require_below(code, parent)
        return anew
    is_listed = any(key["public_key"] == asked.public_key for key in known.all_keys())
    if known.status != NodeStatus.ACTIVE:
        if parent != known.parent:
            _require_below(code, parent)
        if known.status == NodeStatus.REVOKED and is_listed:
            raise RegistrationRefused(
                "it is revoked, and with it this key; let it make a new one, `guanxi node new-key`."
            )
        again = {"status": NodeStatus.ACTIVE, "reason": None}
        return anew | again | _new_parent(known, parent)
    if not is_listed:
        raise RegistrationRefused(
            "it is registered with another key; if that is lost, revoke the node first."
        )
    if parent == known.parent:
        return {}
    _require_consent(known, parent, asked.consent, now=now)
    return {"parent": parent, **_new_parent(known, parent)}


def _require_below(code: str, parent: str | None) -> None:
    if parent is not None and not tree.is_division_below(code, parent):
        raise RegistrationRefused(f"it does not lie in the division of {parent}.")


def _new_parent(known: RegistryEntry, parent: str | None) -> dict[str, Any]:
    if parent == known.parent:
        return {}
    former = [each for each in [*known.former_parents, known.parent] if each not in {parent, None}]
    return {"former_parents": list(dict.fromkeys(former)), "parent_since": known.version + 1}


def _require_consent(
    known: RegistryEntry, to: str | None, consent: dict[str, Any] | None, *, now: datetime
) -> None:
    given = consent or {}
    try:
        verify(_said(given), str(given.get("signature")), known.keys_at(now), known.code)
    except EnvelopeForged:
        raise RegistrationRefused(
            f"it belongs to {known.parent} and does not say itself that it moves; invite it and let it join with `--move`."
        ) from None
    expected = (known.code, known.parent, to)
    # An older consent is one to a move that has been made, or taken back, since.
    is_current = isinstance(given["version"], int) and given["version"] >= known.parent_since
    if (given["code"], given["from"], given["to"]) != expected or not is_current:
        raise RegistrationRefused(
            f"it agreed to move from {given['from']} to {given['to']}, and belongs to {known.parent} by now; let it ask anew."
        )


async def _tell_hq(
    session: AsyncSession, post: PostOffice, type_: str, data: dict[str, Any], *, now: datetime
) -> None:
    await post.post(
        session,
        type_,
        HQ_CODE,
        data,
        lane=Lane.CONTROL,
        partition_key=f"registry/{data['code']}",
        subject=data["code"],
        now=now,
    )


async def handle_enrolled(post: PostOffice, key_life: timedelta, delivery: Delivery) -> None:
    """At HQ: a province has enrolled a city, its own or one that moves to it."""
    data = delivery.message.data
    try:
        await register(
            delivery.session,
            post,
            code=data["code"],
            parent=delivery.message.source,
            public_key=data["public_key"],
            consent=data.get("consent"),
            now=delivery.now,
            key_life=key_life,
        )
    except RegistrationRefused as refusal:
        raise MessageRefused(
            f"Node {delivery.message.source} cannot enrol {data['code']}: {refusal}"
        ) from None


async def member(session: AsyncSession, post: PostOffice, code: str) -> RegistryEntry:
    """Return the entry of a node.

    Raises:
        NodeUnknown: if the registry has no such node (404).
    """
    known = await repository.entry(session, code)
    if known is None:
        raise NodeUnknown(code=code, here=post.code)
    return known


# Revoking and retiring


async def revoke(
    session: AsyncSession, post: PostOffice, code: str, reason: str, *, by: str, now: datetime
) -> RegistryEntry:
    """Believe nothing that a node signs from the commit on, and let everybody know.

    Raises:
        NodeUnknown: if the registry has no such node (404).
        NodeNotOurs: if this node is neither its parent nor HQ (403).
    """
    known = await _ours(session, post, code, "revoke")
    if known.status != NodeStatus.REVOKED:
        log.warning("node revoked", node=code, reason=reason, by=by)
        await _withdraw(session, post, code, NodeStatus.REVOKED, reason, now=now)
    return await member(session, post, code)


async def propose_retirement(
    session: AsyncSession, post: PostOffice, code: str, reason: str, *, by: str, now: datetime
) -> Retirement:
    """Propose to retire a node; a later proposal takes an earlier one's place.

    Raises:
        NodeUnknown: if the registry has no such node (404).
        NodeNotOurs: if this node is neither its parent nor HQ (403).
        NodeNotActive: if it is retired or revoked already (409).
        NodeHasChildren: if others belong to it (409).
    """
    await _require_retirable(session, post, code)
    proposal = await repository.retirement(session, code)
    if proposal is None:
        proposal = Retirement(code=code)
        session.add(proposal)
    proposal.reason, proposal.proposed_by, proposal.proposed_at = reason, by, now
    proposal.approved_by = proposal.approved_at = None
    await session.flush()  # the answer may be read by SQL in this transaction
    return proposal


async def approve_retirement(
    session: AsyncSession, post: PostOffice, code: str, *, by: str, now: datetime
) -> Retirement:
    """Retire a node as somebody else proposed: nothing new is sent to it, what is under way drains.

    Raises:
        RetirementNotProposed: if nobody has proposed it (409).
        SecondPersonNeeded: if ``by`` is who proposed it (403).
        NodeUnknown, NodeNotOurs, NodeNotActive, NodeHasChildren: as when it was proposed.
    """
    await _require_retirable(session, post, code)
    proposal = await repository.retirement(session, code)
    if proposal is None or proposal.approved_at is not None:
        raise RetirementNotProposed(code=code)
    if proposal.proposed_by == by:
        raise SecondPersonNeeded(by=by)
    proposal.approved_by, proposal.approved_at = by, now
    log.warning("node retired", node=code, reason=proposal.reason, by=by)
    await _withdraw(session, post, code, NodeStatus.RETIRED, proposal.reason, now=now)
    return proposal


async def _require_retirable(session: AsyncSession, post: PostOffice, code: str) -> None:
    known = await _ours(session, post, code, "retire")
    if known.status != NodeStatus.ACTIVE:
        raise NodeNotActive(code=code, state=known.status)
    children = await repository.children_of(session, code)
    if children:
        raise NodeHasChildren(code=code, children=", ".join(children))


async def _ours(session: AsyncSession, post: PostOffice, code: str, act: str) -> RegistryEntry:
    await repository.lock_registry(session)
    known = await member(session, post, code)
    if code in {post.code, HQ_CODE} or post.code not in {known.parent, HQ_CODE}:
        raise NodeNotOurs(code=code, here=post.code, act=act, parent=known.parent or "-")
    return known


async def _withdraw(
    session: AsyncSession,
    post: PostOffice,
    code: str,
    status: NodeStatus,
    reason: str,
    *,
    now: datetime,
) -> None:
    await registry.amend(session, post, code, now=now, status=status, reason=reason)
    if post.code != HQ_CODE:
        data = {"code": code, "status": status, "reason": reason}
        await _tell_hq(session, post, WITHDRAWN, data, now=now)


async def handle_withdrawn(post: PostOffice, delivery: Delivery) -> None:
    """At HQ: a province has revoked or retired one of its cities."""
    source, data = delivery.message.source, delivery.message.data
    await repository.lock_registry(delivery.session)
    known = await repository.entry(delivery.session, data["code"])
    status = NodeStatus(data["status"])
    if known is None or known.parent != source or status is NodeStatus.ACTIVE:
        raise MessageRefused(
            f"Node {source} cannot withdraw {data['code']}, which does not belong to it."
        )
    if known.status != status:
        await _withdraw(
            delivery.session, post, known.code, status, str(data["reason"]), now=delivery.now
        )


async def close_drained(
    session: AsyncSession, post: PostOffice, *, quiet: timedelta, now: datetime
) -> list[str]:
    """Close the links over which a retired node has nothing to send or to get any more; returns whose.

    Args:
        session: the transaction.
        post: this node's.
        quiet: how long such a link must have brought nothing.
        now: the present moment.
    """
    closed = []
    own = await repository.entry(session, post.code)
    for peer in await repository.peers(session):
        retired = [e for e in (peer.entry, own) if e and e.status == NodeStatus.RETIRED]
        if not retired or await tree.waiting_for(session, peer.code):
            continue
        last = await tree.last_arrival(session, peer.code)
        if max(filter(None, (last, retired[0].entered_at))) + quiet <= now:
            log.warning("the link of a retired node is drained and closed", peer=peer.code)
            await repository.close_peer(session, peer.code)
            closed.append(peer.code)
    return closed


async def route_what_is_stranded(session: AsyncSession) -> None:
    """Route anew what was posted for a peer just while its link was closed."""
    for code in await repository.closed_with_waiting(session):
        await tree.take_back(session, code)
