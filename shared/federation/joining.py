"""The child's side of an enrolment (:mod:`~shared.federation.enrolment`): what it asks with, and taking the answer."""

from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation import membership, repository, rotation
from shared.federation.enrolment import EnrolmentAnswer, Invitation, InvitationInvalid, new_peer
from shared.federation.keys import PublicKey
from shared.federation.models import PeerStatus, RegistryEntry, Relation
from shared.federation.post import PostOffice
from shared.federation.registry import adopt
from shared.federation.tree import is_division_below


async def request_to(
    session: AsyncSession, post: PostOffice, invitation: Invitation, *, moving: bool
) -> dict[str, Any]:
    """Return what this node asks its parent with.

    Raises:
        InvitationInvalid: if it is to move, and does not know itself or the new parent.
    """
    request = {
        "code": post.code,
        "public_key": post.key.public.to_text(),
        "secret": invitation.secret,
    }
    if not moving:
        return request
    own = await repository.entry(session, post.code)
    entries = await repository.registry(session)
    new = next((entry for entry in entries if _has_key(entry, invitation.fingerprint)), None)
    if own is None or new is None:
        raise InvitationInvalid(
            f"The registry of {post.code} knows no node whose key is {invitation.fingerprint}, so it cannot agree to move there. "
            "Wait for the registry, or ask for a one-time code of another node."
        )
    return {**request, "consent": membership.consent_to_move(post, own, new.code)}


def _has_key(entry: RegistryEntry, fingerprint: str) -> bool:
    keys = (PublicKey.from_text(str(key["public_key"])) for key in entry.all_keys())
    return any(key.fingerprint == fingerprint for key in keys)


async def join(
    session: AsyncSession,
    post: PostOffice,
    invitation: Invitation,
    answer: EnrolmentAnswer,
    *,
    url: str,
    moving: bool,
    now: datetime,
) -> None:
    """Take the parent's answer: know it, its registry, and send what has waited for it.

    Raises:
        InvitationInvalid: if the parent's key is not the one that the code's fingerprint names, or another parent
            was joined before and this node does not move.
    """
    key = PublicKey.from_text(answer.public_key)
    if key.fingerprint != invitation.fingerprint:
        raise InvitationInvalid(
            f"The node at {url} has a key with fingerprint {key.fingerprint}, but the one-time code is of {invitation.fingerprint}. "
            "Either the address is another node's or somebody stands in between: nothing was changed."
        )
    if not moving and not is_division_below(post.code, answer.code):
        raise InvitationInvalid(
            f"Node {answer.code} at {url} is not above {post.code}: nothing was changed."
        )
    before = [p.code for p in await repository.parents(session) if p.code != answer.code]
    if before and not moving:
        raise InvitationInvalid(
            f"This node has joined {before[0]}; it cannot join {answer.code} as well. If it shall leave {before[0]}, it moves: `--move`."
        )
    for entry in answer.registry:
        await adopt(session, post.code, entry, trusted=True)
    present = await repository.peer(session, answer.code)
    is_active = present is not None and present.status == PeerStatus.ACTIVE
    if present is not None and is_active and present.enrolled_at == answer.admitted_at:
        present.url = url
        return
    if answer.anew:
        await repository.end_lanes(session, answer.code)
    enrolled_at = answer.admitted_at or now
    await repository.add_peer(
        session, new_peer(answer.code, Relation.PARENT, answer.public_key, url, enrolled_at)
    )
    for code in before:
        await repository.close_peer(session, code)
    # A node that comes back with a new key has messages of its old one waiting.
    await rotation.resign(session, post, post.key)
