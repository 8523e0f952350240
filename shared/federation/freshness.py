"""How old a node's registry is: HQ says once a day how many entries there are, and what they come to.

The *word* is small, signed by HQ and passed down behind the entries it counts. A node whose registry comes to
something else asks its parent for the whole of it. A registry without a word for long is stale: that warns an operator
and stops nothing, since peers that know each other need nobody's leave.
"""

import hashlib
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation import registry, repository
from shared.federation.delivery import Delivery, MessageRefused
from shared.federation.envelope import EnvelopeForged, sign, verify
from shared.federation.keys import PublicKey
from shared.federation.models import Lane, Relation
from shared.federation.post import PostOffice
from shared.kernel.ids import derived_id
from shared.kernel.settings import HQ_CODE

log = structlog.get_logger("federation.freshness")

SAID = "guanxi.registry.said.v1"
ASKED = "guanxi.registry.asked.v1"
_WORD = UUID("8d0f3f0a-3b58-5a1d-8a0c-5f1c2d7e4b90")
_FIELDS = ("as_of", "count", "digest")


async def own_sum(session: AsyncSession) -> tuple[int, str]:
    """Return how many entries of HQ's this node's registry has, and their digest."""
    entries = [entry for entry in await repository.registry(session) if entry.is_confirmed]
    lines = "".join(f"{e.code} {e.version} {e.status}\n" for e in entries)
    return len(entries), hashlib.sha256(lines.encode()).hexdigest()


async def say(session: AsyncSession, post: PostOffice, *, now: datetime) -> None:
    """At HQ: say what the registry comes to at this moment."""
    await repository.lock_registry(session)
    count, digest = await own_sum(session)
    word: dict[str, Any] = {"as_of": now.isoformat(), "count": count, "digest": digest}
    word["statement"] = sign(_bytes(word), post.key, HQ_CODE)
    await repository.put_last_word(
        session, {"as_of": now, "count": count, "digest": digest, "matches": True}
    )
    await _pass_down(session, post, word, now=now)


def _bytes(word: dict[str, Any]) -> bytes:
    return orjson.dumps({name: word[name] for name in _FIELDS}, option=orjson.OPT_SORT_KEYS)


async def _pass_down(
    session: AsyncSession, post: PostOffice, word: dict[str, Any], *, now: datetime
) -> None:
    for child in await repository.peers(session, Relation.CHILD):
        await post.post(
            session,
            SAID,
            child.code,
            word,
            lane=Lane.CONTROL,
            partition_key="registry",
            now=now,
            message_id=derived_id(_WORD, post.code, child.code, word["as_of"]),
            also_retired=True,
        )


async def handle_said(post: PostOffice, delivery: Delivery) -> None:
    """Below HQ: keep the word, pass it on, and ask for the registry if this node's comes to something else."""
    session, word = delivery.session, delivery.message.data
    await repository.lock_registry(session)
    hq = await repository.entry(session, HQ_CODE)
    keys = [PublicKey.from_text(str(key["public_key"])) for key in hq.all_keys()] if hq else []
    try:
        verify(_bytes(word), str(word["statement"]), keys, HQ_CODE)
    except EnvelopeForged as error:
        raise MessageRefused(f"The word on the registry is not HQ's: {error}") from None
    count, digest = await own_sum(session)
    matches = (count, digest) == (word["count"], word["digest"])
    as_of = datetime.fromisoformat(word["as_of"])
    is_new = await repository.put_last_word(
        session,
        {"as_of": as_of, "count": word["count"], "digest": word["digest"], "matches": matches},
    )
    if not is_new:
        return
    await _pass_down(session, post, word, now=delivery.now)
    if not matches:
        log.warning("the registry differs from HQ's", here=count, at_hq=word["count"])
        await _ask(session, post, word["as_of"], now=delivery.now)


async def _ask(session: AsyncSession, post: PostOffice, as_of: str, *, now: datetime) -> None:
    parent = await repository.parent(session)
    if parent is not None:
        await post.post(
            session,
            ASKED,
            parent.code,
            {"as_of": as_of},
            lane=Lane.CONTROL,
            partition_key="registry",
            now=now,
        )


async def handle_asked(post: PostOffice, delivery: Delivery) -> None:
    """At a parent: a child asks for the registry. It gets every entry that HQ has signed, HQ's own first."""
    child = delivery.message.source
    if child not in {
        peer.code for peer in await repository.peers(delivery.session, Relation.CHILD)
    }:
        raise MessageRefused(f"Node {child} is no child of {post.code}: it asks its own parent.")
    await repository.lock_registry(delivery.session)
    for entry in await repository.registry(delivery.session):
        if entry.is_confirmed:
            await registry.send_entry(
                delivery.session,
                post,
                registry.content_of(entry),
                child,
                now=delivery.now,
                because=delivery.message.id,
            )
