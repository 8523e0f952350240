"""Joining the federation: a one-time code, each side's key in the other's hands, and a second person's look at it.

1. The parent's operator makes a code ``<secret>.<fingerprint>``: the secret lets one named child ask, and the
   fingerprint tells the child that it speaks to the right parent.
2. The child asks: it sends its public keys and the secret, signed by itself. The parent keeps the request and says
   that it is pending.
3. A second person at the parent compares the key's fingerprint with what the child's operator reads out, and admits
   it. From then on the child is a peer, is in the registry, and HQ is told.
4. The child asks again and gets the parent's keys and the registry, signed by the parent, and checks them against the
   fingerprint in its code.

Asking again, because an answer was lost, gets the same answer. A node that moves asks its new parent in the same way,
with its *consent* (:mod:`~shared.federation.membership`); it has left its old parent once it has the answer.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation import membership, repository
from shared.federation.keys import PublicKey
from shared.federation.models import (
    EnrolmentCode,
    NodeStatus,
    Peer,
    PeerStatus,
    Relation,
)
from shared.federation.post import PostOffice
from shared.federation.problems import (
    EnrolmentNotPending,
    EnrolmentRefused,
    FingerprintDiffers,
)
from shared.federation.registry import KEY_LIFE, content_of
from shared.federation.tree import is_division_below
from shared.kernel.second_person import SecondPersonNeeded
from shared.kernel.settings import HQ_CODE

CODE_LIFE = timedelta(hours=24)
SECRET_BYTES = 15


class InvitationInvalid(Exception):
    """A one-time code is not one, or belongs to somebody else."""


class EnrolmentRequest(BaseModel):
    """What a child asks its parent with."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    code: str
    public_key: str
    secret: str
    consent: dict[str, Any] | None = None


class EnrolmentAnswer(BaseModel):
    """What the parent answers."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    code: str
    public_key: str
    registry: list[dict[str, Any]]
    admitted_at: datetime | None = None
    anew: bool = False
    """Whether the lanes between the two begin anew."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """A one-time code, taken apart."""

    secret: str
    fingerprint: str

    @classmethod
    def from_text(cls, text: str) -> "Invitation":
        """Read a code as the parent's operator handed it over.

        Raises:
            InvitationInvalid: if it does not have the form of one.
        """
        secret, dot, fingerprint = text.strip().partition(".")
        if not (secret and dot and fingerprint):
            raise InvitationInvalid(
                f"'{text}' is not a one-time code: it has the form SECRET.FINGERPRINT, as `guanxi node invite` at the parent prints it."
            )
        return cls(secret, fingerprint)

    def __str__(self) -> str:
        return f"{self.secret}.{self.fingerprint}"


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


# At the parent


async def invite(
    session: AsyncSession,
    post: PostOffice,
    child: str,
    *,
    by: str,
    now: datetime,
    moving: bool = False,
) -> Invitation:
    """Make a one-time code with which node ``child`` may ask to join this one within :data:`CODE_LIFE`.

    Args:
        session: the transaction.
        post: this node's.
        child: its division code.
        by: who invites it; somebody else admits it.
        now: the present moment.
        moving: whether it may come from another parent.

    Raises:
        EnrolmentRefused: if the child's division does not lie directly below this node and it does not move, or it
            is of a tier that this node has no children of.
    """

    def refused(why: str) -> EnrolmentRefused:
        return EnrolmentRefused(child=child, here=post.code, why=why)

    if child == post.code or child.endswith("0000") != (post.code == HQ_CODE):
        raise refused(f"{child} does not lie directly below {post.code}.")
    if moving:
        entry = await repository.entry(session, child)
        if entry is None or entry.status != NodeStatus.ACTIVE:
            raise refused("only an active node of the registry can move.")
    elif not is_division_below(child, post.code):
        raise refused(f"{child} does not lie directly below {post.code}.")
    invitation = Invitation(secrets.token_urlsafe(SECRET_BYTES), post.key.public.fingerprint)
    await repository.add_enrolment_code(
        session,
        _hash(invitation.secret),
        child,
        moving=moving,
        expires_at=now + CODE_LIFE,
        by=by,
    )
    return invitation


async def ask(
    session: AsyncSession, post: PostOffice, request: EnrolmentRequest, *, now: datetime
) -> EnrolmentAnswer | None:
    """Keep the request of a child with a good code; its signature was checked with the key that it sends.

    Returns:
        The answer, once somebody has admitted the child; ``None`` until then.

    Raises:
        EnrolmentRefused: if the code is unknown, for another node, expired or used by another key, or the child
            may not join with this key (403).
    """

    def refused(why: str) -> EnrolmentRefused:
        return EnrolmentRefused(child=request.code, here=post.code, why=why)

    code = await repository.enrolment_code(session, _hash(request.secret))
    if code is None or code.child != request.code:
        raise refused("the one-time code is not known for this node.")
    if code.used_at is not None and code.public_key != request.public_key:
        raise refused("the one-time code has been used.")
    if code.used_at is None and code.expires_at <= now:
        raise refused(
            f"the one-time code expired at {code.expires_at.isoformat(timespec='seconds')}."
        )
    if code.admitted_at is None:
        await _require_admissible(session, post, code, request, now=now)
        code.used_at = code.used_at or now
        code.public_key, code.consent = request.public_key, request.consent
        return None
    peer = await repository.peer(session, request.code)
    if peer is None or peer.status != PeerStatus.ACTIVE or peer.relation != Relation.CHILD:
        raise refused("it was admitted with this one-time code, and is not a child any more.")
    await repository.lock_registry(session)
    entries = [content_of(entry) for entry in await repository.registry(session)]
    return EnrolmentAnswer(
        code=post.code,
        public_key=post.key.public.to_text(),
        registry=entries,
        admitted_at=code.admitted_at,
        anew=code.anew,
    )


async def _require_admissible(
    session: AsyncSession,
    post: PostOffice,
    code: EnrolmentCode,
    request: EnrolmentRequest,
    *,
    now: datetime,
) -> None:
    """Make sure that nothing but the second person's word is missing."""
    try:
        await membership.require_registrable(
            session,
            code=request.code,
            parent=post.code,
            public_key=request.public_key,
            consent=request.consent if code.moving else None,
            now=now,
        )
    except membership.RegistrationRefused as error:
        raise EnrolmentRefused(child=request.code, here=post.code, why=str(error)) from None


