"""How a node's identity stands, and the work by the clock that keeps it: rotation, drained links, HQ's daily word.

What is wrong is said in sentences, by a job to the log and by `guanxi status` and `guanxi federation keys` to people.
Nothing here stops anything.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from shared.capability import Daily, Every, Job, NodeContext
from shared.federation import freshness, membership, redirection, repository, rotation
from shared.federation.keys import PublicKey
from shared.federation.models import NodeStatus, Peer, RegistryEntry, RegistryWord
from shared.federation.rotation import Rotation, Stage
from shared.kernel.language import Text
from shared.kernel.settings import HQ_CODE, Settings

log = structlog.get_logger("node.identity")


@dataclass(frozen=True, slots=True)
class Standing:
    """How a node's identity and registry stand.

    Attributes:
        fingerprint: of the key that signs.
        rotation: where its rotation is.
        registry_as_of: of when HQ's last word on the registry is.
        registry_matches: whether the registry came to what HQ said.
        warnings: what an operator should know, in sentences.
    """

    fingerprint: str
    rotation: Rotation
    registry_as_of: datetime | None
    registry_matches: bool | None
    warnings: tuple[str, ...]


async def standing(context: NodeContext) -> Standing:
    """Return how the identity of the node of ``context`` stands at this moment."""
    now, post, settings = context.clock.now(), context.post, context.settings
    async with context.database.transaction() as session:
        own = await repository.entry(session, post.code)
        peers = list(await repository.peers(session))
        word = await repository.last_word(session)
    rotating = rotation.rotation_of(post.keys, own, settle=rotation.settle_of(settings), now=now)
    entries = [entry for entry in (own, *(peer.entry for peer in peers)) if entry is not None]
    return Standing(
        fingerprint=post.key.public.fingerprint,
        rotation=rotating,
        registry_as_of=word.as_of if word else None,
        registry_matches=word.matches if word else None,
        warnings=(
            *_of_keys(entries, settings, now=now),
            *_of_rotation(rotating, now=now),
            *_of_registry(word, peers, settings, now=now),
        ),
    )


def _of_keys(entries: list[RegistryEntry], settings: Settings, *, now: datetime) -> list[str]:
    soon = timedelta(days=settings.key_warning_days)
    said = []
    for entry in entries:
        expires_at = _expiry(entry)
        if entry.status == NodeStatus.ACTIVE and expires_at and expires_at - soon <= now:
            when = "expired" if expires_at <= now else "expires"
            said.append(
                f"The key of node {entry.code} {when} on {expires_at:%Y-%m-%d}. Everything goes on; "
                f"rotate it: `guanxi node rotate-key --node {entry.code}`."
            )
        elif entry.status != NodeStatus.ACTIVE:
            said.append(f"Node {entry.code} is {entry.status}: {entry.reason}")
    return said


def _expiry(entry: RegistryEntry) -> datetime | None:
    written = entry.all_keys()[-1]["expires_at"]
    return datetime.fromisoformat(written) if written else None


def _of_rotation(rotating: Rotation, *, now: datetime) -> list[str]:
    if rotating.stage is Stage.MADE:
        return ["The next key is announced; HQ has not published it yet."]
    if rotating.stage is Stage.PUBLISHED and rotating.until and rotating.until <= now:
        return ["The next key is published and should sign by now; the running node changes over."]
    return []


def _of_registry(
    word: RegistryWord | None, peers: list[Peer], settings: Settings, *, now: datetime
) -> list[str]:
    if not peers:
        return []
    since = word.as_of if word else min(peer.enrolled_at for peer in peers)
    if since + timedelta(days=settings.registry_stale_days) <= now:
        said = (
            f"HQ's last word on the registry is of {since:%Y-%m-%d %H:%M} UTC, so the registry may be old. "
            "Everything goes on between nodes that know each other; see whether the link to the parent is up."
        )
        return [said]
    if word and not word.matches:
        return ["The registry differed from HQ's at its last word; it was asked for again."]
    return []


async def keys_known(context: NodeContext) -> list[dict[str, Any]]:
    """Return the nodes of the registry, each key on a line of its own, for an operator to see."""
    now = context.clock.now()
    async with context.database.transaction() as session:
        entries = await repository.registry(session)
    return [
        {
            "node": entry.code,
            "parent": entry.parent,
            "status": entry.status,
            "reason": entry.reason,
            "fingerprint": _fingerprint(str(key["public_key"])),
            "valid_from": key["valid_from"],
            "expires_at": key["expires_at"],
            "accepted": _fingerprint(str(key["public_key"]))
            in {accepted.fingerprint for accepted in entry.keys_at(now)},
            "confirmed": entry.is_confirmed,
            "version": entry.version,
        }
        for entry in entries
        for key in entry.all_keys()
    ]


def _fingerprint(public_key: str) -> str:
    return PublicKey.from_text(public_key).fingerprint


# By the clock


async def _keep_identity(context: NodeContext, now: datetime) -> None:
    await rotation.step(context.database, context.post, context.settings, now=now)
    async with context.database.transaction() as session:
        quiet = rotation.settle_of(context.settings)
        await membership.close_drained(session, context.post, quiet=quiet, now=now)
        await membership.route_what_is_stranded(session)
        await redirection.redirect_waiting(session, context.post, now=now)


async def _say_registry(context: NodeContext, now: datetime) -> None:
    if context.settings.code == HQ_CODE:
        async with context.database.transaction() as session:
            await freshness.say(session, context.post, now=now)


async def _warn(context: NodeContext, now: datetime) -> None:  # noqa: ARG001 - the signature of a job
    for warning in (await standing(context)).warnings:
        log.warning(warning)


JOBS = (
    Job(
        "identity",
        Text(
            "Rotate the node's key step by step, close the links of retired nodes, and redirect what is for moved ones",
            "逐步轮换节点密钥，关闭已退役节点的链路，转投已迁移节点的消息",
        ),
        Every(timedelta(minutes=5)),
        _keep_identity,
    ),
    Job(
        "registry-word",
        Text("HQ says what the registry comes to", "总部公布登记簿摘要"),
        Daily("05:00"),
        _say_registry,
    ),
    Job(
        "identity-warnings",
        Text("Warn of keys that expire and of an old registry", "密钥到期与登记簿过旧告警"),
        Daily("08:00"),
        _warn,
    ),
)
