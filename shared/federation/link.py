"""The wire to the parent: one signed request, one verified answer, and how it may fail.

Every failure is a :class:`LinkDown`; its kinds tell the dialler what to do about it. The parent's clock is the one that
counts: a child whose own clock is off by more than signatures allow asks its parent for the time, signs by that, and
says so, instead of being cut off.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import orjson
import structlog
from pydantic import BaseModel

from shared.federation import exchange, rotation
from shared.federation import signature as signing
from shared.federation.exchange import Body, ClockAnswer
from shared.federation.keys import PublicKey
from shared.federation.post import PostOffice
from shared.federation.problems import LaneDiverged, LaneStopped, SequenceGap
from shared.federation.signature import HttpRequest, HttpResponse
from shared.federation.telemetry import Telemetry, carry_trace
from shared.kernel.clock import Clock
from shared.kernel.database import Database

log = structlog.get_logger("federation.link")

Answer = TypeVar("Answer", bound=BaseModel)

CLOCK_REFUSALS = (signing.TimestampStale.reason, signing.TimestampFuture.reason)
LONGEST_PAUSE = 300.0
"""So many seconds a parent that is busy may ask for at most."""


class LinkDown(Exception):
    """The parent could not be reached, or did not answer as the protocol says; the message says what happened.

    Attributes:
        problem: the type of the problem that it answered, if it did.
    """

    def __init__(self, message: str, problem: str = "") -> None:
        super().__init__(message)
        self.problem = problem


class ParentAway(LinkDown):
    """Nobody can be connected to at the parent's address."""


class ParentBusy(LinkDown):
    """The parent asks to be called again later."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class LanesDisagree(LinkDown):
    """The parent's history of a lane is another: the two have to reconcile."""


class LaneStands(LinkDown):
    """A lane waits for an operator, here or there."""


class NotServed(LinkDown):
    """The parent does not know this exchange: it runs a release that came before it."""


class ClockRefused(LinkDown):
    """The parent does not take a signature made at this node's time."""


@dataclass(frozen=True, slots=True)
class Callee:
    """Whom a request is for: its address, its code unless that is still to be learnt, and where its keys come from."""

    url: str
    code: str | None
    keys_for: Callable[[bytes], tuple[str, Sequence[PublicKey]]]
    key_known: str | None = None

    @property
    def header(self) -> dict[str, str]:
        """The headers that name it, and the newest of its keys that this node knows."""
        key = {exchange.RECEIVER_KEY_HEADER: self.key_known} if self.key_known else {}
        return ({exchange.RECEIVER_HEADER: self.code} if self.code else {}) | key


