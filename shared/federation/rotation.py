"""Rotating a node's key: the new one is known before it signs, and the old one is accepted for a while after.

=============  ========================================================================  ==========================
stage          what is                                                                   what comes next
=============  ========================================================================  ==========================
``idle``       one key, in the file and in the registry                                  an operator rotates
``made``       the next key is in its file, and announced to HQ, signed by the old one   HQ publishes both
``published``  the entry with both keys has come back                                    the settling delay passes
``overlap``    the next key is the current one; the old one still counts                 its time in the entry ends
=============  ========================================================================  ==========================

Nothing else says how far a rotation is than the key files and the registry. :func:`step` looks at both and does what
is next; it may be interrupted anywhere and run again. The announcement carries a *proof*, the new key's signature, so
that nobody can announce a key that is not theirs.

While both keys count, what was sealed for either can be opened, and a neighbour that has not heard of the new one is
answered with the old. A request between neighbours is checked with the keys of the moment, a message with those of the
moment that it is dated: however long it is under way, the key that signed it in time counts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

import orjson
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation import registry, repository
from shared.federation.delivery import Delivery, MessageRefused
from shared.federation.envelope import EnvelopeForged, sign, verify
from shared.federation.keyring import KeyRing
from shared.federation.keys import KeyUnusable, NodeKey, PublicKey
from shared.federation.models import Lane, NodeStatus, RegistryEntry
from shared.federation.post import PostOffice
from shared.federation.problems import NotInRegistry, RotationUnderWay
from shared.federation.signature import SignatureWrong
from shared.kernel.database import Database
from shared.kernel.ids import derived_id
from shared.kernel.settings import HQ_CODE, Settings

log = structlog.get_logger("federation.rotation")

ANNOUNCED = "guanxi.registry.key-announced.v1"
MOST_VALID = 2
MOST_LISTED = 4
"""Keys that an entry lists, those that have ended with them: HQ's old statements are checked with them."""
_ANNOUNCEMENT = UUID("2f6c1d1e-6a0e-5d3b-9a6b-0c6f6a3d9e21")


class Stage(StrEnum):
    """How far a rotation is."""

    IDLE = "idle"
    MADE = "made"
    PUBLISHED = "published"
    OVERLAP = "overlap"


@dataclass(frozen=True, slots=True)
class Rotation:
    """Where a node's rotation is.

    Attributes:
        stage: how far.
        next_fingerprint: of the key that will sign.
        until: when this stage ends by itself; ``None`` if that is not for the clock to say.
    """

    stage: Stage
    next_fingerprint: str | None = None
    until: datetime | None = None


def rotation_of(
    keys: KeyRing, own: RegistryEntry | None, *, settle: timedelta, now: datetime
) -> Rotation:
    """Return where the rotation is, by the key files and the registry."""
    listed = {key["public_key"]: key for key in own.all_keys()} if own else {}
    following = keys.next
    if following is not None:
        published = listed.get(following.public.to_text())
        fingerprint = following.public.fingerprint
        if published is None:
            return Rotation(Stage.MADE, fingerprint)
        since = datetime.fromisoformat(str(published["valid_from"]))
        return Rotation(Stage.PUBLISHED, fingerprint, since + settle)
    if own is not None and len(own.keys_at(now)) >= MOST_VALID:
        return Rotation(Stage.OVERLAP, until=overlap_end(own, now=now))
    return Rotation(Stage.IDLE)


def overlap_end(own: RegistryEntry, *, now: datetime) -> datetime | None:
    """Return when the last key that has a successor ends; ``None`` if none goes on."""
    ends = [datetime.fromisoformat(str(key["expires_at"])) for key in own.all_keys()[:-1]]
    return max((end for end in ends if end > now), default=None)


# At the node


async def begin(
    session: AsyncSession, post: PostOffice, settings: Settings, *, now: datetime
) -> Rotation:
    """Make the next key and announce it; if one is made already, announce that.

    Raises:
        NotInRegistry: if the node's own entry is not there, or it is not active (409).
        RotationUnderWay: if the key before is still accepted (409).
    """
    await repository.lock_registry(session)
    own = await repository.entry(session, post.code)
    if own is None or own.status != NodeStatus.ACTIVE or not own.is_confirmed:
        raise NotInRegistry(code=post.code)
    until = overlap_end(own, now=now)
    if until is not None and post.keys.next is None:
        raise RotationUnderWay(code=post.code, until=until.isoformat(timespec="seconds"))
    post.keys.make_next()
    await _announce(session, post, settings, now=now)
    own = await repository.entry(session, post.code)
    return rotation_of(post.keys, own, settle=settle_of(settings), now=now)


async def step(
    database: Database, post: PostOffice, settings: Settings, *, now: datetime
) -> Rotation:
    """Do what is next in the rotation, if anything; returns where it is then."""
    settle = settle_of(settings)
    async with database.transaction() as session:
        own = await repository.entry(session, post.code)
        rotation = rotation_of(post.keys, own, settle=settle, now=now)
        if rotation.stage is Stage.MADE and own is not None:
            await _announce(session, post, settings, now=now)
            changes_over = await _is_overdue(session, post, settings, now=now)
        else:
            until = rotation.until if rotation.stage is Stage.PUBLISHED else None
            changes_over = until is not None and until <= now
        if changes_over:
            await _sign_waiting(session, post)
    if changes_over:
        post.keys.switch()
        log.info("the node signs with its new key", fingerprint=rotation.next_fingerprint)
    if post.code == HQ_CODE and own is not None:
        async with database.transaction() as session:
            await registry.sign_anew(session, post, now=now)
    async with database.transaction() as session:
        own = await repository.entry(session, post.code)
    return rotation_of(post.keys, own, settle=settle, now=now)


