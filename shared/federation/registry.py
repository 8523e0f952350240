"""The registry: which nodes there are, under which parent, with which keys, and whether they are to be believed.

The parent that enrols a node enters it at once for itself and tells HQ. HQ gives the entry its version, signs it and
passes it to its children, and they to theirs: an entry means the same wherever it is read, because everybody checks
HQ's signature. A node that joins gets the whole registry in the answer.

What keys a node may sign with is read from here and nowhere else. :mod:`~shared.federation.membership` decides who is
in it, :mod:`~shared.federation.rotation` changes keys, :mod:`~shared.federation.freshness` tells how old it is.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation import repository
from shared.federation.delivery import Delivery, MessageRefused
from shared.federation.envelope import EnvelopeForged, sign, verify
from shared.federation.keys import PublicKey
from shared.federation.models import Lane, NodeStatus, PeerStatus, RegistryEntry, Relation
from shared.federation.post import PostOffice
from shared.federation.receiver import Receiver
from shared.kernel.ids import derived_id
from shared.kernel.settings import HQ_CODE

log = structlog.get_logger("federation.registry")

PUBLISHED = "guanxi.registry.published.v1"
KEY_LIFE = timedelta(days=730)
_NEWS = UUID("5b3e0a52-52d6-5d5c-8c58-6f4d3a2f7b10")
FIRST_FIELDS = ("code", "parent", "public_key", "version", "entered_at")
"""What an entry of the first release holds, and its ``statement`` covers."""
FIELDS = (*FIRST_FIELDS, "keys", "status", "reason", "former_parents", "parent_since")
"""What an entry holds, and its ``full_statement`` covers."""
_STATEMENTS = ("statement", "full_statement")

Content = dict[str, Any]
"""An entry as it is sent: its fields, ``entered_at`` as text, and HQ's statements if it has them."""


def content_of(entry: RegistryEntry) -> Content:
    """Return an entry as it is sent; one of the first release as that sends it, or its statement would not hold."""
    is_of_first_release = entry.statement is not None and entry.full_statement is None
    names = FIRST_FIELDS if is_of_first_release else FIELDS
    fields = {name: getattr(entry, name) for name in names}
    statements = {name: getattr(entry, name) for name in _STATEMENTS}
    present = {k: v for k, v in statements.items() if v is not None or k == "statement"}
    return {**fields, "entered_at": entry.entered_at.isoformat(), **present}


def new_key(public_key: str, *, now: datetime, life: timedelta) -> dict[str, str | None]:
    """Return a key as an entry lists it."""
    return {
        "public_key": public_key,
        "valid_from": now.isoformat(),
        "expires_at": (now + life).isoformat(),
    }


async def amend(
    session: AsyncSession, post: PostOffice, code: str, *, now: datetime, **changes: Any
) -> None:
    """Change a node's entry, or make it. At HQ it is signed and passed down; elsewhere it holds here until HQ says so.

    Args:
        session: a transaction that holds the registry's lock.
        post: this node's.
        code: whose entry.
        now: the present moment.
        changes: new values of :data:`FIELDS`; ``keys`` brings ``public_key`` along.
    """
    known = await repository.entry(session, code)
    before: Content = (
        {"status": NodeStatus.ACTIVE, "reason": None, "former_parents": [], "parent_since": 1}
        if known is None
        else {name: getattr(known, name) for name in FIELDS} | {"keys": known.all_keys()}
    )
    content = {
        **before,
        **changes,
        "code": code,
        "version": known.version + 1 if known else 1,
        "entered_at": now.isoformat(),
    }
    content["public_key"] = content["keys"][-1]["public_key"]
    if post.code != HQ_CODE:
        await _keep(session, post.code, {**content, "statement": None, "full_statement": None})
        return
    signed = _signed(content, post)
    await _keep(session, post.code, signed)
    await _pass_down(session, post, signed, now=now)


def _signed(content: Content, post: PostOffice) -> Content:
    # The first release cannot tell that a node is not active any more, so it is not given the entry to believe.
    is_active = content["status"] == NodeStatus.ACTIVE
    first = sign(signed_bytes(content, FIRST_FIELDS), post.key, HQ_CODE) if is_active else None
    return {
        **content,
        "statement": first,
        "full_statement": sign(signed_bytes(content, FIELDS), post.key, HQ_CODE),
    }


def signed_bytes(content: Content, fields: Sequence[str]) -> bytes:
    """Return what a statement over these fields of an entry is a signature over."""
    return orjson.dumps({name: content[name] for name in fields}, option=orjson.OPT_SORT_KEYS)


async def sign_anew(session: AsyncSession, post: PostOffice, *, now: datetime) -> int:
    """At HQ: publish every entry that its current key has not signed in full; returns how many.

    That is all of them once HQ's key has changed over, or HQ is the first release no more.
    """
    await repository.lock_registry(session)
    old = [
        entry
        for entry in await repository.registry(session)
        if not (entry.full_statement and _holds(content_of(entry), (post.key.public,)))
    ]
    for entry in old:
        expires_at = (now + KEY_LIFE).isoformat()
        keys = [{**k, "expires_at": k["expires_at"] or expires_at} for k in entry.all_keys()]
        await amend(session, post, entry.code, now=now, keys=keys)
    return len(old)