class Link:
    """Carries one node's signed requests.

    Args:
        post, database, clock: the node's.
        timeout: seconds that an exchange may take.
        telemetry: what it is observed by.
        transport: how HTTP is carried; the network without it.
    """

    def __init__(
        self,
        *,
        post: PostOffice,
        database: Database,
        clock: Clock,
        timeout: float,
        telemetry: Telemetry | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._telemetry = telemetry or Telemetry()
        self._post = post
        self._database = database
        self._clock = clock
        self._timeout = timeout
        self._client = httpx.AsyncClient(
            transport=transport,
            timeout=timeout,
            trust_env=False,
            event_hooks={"request": [carry_trace]},
        )
        self.offset = timedelta()
        """How far the parent's clock is ahead of this node's, where that matters."""

    async def close(self) -> None:
        """Hang up."""
        await self._client.aclose()

    async def call(
        self, callee: Callee, path: str, body: Body, kind: type[Answer], *, wait: float = 0
    ) -> Answer:
        """Send one signed request and return its verified answer; once more, if the clocks had to be compared.

        Raises:
            LinkDown: in one of its kinds.
        """
        with self._telemetry.exchange(path):
            try:
                return await self._call(callee, path, body, kind, wait=wait)
            except ClockRefused:
                await self._compare_clocks(callee)
                return await self._call(callee, path, body, kind, wait=wait)

    async def _call(
        self, callee: Callee, path: str, body: Body, kind: type[Answer], *, wait: float
    ) -> Answer:
        response = await self._ask(callee, path, body, wait=wait)
        return self._believe(callee, response, kind, now=self._now())

    async def _compare_clocks(self, callee: Callee) -> None:
        """Learn what time it is at the parent.

        Its answer is bound to this very question by what it signs, so its own word for the time is enough to judge it.
        """
        response = await self._ask(callee, "/clock", exchange.body_of({}))
        there = _said_at(response)
        answer = self._believe(callee, response, ClockAnswer, now=there)
        self.offset = answer.now - self._clock.now()
        log.error(
            "this node's clock and its parent's differ; the parent's is used on the link",
            parent_ahead_seconds=round(self.offset.total_seconds(), 1),
        )

    def _now(self) -> datetime:
        return self._clock.now() + self.offset

    def _believe(
        self, callee: Callee, response: HttpResponse, kind: type[Answer], *, now: datetime
    ) -> Answer:
        try:
            sender, keys = callee.keys_for(response.body)
            signing.verify_response(
                lambda code: keys if code == sender else None, response, now=now
            )
            return exchange.read(kind, response.body)
        except (signing.SignatureRefused, exchange.BodyMalformed, ValueError) as error:
            raise LinkDown(f"{callee.url} answered, but not as a parent does: {error}") from None

    async def _ask(self, callee: Callee, path: str, body: Body, *, wait: float = 0) -> HttpResponse:
        target = f"{callee.url}{exchange.BASE_PATH}{path}"
        unsigned = HttpRequest(
            "POST", urlsplit(target).path, "", {**body.headers, **callee.header}, body.content
        )
        key = self._post.keys.calling
        request = signing.sign_request(
            key, self._post.code, unsigned, now=self._now(), nonce=uuid4().hex
        )
        response = await self._carry(target, request, wait=wait)
        if response.status_code != httpx.codes.OK:
            refusal = _refusal(target, response)
            if response.status_code == httpx.codes.UNAUTHORIZED:
                await rotation.refused(self._database, self._post, key, str(refusal))
            raise refusal
        return response

    async def _carry(self, target: str, request: HttpRequest, *, wait: float) -> HttpResponse:
        """Send ``request`` and return the answer as it is on the wire: what is signed is what is compressed."""
        raw = bytearray()
        try:
            async with self._client.stream(
                request.method,
                target,
                content=request.body,
                headers=dict(request.headers),
                timeout=self._timeout + wait,
            ) as response:
                async for chunk in response.aiter_raw():
                    raw += chunk
                    if len(raw) > exchange.MAX_COMPRESSED:
                        raise LinkDown(
                            f"{target} answers with more than {exchange.MAX_COMPRESSED} bytes."
                        )
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise ParentAway(f"{target}: {type(error).__name__}: {error}") from error
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise LinkDown(
                f"{target}: {type(error).__name__}: {str(error) or 'no answer'}"
            ) from error
        return HttpResponse(request, response.status_code, dict(response.headers), bytes(raw))


def _refusal(target: str, response: HttpResponse) -> LinkDown:
    """Return what a refusal means to the dialler."""
    problem = _problem(response.body)
    said = f"{target} answered {response.status_code}: {problem.get('detail') or problem}"
    type_ = problem.get("type")
    if response.status_code == httpx.codes.NOT_FOUND:
        return NotServed(said)
    if type_ in {SequenceGap.type_uri(), LaneDiverged.type_uri()}:
        return LanesDisagree(said)
    if type_ == LaneStopped.type_uri():
        return LaneStands(said)
    if response.status_code in {httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE}:
        return ParentBusy(said, _retry_after(response.headers))
    if str(problem.get("detail")).startswith(CLOCK_REFUSALS):
        return ClockRefused(said)
    return LinkDown(said, str(type_ or ""))


def _problem(body: bytes) -> dict[str, object]:
    try:
        problem = orjson.loads(body)
    except orjson.JSONDecodeError:
        problem = None
    return problem if isinstance(problem, dict) else {"detail": body[:200].decode(errors="replace")}


def _retry_after(headers: Mapping[str, str]) -> float:
    try:
        return min(max(float(headers.get("retry-after", "1")), 0.1), LONGEST_PAUSE)
    except ValueError:
        return 1.0


def _said_at(response: HttpResponse) -> datetime:
    """Return when an answer claims to have been signed."""
    try:
        return signing.claimed_time(response.headers)
    except signing.SignatureRefused as error:
        raise LinkDown(f"The parent's answer about the time is not signed: {error}") from None
