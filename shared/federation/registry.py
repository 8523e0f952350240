"""The registry: which nodes there are, under which parent, with which keys.

The parent that enrols a node enters it at once for itself and tells HQ. HQ gives the entry its version, signs it and
passes it to its children, and they to theirs: an entry means the same wherever it is read, because everybody checks
HQ's signature. A node that joins gets the whole registry in the answer.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation import repository
from shared.federation.delivery import Delivery, MessageRefused
from shared.federation.envelope import EnvelopeForged, sign, verify
from shared.federation.keys import PublicKey
from shared.federation.models import Lane, RegistryEntry, Relation
from shared.federation.post import PostOffice
from shared.federation.receiver import Receiver, is_division_below
from shared.kernel.ids import derived_id
from shared.kernel.settings import HQ_CODE

ENROLLED = "guanxi.registry.enrolled.v1"
PUBLISHED = "guanxi.registry.published.v1"
_NEWS = UUID("5b3e0a52-52d6-5d5c-8c58-6f4d3a2f7b10")
FIELDS = ("code", "parent", "public_key", "version", "entered_at")


def content_of(entry: RegistryEntry) -> dict[str, Any]:
    """Return an entry as it is sent: its fields, and HQ's statement if it has one."""
    fields = {name: getattr(entry, name) for name in FIELDS}
    return {**fields, "entered_at": entry.entered_at.isoformat(), "statement": entry.statement}


def _signed_bytes(content: dict[str, Any]) -> bytes:
    return orjson.dumps({name: content[name] for name in FIELDS}, option=orjson.OPT_SORT_KEYS)


async def enter(
    session: AsyncSession,
    post: PostOffice,
    *,
    code: str,
    parent: str | None,
    public_key: str,
    now: datetime,
) -> None:
    """Enter a node that has just joined below this one (or this node itself, at HQ), and let the others know."""
    await repository.lock_registry(session)
    known = (await repository.registry_entries(session, [code])).get(code)
    if known and known.statement and (known.parent, known.public_key) == (parent, public_key):
        return
    content: dict[str, Any] = {
        "code": code,
        "parent": parent,
        "public_key": public_key,
        "version": known.version + 1 if known else 1,
        "entered_at": now.isoformat(),
    }
    if post.code == HQ_CODE:
        content["statement"] = sign(_signed_bytes(content), post.key, HQ_CODE)
        await _put(session, content)
        await _pass_down(session, post, content, now=now)
        return
    await _put(session, {**content, "statement": None})
    await post.post(
        session,
        ENROLLED,
        HQ_CODE,
        {"code": code, "public_key": public_key},
        lane=Lane.CONTROL,
        partition_key=f"registry/{code}",
        subject=code,
        now=now,
    )


async def _put(session: AsyncSession, content: dict[str, Any]) -> bool:
    return await repository.put_registry_entry(
        session, {**content, "entered_at": datetime.fromisoformat(content["entered_at"])}
    )


async def _pass_down(
    session: AsyncSession, post: PostOffice, content: dict[str, Any], *, now: datetime
) -> None:
    for child in await repository.peers(session, Relation.CHILD):
        name = f"{content['code']}/{content['version']}"
        await post.post(
            session,
            PUBLISHED,
            child.code,
            content,
            lane=Lane.CONTROL,
            partition_key=f"registry/{content['code']}",
            subject=content["code"],
            now=now,
            message_id=derived_id(_NEWS, post.code, child.code, name, content["statement"]),
        )


async def handle_enrolled(post: PostOffice, delivery: Delivery) -> None:
    """At HQ: a province has enrolled a city."""
    source, data = delivery.message.source, delivery.message.data
    if not is_division_below(data["code"], source):
        raise MessageRefused(
            f"Node {source} cannot enrol {data['code']}, which does not lie in its division."
        )
    await enter(
        delivery.session,
        post,
        code=data["code"],
        parent=source,
        public_key=data["public_key"],
        now=delivery.now,
    )


async def handle_published(post: PostOffice, receiver: Receiver, delivery: Delivery) -> None:
    """Below HQ: an entry is news. Keep it, pass it on, and handle what waited for it."""
    content = delivery.message.data
    await adopt(delivery.session, content)
    await _pass_down(delivery.session, post, content, now=delivery.now)
    await receiver.retry_parked(delivery.session, content["code"], now=delivery.now)


async def adopt(session: AsyncSession, content: dict[str, Any], *, trusted: bool = False) -> None:
    """Keep an entry that HQ signed; ``trusted`` takes HQ's own, and a parent's unconfirmed ones, from the enrolment.

    Raises:
        MessageRefused: if the statement is not HQ's.
    """
    await repository.lock_registry(session)
    if not trusted:
        hq_key = await repository.public_key_of(session, HQ_CODE)
        if hq_key is None or not content.get("statement"):
            raise MessageRefused(
                f"The registry entry of {content['code']} carries no statement that this node can check."
            )
        try:
            verify(
                _signed_bytes(content), content["statement"], PublicKey.from_text(hq_key), HQ_CODE
            )
        except EnvelopeForged as error:
            raise MessageRefused(
                f"The registry entry of {content['code']} is not signed by HQ: {error}"
            ) from None
    await _put(session, {name: content[name] for name in (*FIELDS, "statement")})