def _holds(content: Content, keys: Sequence[PublicKey]) -> bool:
    """Tell whether HQ's fullest statement over an entry is by one of ``keys``."""
    full = content.get("full_statement")
    statement, fields = (full, FIELDS) if full else (content.get("statement"), FIRST_FIELDS)
    try:
        verify(signed_bytes(content, fields), statement or "", keys, HQ_CODE)
    except (EnvelopeForged, KeyError):
        return False
    return True


async def handle_published(post: PostOffice, receiver: Receiver, delivery: Delivery) -> None:
    """Below HQ: an entry is news. Keep it, pass it on, and handle what waited for it."""
    content = delivery.message.data
    await adopt(delivery.session, post.code, content)
    await _pass_down(delivery.session, post, content, now=delivery.now)
    await receiver.retry_parked(delivery.session, content["code"], now=delivery.now)


async def adopt(
    session: AsyncSession, here: str, content: Content, *, trusted: bool = False
) -> None:
    """Keep an entry that HQ signed; ``trusted`` takes HQ's own, and a parent's unconfirmed ones, from the enrolment.

    Raises:
        MessageRefused: if no statement is HQ's, or it leaves out what HQ's others cover.
    """
    await repository.lock_registry(session)
    if not trusted:
        await _require_hqs_word(session, content)
    full = content.get("full_statement")
    is_of_first_release = full is None and content.get("statement") is not None
    fields = FIRST_FIELDS if is_of_first_release or "keys" not in content else FIELDS
    first: Content = {"keys": [], "status": NodeStatus.ACTIVE, "reason": None}
    parents = {"former_parents": [], "parent_since": 1}
    given = {name: content[name] for name in fields}
    statements = {"statement": content.get("statement"), "full_statement": full}
    await _keep(session, here, {**first, **parents, **given, **statements})


async def _require_hqs_word(session: AsyncSession, content: Content) -> None:
    hq = await repository.entry(session, HQ_CODE)
    if hq is None or not any(content.get(name) for name in _STATEMENTS):
        raise MessageRefused(
            f"The registry entry of {content['code']} carries no statement that this node can check."
        )
    if hq.full_statement and not content.get("full_statement"):
        raise MessageRefused(
            f"The registry entry of {content['code']} was cut: HQ signs all of an entry, and this is a part."
        )
    # Also by a key that has ended: it was HQ's when it signed, and versions say which entry is the newer.
    keys = [PublicKey.from_text(str(key["public_key"])) for key in hq.all_keys()]
    if not _holds(content, keys):
        raise MessageRefused(f"The registry entry of {content['code']} is not signed by HQ.")


async def _keep(session: AsyncSession, here: str, content: Content) -> None:
    """Keep an entry unless a newer one is here, and let it take effect on the link to that node."""
    code = content["code"]
    known = await repository.entry(session, code)
    active = content["status"] == NodeStatus.ACTIVE
    confirmed = bool(content["statement"] or content["full_statement"])
    withdrawn_here = known and not known.is_confirmed and known.status != NodeStatus.ACTIVE
    if withdrawn_here and confirmed and active and content["parent"] == here:
        return  # HQ has yet to hear that this node has withdrawn it
    # Only one that HQ had put here: a child that comes from elsewhere is on its way, and HQ has yet to hear.
    was_ours = known is not None and known.is_confirmed and known.parent == here
    entered_at = datetime.fromisoformat(content["entered_at"])
    if not await repository.put_registry_entry(session, {**content, "entered_at": entered_at}):
        return
    peer = await repository.peer(session, code)
    if peer is None or peer.status == PeerStatus.CLOSED:
        return
    if peer.relation == Relation.CHILD and was_ours and content["parent"] != here:
        log.warning("a child has moved to another parent", node=code, parent=content["parent"])
        await repository.close_peer(session, code)
    elif content["status"] == NodeStatus.REVOKED:
        log.warning("a peer is revoked", node=code, reason=content["reason"])
        await repository.revoke_peer(session, code)
    elif active and peer.status == PeerStatus.REVOKED:
        peer.status = PeerStatus.ACTIVE


async def _pass_down(
    session: AsyncSession, post: PostOffice, content: Content, *, now: datetime
) -> None:
    for child in await repository.peers(session, Relation.CHILD):
        await send_entry(session, post, content, child.code, now=now)


async def send_entry(
    session: AsyncSession,
    post: PostOffice,
    content: Content,
    child: str,
    *,
    now: datetime,
    because: UUID = _NEWS,
) -> None:
    """Send an entry to a child, once for each cause, also if that child is retired and learns it by this."""
    name = f"{content['code']}/{content['version']}"
    statement = content["statement"] or content.get("full_statement") or ""
    await post.post(
        session,
        PUBLISHED,
        child,
        content,
        lane=Lane.CONTROL,
        partition_key=f"registry/{content['code']}",
        subject=content["code"],
        now=now,
        message_id=derived_id(because, post.code, child, name, statement),
        also_retired=True,
    )
