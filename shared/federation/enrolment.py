"""Joining the federation: a one-time code from the parent's operator, and each side's key in the other's hands.

The code is ``<secret>.<fingerprint>``: the secret lets one named child in, once; the fingerprint tells the child that
it speaks to the right parent. The child sends its public keys, signed by itself; the parent answers with its own and
with the registry, signed by itself, and the child checks them against the fingerprint. Asking again with the same
code and key, because the answer was lost, gets the same answer.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation import repository
from shared.federation.keys import PublicKey
from shared.federation.models import Peer, PeerStatus, Relation
from shared.federation.post import PostOffice
from shared.federation.problems import EnrolmentRefused
from shared.federation.receiver import is_division_below
from shared.federation.registry import adopt, content_of, enter

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


class EnrolmentAnswer(BaseModel):
    """What the parent answers."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    code: str
    public_key: str
    registry: list[dict[str, Any]]


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


async def invite(
    session: AsyncSession, post: PostOffice, child: str, *, by: str, now: datetime
) -> Invitation:
    """Make a one-time code with which node ``child`` may join this one within :data:`CODE_LIFE`.

    Raises:
        EnrolmentRefused: if the child's division does not lie in this node's, or it is a city and this is HQ.
    """
    if (
        child == post.code
        or not is_division_below(child, post.code)
        or (post.code == "000000" and not child.endswith("0000"))
    ):
        raise EnrolmentRefused(
            child=child, here=post.code, why=f"{child} does not lie directly below {post.code}."
        )
    invitation = Invitation(secrets.token_urlsafe(SECRET_BYTES), post.key.public.fingerprint)
    await repository.add_enrolment_code(
        session, _hash(invitation.secret), child, expires_at=now + CODE_LIFE, by=by
    )
    return invitation


async def admit(
    session: AsyncSession, post: PostOffice, request: EnrolmentRequest, *, now: datetime
) -> EnrolmentAnswer:
    """Let a child in that asks with a good code; its signature over the request was checked with the key it sends.

    Raises:
        EnrolmentRefused: if the code is unknown, for another node, expired or used by another key (403).
    """

    def refused(why: str) -> EnrolmentRefused:
        return EnrolmentRefused(child=request.code, here=post.code, why=why)

    code = await repository.enrolment_code(session, _hash(request.secret))
    if code is None or code.child != request.code:
        raise refused("the one-time code is not known for this node.")
    peer = await repository.peer(session, request.code)
    if code.used_at is not None and (peer is None or peer.public_key != request.public_key):
        raise refused("the one-time code has been used.")
    if code.used_at is None and code.expires_at <= now:
        raise refused(
            f"the one-time code expired at {code.expires_at.isoformat(timespec='seconds')}."
        )
    if peer is not None and peer.public_key != request.public_key:
        raise refused("it has joined before with another key.")
    await repository.lock_registry(session)
    if peer is None:
        await _know_myself(session, post, now=now)
        await repository.add_peer(
            session, _peer(request.code, Relation.CHILD, request.public_key, None, now)
        )
    code.used_at = code.used_at or now
    await enter(
        session, post, code=request.code, parent=post.code, public_key=request.public_key, now=now
    )
    entries = [content_of(entry) for entry in await repository.registry(session)]
    return EnrolmentAnswer(code=post.code, public_key=post.key.public.to_text(), registry=entries)


async def _know_myself(session: AsyncSession, post: PostOffice, *, now: datetime) -> None:
    """HQ has nobody to enter it: it does so itself before it lets the first child in."""
    if post.code == "000000" and not await repository.registry_entries(session, [post.code]):
        await enter(
            session,
            post,
            code=post.code,
            parent=None,
            public_key=post.key.public.to_text(),
            now=now,
        )


async def join(
    session: AsyncSession,
    invitation: Invitation,
    answer: EnrolmentAnswer,
    *,
    here: str,
    url: str,
    now: datetime,
) -> None:
    """Take the parent's answer: know it, its registry, and send what has waited for it.

    Raises:
        InvitationInvalid: if the parent's key is not the one that the code's fingerprint names, or another parent
            was joined before.
    """
    key = PublicKey.from_text(answer.public_key)
    if key.fingerprint != invitation.fingerprint:
        raise InvitationInvalid(
            f"The node at {url} has a key with fingerprint {key.fingerprint}, but the one-time code is of {invitation.fingerprint}. "
            "Either the address is another node's or somebody stands in between: nothing was changed."
        )
    if not is_division_below(here, answer.code):
        raise InvitationInvalid(
            f"Node {answer.code} at {url} is not above {here}: nothing was changed."
        )
    present = await repository.parent(session)
    if present is not None and present.code != answer.code:
        raise InvitationInvalid(
            f"This node has joined {present.code}; it cannot join {answer.code} as well."
        )
    for entry in answer.registry:
        await adopt(session, entry, trusted=True)
    if present is not None:
        present.url = url
        return
    await repository.add_peer(
        session, _peer(answer.code, Relation.PARENT, answer.public_key, url, now)
    )


def _peer(code: str, relation: Relation, public_key: str, url: str | None, now: datetime) -> Peer:
    return Peer(
        code=code,
        relation=relation,
        status=PeerStatus.ACTIVE,
        public_key=public_key,
        url=url,
        enrolled_at=now,
        failures=0,
    )
