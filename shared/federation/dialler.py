"""The child's side of a link: it dials its parent, pushes what it has and polls for what the parent has for it.

One batch is in flight per lane. What fails is tried again after a time that is kept with the peer: full jitter, from
a second doubling to five minutes, and cleared by the first answer. Exactly one process of a node dials at a time
(:mod:`shared.node.background` sees to that); were there two, the lanes' row locks and sequence numbers would still
keep every message single and in order.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import orjson
import structlog
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation import enrolment, exchange, mailbox, repository
from shared.federation import signature as signing
from shared.federation.enrolment import EnrolmentAnswer, Invitation
from shared.federation.exchange import Acknowledgement, PollAnswer
from shared.federation.keys import PublicKey
from shared.federation.models import Lane, Peer
from shared.federation.post import PostOffice
from shared.federation.receiver import Receiver
from shared.federation.signature import HttpRequest, HttpResponse
from shared.federation.wakeup import Wakeup
from shared.kernel.clock import Clock
from shared.kernel.database import Database
from shared.kernel.settings import Settings

log = structlog.get_logger("federation.dialler")

SHORTEST_BACKOFF = 1.0
LONGEST_BACKOFF = 300.0
IDLE_SECONDS = 60.0
"""How often a lane looks without being woken, should a notification ever be lost."""

Answer = TypeVar("Answer", bound=BaseModel)


def backoff(failures: int, chance: float) -> float:
    """Return how many seconds to wait after so many failures in a row: full jitter over a doubling range.

    Args:
        failures: how many exchanges failed before this one.
        chance: a number from 0 to 1, drawn anew each time, so that those who failed together do not return together.
    """
    longest = min(LONGEST_BACKOFF, SHORTEST_BACKOFF * 2.0 ** min(failures, 30))
    return max(longest * chance, SHORTEST_BACKOFF / 4)


class LinkDown(Exception):
    """The parent could not be reached, or did not answer as the protocol says; the message says what happened."""


class NotEnrolled(Exception):
    """The node has no parent yet."""


@dataclass(frozen=True, slots=True)
class _Callee:
    """Whom a request is for: its address, its code unless it is still to be learnt, and where its key comes from."""

    url: str
    code: str | None
    key_for: Callable[[bytes], tuple[str, PublicKey]]

    @property
    def header(self) -> dict[str, str]:
        """The header that names it."""
        return {exchange.RECEIVER_HEADER: self.code} if self.code else {}


def _key_in_answer(body: bytes) -> tuple[str, PublicKey]:
    """Return the code and key that a new parent gives; the fingerprint in the one-time code vouches for them."""
    answer = exchange.read(EnrolmentAnswer, body)
    return answer.code, PublicKey.from_text(answer.public_key)


class Dialler:
    """One node's way to its parent.

    Args:
        settings, post, database, clock: the node's.
        receiver: takes in what the parent sends.
        wakeup: tells when there is something to push.
        transport: how HTTP is carried; the network without it.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        post: PostOffice,
        database: Database,
        clock: Clock,
        receiver: Receiver,
        wakeup: Wakeup,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._settings = settings
        self._post = post
        self._database = database
        self._clock = clock
        self._receiver = receiver
        self._wakeup = wakeup
        self._client = httpx.AsyncClient(
            transport=transport, timeout=settings.exchange_timeout_seconds, trust_env=False
        )

    async def close(self) -> None:
        """Hang up."""
        await self._client.aclose()

    async def enrol(self, url: str, invitation: Invitation) -> str:
        """Join the parent at ``url`` with a one-time code; returns the parent's code.

        Raises:
            LinkDown: if the parent cannot be reached or refuses.
            enrolment.InvitationInvalid: if it is not the parent that the code came from.
        """
        request = {
            "code": self._post.code,
            "public_key": self._post.key.public.to_text(),
            "secret": invitation.secret,
        }
        parent = _Callee(url.rstrip("/"), None, _key_in_answer)
        answer = await self._exchange(parent, "/enrolments", request, EnrolmentAnswer)
        async with self._database.transaction() as session:
            await enrolment.join(
                session,
                invitation,
                answer,
                here=self._post.code,
                url=url.rstrip("/"),
                now=self._clock.now(),
            )
        return answer.code

    async def push(self, lane: Lane) -> int:
        """Send the next batch of a lane; returns how many messages the parent has newly acknowledged.

        Raises:
            LinkDown: if the parent cannot be reached or refuses.
            NotEnrolled: if there is no parent yet.
        """
        async with self._database.transaction() as session:
            parent = await self._parent(session)
            batch = await mailbox.number_next(
                session,
                parent.code,
                lane,
                most=exchange.BATCH_MESSAGES,
                most_bytes=exchange.BATCH_BYTES,
            )
        if batch is None:
            return 0
        path = f"/lanes/{lane.value}/batches"
        content = exchange.batch_content(batch)
        answer = await self._exchange(self._callee(parent), path, content, Acknowledgement)
        async with self._database.transaction() as session:
            await repository.note_contact(session, parent.code, now=self._clock.now())
            return await mailbox.acknowledge(
                session, parent.code, lane, answer.received, now=self._clock.now()
            )

    async def poll(self, wait: float) -> int:
        """Ask the parent for what it has, waiting up to ``wait`` seconds; returns how many messages came.

        Raises:
            LinkDown: if the parent cannot be reached or refuses.
            NotEnrolled: if there is no parent yet.
        """
        async with self._database.transaction() as session:
            parent = await self._parent(session)
            received = await mailbox.cursors(session, parent.code)
        request = {"received": received, "wait": wait}
        answer = await self._exchange(self._callee(parent), "/poll", request, PollAnswer, wait=wait)
        now = self._clock.now()
        for batch in answer.batches:
            async with self._database.transaction() as session:
                await self._receiver.receive(session, parent, batch, now=now)
        async with self._database.transaction() as session:
            await repository.note_contact(session, parent.code, now=now)
        return sum(len(batch.messages) for batch in answer.batches)

    async def run(self) -> None:
        """Dial until cancelled: every lane and the poll each on its own, so that none waits for another."""
        async with asyncio.TaskGroup() as tasks:
            for lane in Lane:
                tasks.create_task(self._keep_pushing(lane))
            tasks.create_task(self._keep_polling())

    async def _keep_pushing(self, lane: Lane) -> None:
        with self._wakeup.watch("") as watch:
            while True:
                sent = await self._attempt(lambda: self.push(lane))
                if sent is None:
                    await watch.wait(await self._until_retry())
                elif sent == 0:
                    await watch.wait(IDLE_SECONDS)

    async def _keep_polling(self) -> None:
        with self._wakeup.watch("") as watch:
            while True:
                if await self._attempt(lambda: self.poll(self._settings.poll_seconds)) is None:
                    await watch.wait(await self._until_retry())

    async def _attempt(self, act: Callable[[], Awaitable[int]]) -> int | None:
        """Try once; ``None`` if there is nothing to do but wait."""
        try:
            if (await self._seconds_to_retry()) > 0:
                return None
            return await act()
        except NotEnrolled:
            return None
        except LinkDown as error:
            await self._note_failure(str(error))
            return None
        except Exception:
            log.exception("the link to the parent failed for an unexpected reason")
            await asyncio.sleep(SHORTEST_BACKOFF)
            return None

    async def _until_retry(self) -> float:
        return (
            max(await self._seconds_to_retry(), 0.05) if await self._has_parent() else IDLE_SECONDS
        )

    async def _has_parent(self) -> bool:
        async with self._database.transaction() as session:
            return await repository.parent(session) is not None

    async def _seconds_to_retry(self) -> float:
        async with self._database.transaction() as session:
            parent = await repository.parent(session)
        if parent is None or parent.retry_at is None:
            return 0.0
        return (parent.retry_at - self._clock.now()).total_seconds()

    async def _note_failure(self, error: str) -> None:
        """Keep the failure with the peer, once for all tasks that meet it at the same time."""
        now = self._clock.now()
        async with self._database.transaction() as session:
            parent = await repository.parent(session)
            if parent is None or (parent.retry_at is not None and parent.retry_at > now):
                return
            retry_at = now + timedelta(seconds=backoff(parent.failures, random.random()))  # noqa: S311 - jitter is no secret
            await repository.note_failure(session, parent.code, error=error, retry_at=retry_at)
        log.warning(
            "the parent cannot be reached",
            error=error,
            retry_at=retry_at.isoformat(timespec="seconds"),
        )

    async def _parent(self, session: AsyncSession) -> Peer:
        parent = await repository.parent(session)
        if parent is None:
            raise NotEnrolled(
                f"Node {self._post.code} has not joined a parent yet: `guanxi node enrol`."
            )
        return parent

    def _callee(self, parent: Peer) -> "_Callee":
        key = PublicKey.from_text(parent.public_key)
        url = self._settings.parent_url or parent.url or ""
        return _Callee(url, parent.code, lambda _: (parent.code, key))

    async def _exchange(
        self,
        callee: "_Callee",
        path: str,
        content: object,
        kind: type[Answer],
        *,
        wait: float = 0,
    ) -> Answer:
        """Send one signed request and return its verified answer."""
        target = f"{callee.url}{exchange.BASE_PATH}{path}"
        body = exchange.body_of(content)
        unsigned = HttpRequest(
            "POST", urlsplit(target).path, "", {**body.headers, **callee.header}, body.content
        )
        request = signing.sign_request(
            self._post.key, self._post.code, unsigned, now=self._clock.now(), nonce=uuid4().hex
        )
        response = await self._carry(target, request, wait=wait)
        if response.status_code != httpx.codes.OK:
            raise LinkDown(f"{target} answered {response.status_code}: {_detail(response.body)}")
        try:
            sender, key = callee.key_for(response.body)
            signing.verify_response(
                lambda code: key if code == sender else None, response, now=self._clock.now()
            )
            return exchange.read(kind, response.body)
        except (signing.SignatureRefused, exchange.BodyMalformed, ValueError) as error:
            raise LinkDown(f"{target} answered, but not as a parent does: {error}") from None

    async def _carry(self, target: str, request: HttpRequest, *, wait: float) -> HttpResponse:
        """Send ``request`` and return the answer as it is on the wire: what is signed is what is compressed."""
        timeout = self._settings.exchange_timeout_seconds + wait
        raw = bytearray()
        try:
            async with self._client.stream(
                request.method,
                target,
                content=request.body,
                headers=dict(request.headers),
                timeout=timeout,
            ) as response:
                async for chunk in response.aiter_raw():
                    raw += chunk
                    if len(raw) > exchange.MAX_COMPRESSED:
                        raise LinkDown(
                            f"{target} answers with more than {exchange.MAX_COMPRESSED} bytes."
                        )
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise LinkDown(
                f"{target}: {type(error).__name__}: {str(error) or 'no answer'}"
            ) from error
        return HttpResponse(request, response.status_code, dict(response.headers), bytes(raw))


def _detail(body: bytes) -> str:
    try:
        problem = orjson.loads(body)
        return str(problem.get("detail", problem))
    except (orjson.JSONDecodeError, AttributeError):
        return body[:200].decode(errors="replace")
