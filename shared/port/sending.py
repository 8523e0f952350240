"""One attempt at a call: what goes over the wire, and what an answer means.

==================================  ===========================================================================
answer                              means
==================================  ===========================================================================
2xx in the operation's form         done
4xx with problem details            refused for good, but for the following
401, 403, 407                       the node is not let in: the port is in trouble until somebody mends that
429, 503                            the port is busy: nothing is sent to it for as long as it says
no connection                       the port is away: it is knocked at every few seconds
anything else, no answer in time    failed; whether it was done is not known, and the key makes asking again safe
==================================  ===========================================================================

A 409 is among the last: it says that the same call is still under way. A 4xx without problem details was not said by
the port but by something before it, or by something else at its address.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import orjson
from pydantic import ValidationError

from shared.federation.notices import speakable
from shared.federation.telemetry import carry_trace
from shared.kernel.backoff import LONGEST_BACKOFF
from shared.kernel.release import VERSION
from shared.kernel.settings import Settings
from shared.port.declaration import Form, Operation, Port, Refusal
from shared.port.service import address

MOST_BYTES = 65_536
"""No answer is longer."""
LONGEST_ASKED = 3600.0
"""So many seconds a port may ask to be left alone at most."""
LONGEST_AWAY = 10.0
"""What the pause grows to while nobody can be connected to: knocking costs a port nothing that is not there."""
PROBLEM = "application/problem+json"
_NOT_LET_IN = {401, 403, 407}
_BUSY = {429, 503}
_TRY_AGAIN = {408, 409, 425}


@dataclass(frozen=True, slots=True)
class Answered:
    """The port has done it."""

    answer: Form


@dataclass(frozen=True, slots=True)
class Declined:
    """The port refuses for good."""

    refusal: Refusal


@dataclass(frozen=True, slots=True)
class Failed:
    """Nothing is known but that it has to be tried again.

    Attributes:
        error: what happened, in a sentence.
        retry_after: seconds that the port asked for.
        longest: what the pause of the whole port grows to, if it is the port that is in trouble and not this call.
    """

    error: str
    retry_after: float | None = None
    longest: float | None = None


Outcome = Answered | Declined | Failed


class Sender:
    """Speaks to a node's ports.

    Args:
        settings: the node's.
        transport: how HTTP is carried; the network without it.
    """

    def __init__(
        self, settings: Settings, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._settings = settings
        self._transport = transport

    @cached_property
    def _client(self) -> httpx.AsyncClient:
        # Made at the first call: what it takes to trust an address is large, and many nodes have no port.
        return httpx.AsyncClient(
            transport=self._transport,
            timeout=None,  # noqa: S113 - each attempt as a whole has one
            trust_env=False,
            headers={
                "User-Agent": f"guanxi/{VERSION} ({self._settings.code})",
                "Accept": f"application/json, {PROBLEM}",
            },
            event_hooks={"request": [carry_trace]},
        )

    async def close(self) -> None:
        """Hang up."""
        if "_client" in self.__dict__:
            await self._client.aclose()

    async def send(
        self, operation: Operation[Any, Any], key: str, content: bytes, *, now: datetime
    ) -> Outcome:
        """Make one attempt, and tell what came of it."""
        port = operation.port
        try:
            async with asyncio.timeout(port.timeout):
                response, body = await self._post(operation, key, content)
        except TimeoutError:
            return Failed(f"No answer within {port.timeout:g} s.")
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            return Failed(f"Nobody can be connected to: {_said(error)}", longest=LONGEST_AWAY)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError) as error:
            return Failed(_said(error))
        return _meaning(operation, response, body, now)

    async def _post(
        self, operation: Operation[Any, Any], key: str, content: bytes
    ) -> tuple[httpx.Response, bytes]:
        url = f"{address(self._settings, operation.port)}{operation.path}"
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        if token := self._token(operation.port):
            headers["Authorization"] = f"Bearer {token}"
        raw = bytearray()
        async with self._client.stream("POST", url, content=content, headers=headers) as response:
            async for chunk in response.aiter_bytes():
                raw += chunk
                if len(raw) > MOST_BYTES:
                    raise httpx.DecodingError(f"The answer is longer than {MOST_BYTES} bytes.")
        return response, bytes(raw)

    def _token(self, port: Port) -> str | None:
        """Return the token for a port, read each time: a new one counts at once."""
        if self._settings.port_tokens is None:
            return None
        file = Path(self._settings.port_tokens) / port.name
        return file.read_text(encoding="ascii").strip() if file.is_file() else None


def _said(error: Exception) -> str:
    return speakable(f"{type(error).__name__}: {str(error) or 'no answer'}")


def _meaning(
    operation: Operation[Any, Any], response: httpx.Response, body: bytes, now: datetime
) -> Outcome:
    status = response.status_code
    pause = _retry_after(response, now)
    if response.is_success:
        try:
            return Answered(operation.answer.model_validate_json(body))
        except ValidationError as error:
            places = "; ".join(
                f"{'/'.join(map(str, each['loc']))}: {each['msg']}"
                for each in error.errors(include_input=False, include_url=False)
            )
            return Failed(speakable(f"Answered {status}, but not in the form agreed: {places}"))
    if status in _NOT_LET_IN:
        return Failed(f"Answered {status}: it does not let this node in.", longest=LONGEST_BACKOFF)
    if status in _BUSY:
        return Failed(f"Answered {status}: it is busy.", pause, LONGEST_BACKOFF)
    if (
        response.is_client_error
        and status not in _TRY_AGAIN
        and (refusal := _refusal(response, body))
    ):
        return Declined(refusal)
    return Failed(f"Answered {status}.", pause)


def _refusal(response: httpx.Response, body: bytes) -> Refusal | None:
    if response.headers.get("content-type", "").partition(";")[0].strip().lower() != PROBLEM:
        return None
    try:
        problem = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(problem, dict):
        return None
    type_, title, detail = (
        speakable(str(problem.get(name) or "")) for name in ("type", "title", "detail")
    )
    return Refusal(type_ or "about:blank", title or f"Refused ({response.status_code})", detail)


def _retry_after(response: httpx.Response, now: datetime) -> float | None:
    """Return for how many seconds an answer asks to be left alone (RFC 9110, 10.2.3)."""
    given = response.headers.get("retry-after")
    if given is None:
        return None
    try:
        seconds = float(given)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(given).replace(tzinfo=UTC) - now).total_seconds()
        except ValueError:
            return None
    return min(max(seconds, 0.0), LONGEST_ASKED) if seconds == seconds else None  # noqa: PLR0124 - not a number