async def admit(
    session: AsyncSession,
    post: PostOffice,
    child: str,
    fingerprint: str,
    *,
    by: str,
    now: datetime,
    key_life: timedelta = KEY_LIFE,
) -> Peer:
    """Let a child in that has asked, after comparing its fingerprint; the second person does.

    Args:
        session: the transaction.
        post: this node's.
        child: its division code.
        fingerprint: of its key, as its operator reads it out.
        by: who admits it, not who invited it.
        now: the present moment.
        key_life: for how long its key is good without a warning.

    Raises:
        EnrolmentNotPending: if it has not asked (404).
        FingerprintDiffers: if it asked with another key (409).
        SecondPersonNeeded: if ``by`` invited it (403).
        EnrolmentRefused: if it may not join any more (403).
    """
    request = await repository.pending_request(session, child)
    if request is None or request.public_key is None:
        raise EnrolmentNotPending(child=child, here=post.code)
    asked = PublicKey.from_text(request.public_key).fingerprint
    if _plain(fingerprint) != _plain(asked):
        raise FingerprintDiffers(child=child, asked=asked, given=fingerprint.strip())
    if request.created_by == by:
        raise SecondPersonNeeded(by=by)
    await repository.lock_registry(session)
    await _know_myself(session, post, now=now, key_life=key_life)
    before, entry = await repository.peer(session, child), await repository.entry(session, child)
    goes_on = before is not None and before.status == PeerStatus.ACTIVE
    request.anew = not goes_on or entry is None or entry.status != NodeStatus.ACTIVE
    if request.anew:
        await repository.end_lanes(session, child)
    peer = await repository.add_peer(
        session, new_peer(child, Relation.CHILD, request.public_key, None, now)
    )
    try:
        await membership.register(
            session,
            post,
            code=child,
            parent=post.code,
            public_key=request.public_key,
            consent=request.consent if request.moving else None,
            now=now,
            key_life=key_life,
        )
    except membership.RegistrationRefused as error:
        raise EnrolmentRefused(child=child, here=post.code, why=str(error)) from None
    request.admitted_at, request.admitted_by = now, by
    return peer


def _plain(fingerprint: str) -> str:
    return "".join(fingerprint.lower().replace("-", " ").split())


async def pending(session: AsyncSession) -> Sequence[EnrolmentCode]:
    """Return the requests that wait for a second person, oldest first."""
    return await repository.pending_requests(session)


async def _know_myself(
    session: AsyncSession, post: PostOffice, *, now: datetime, key_life: timedelta
) -> None:
    """HQ has nobody to enter it: it does so itself before it lets the first child in."""
    if post.code == HQ_CODE and await repository.entry(session, HQ_CODE) is None:
        await membership.register(
            session,
            post,
            code=HQ_CODE,
            parent=None,
            public_key=post.key.public.to_text(),
            now=now,
            key_life=key_life,
        )


def new_peer(
    code: str, relation: Relation, public_key: str, url: str | None, now: datetime
) -> Peer:
    """Return a peer that has just joined, or been joined."""
    return Peer(
        code=code,
        relation=relation,
        status=PeerStatus.ACTIVE,
        public_key=public_key,
        url=url,
        enrolled_at=now,
        failures=0,
    )