async def _is_overdue(
    session: AsyncSession, post: PostOffice, settings: Settings, *, now: datetime
) -> bool:
    """Tell whether the old key may have ended without this node's having heard of it.

    The parent has the announcement, so HQ has published it or will, and the old key does not end before the overlap
    has passed since: changing over just then leaves no message that is dated after its key's end.
    """
    following = post.keys.next
    if following is None:
        return False
    announced_at = await repository.handed_over_at(
        session, _announcement_id(post.code, following.public.to_text())
    )
    overlap = timedelta(days=settings.key_overlap_days)
    return announced_at is not None and announced_at + overlap <= now


async def refused(database: Database, post: PostOffice, key: NodeKey, detail: str) -> None:
    """Go on with another key, since the parent refuses requests signed by ``key``.

    A node that was away for longer than the overlap finds its old key ended, and has not heard that its next one is
    published: it changes over before it sends anything more.
    """
    if SignatureWrong.reason not in detail or key.public != post.keys.calling.public:
        return
    if post.keys.next is None:
        post.keys.refused(key)
        return
    async with database.transaction() as session:
        await _sign_waiting(session, post)
    post.keys.switch()
    log.warning("the parent refuses the old key: the node signs with its next one")


async def _sign_waiting(session: AsyncSession, post: PostOffice) -> None:
    """Sign with the next key what has not left, before the file says so: by now others accept it."""
    following = post.keys.next
    if following is not None:
        await resign(session, post, following)


def settle_of(settings: Settings) -> timedelta:
    """Return how long a published key waits before it signs."""
    return timedelta(minutes=settings.key_settle_minutes)


async def _announce(
    session: AsyncSession, post: PostOffice, settings: Settings, *, now: datetime
) -> None:
    """Tell HQ of the next key, once: the id of the message is the key's."""
    following = post.keys.next
    if following is None:
        return
    public_key = following.public.to_text()
    proof = sign(claim_of(post.code, public_key), following, post.code)
    claim = {"public_key": public_key, "proof": proof}
    if post.code == HQ_CODE:
        await _accept(session, post, HQ_CODE, claim, settings, now=now)
        return
    await post.post(
        session,
        ANNOUNCED,
        HQ_CODE,
        claim,
        lane=Lane.CONTROL,
        partition_key=f"registry/{post.code}",
        subject=post.code,
        now=now,
        message_id=_announcement_id(post.code, public_key),
    )


def _announcement_id(code: str, public_key: str) -> UUID:
    return derived_id(_ANNOUNCEMENT, code, public_key)


def claim_of(code: str, public_key: str) -> bytes:
    """Return what the proof of a key is a signature over."""
    return orjson.dumps({"code": code, "public_key": public_key}, option=orjson.OPT_SORT_KEYS)


async def resign(session: AsyncSession, post: PostOffice, key: NodeKey) -> int:
    """Sign with ``key`` what this node has posted and what has no number yet; returns how many that were.

    What has a number stays the same for ever. So does the news of this node's own keys: who has not heard it knows
    the old key alone, and hears it first.
    """
    signed = 0
    for row in await repository.own_waiting(session, post.code):
        is_news = row.type == registry.PUBLISHED and _subject(row.envelope) == post.code
        if is_news or row.type == ANNOUNCED:
            continue
        row.signature = sign(row.envelope, key, post.code)
        signed += 1
    return signed


def _subject(envelope: bytes) -> object:
    return orjson.loads(envelope).get("subject")


# At HQ


async def handle_announced(post: PostOffice, settings: Settings, delivery: Delivery) -> None:
    """At HQ: a node has made its next key. It speaks for itself alone."""
    await repository.lock_registry(delivery.session)
    await _accept(
        delivery.session,
        post,
        delivery.message.source,
        delivery.message.data,
        settings,
        now=delivery.now,
    )


async def _accept(
    session: AsyncSession,
    post: PostOffice,
    code: str,
    claim: Mapping[str, Any],
    settings: Settings,
    *,
    now: datetime,
) -> None:
    public_key, proof = str(claim["public_key"]), str(claim["proof"])
    known = await repository.entry(session, code)
    if known is None or known.status != NodeStatus.ACTIVE:
        raise MessageRefused(f"Node {code} is not active in the registry: it cannot rotate a key.")
    listed = known.all_keys()
    if public_key in {key["public_key"] for key in listed}:
        return
    try:
        verify(claim_of(code, public_key), proof, [PublicKey.from_text(public_key)], code)
    except (EnvelopeForged, KeyUnusable) as error:
        raise MessageRefused(f"The key that {code} announces is not proved: {error}") from None
    if len(known.keys_at(now)) >= MOST_VALID:
        raise MessageRefused(
            f"Node {code} has {MOST_VALID} valid keys already: it rotates again when the older one has ended."
        )
    keys = with_next(
        listed,
        public_key,
        overlap=timedelta(days=settings.key_overlap_days),
        life=timedelta(days=settings.key_life_days),
        now=now,
    )
    await registry.amend(session, post, code, now=now, keys=keys)


def with_next(
    listed: Sequence[Mapping[str, str | None]],
    public_key: str,
    *,
    overlap: timedelta,
    life: timedelta,
    now: datetime,
) -> list[dict[str, str | None]]:
    """Return the keys of an entry with a next one: the newest until now ends after the overlap."""
    ending = {**listed[-1], "expires_at": (now + overlap).isoformat()}
    following = registry.new_key(public_key, now=now, life=life)
    return [*(dict(key) for key in listed[:-1]), ending, following][-MOST_LISTED:]
