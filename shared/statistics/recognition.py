"""Recognising a question that was answered before, so that asking again costs next to nothing.

Each worker remembers, for some time and within a bound, which answer a request had: its entity tag, and the answer
itself unless it is large. With it goes the *state* in which the question was answered: everything that an answer
depends on and that the request does not say. As long as the state is the same, so is the answer; one small statement
tells, before a word of the question is read.

The state is seen in the database and nowhere else: several workers need not tell one another anything. It is made of
numbers that only grow while the figures stay readable, each in the transaction that changes what it stands for:

- the *generation* and the number of changes noted in it (:class:`~shared.statistics.models.StatisticsGeneration`),
- how many cities have ever come and gone (:mod:`~shared.statistics.expectation`),
- how many policies have been published and withdrawn, for HQ defines indicators by one, and who this node's parent is,
- when the server was started and which table this is: a database that is restored has the numbers of another past.

Questions as of a moment are not remembered: what they look at is rolled off without a trace in these numbers.
"""

from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from fastapi import Request, Response
from fastapi.routing import APIRoute

from shared.access import Principal, require
from shared.kernel.clock import business_day
from shared.kernel.edge import database_of, now_of, settings_of
from shared.kernel.preconditions import holds
from shared.kernel.problems import language_of
from shared.statistics.asking import scope_of

MOST_ANSWERS = 1_000
MOST_BYTES = 16 * 2**20
"""Of the answers that one worker remembers."""
LARGEST = 2**20
"""Of a larger answer its entity tag alone is remembered."""

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
reader = require("statistics:read")
"""Whoever may ask."""


@dataclass(frozen=True, slots=True)
class Given:
    """An answer that was given.

    Attributes:
        state: in which.
        headers: what came with it.
        body: the answer itself; ``None`` if it is too large, or the asker had it already.
    """

    state: str
    headers: Mapping[str, str]
    body: bytes | None

    @classmethod
    def of(cls, response: Response, state: str) -> Self:
        """Take what is to be remembered of a response."""
        body = bytes(response.body)
        is_whole = response.status_code == _OK and len(body) <= LARGEST
        return cls(state, dict(response.headers), body if is_whole else None)

    @property
    def size(self) -> int:
        """How many bytes it is counted as."""
        return len(self.body or b"")

    def again(self, held: str | None) -> Response | None:
        """Return it, or that the asker has it; ``None`` if too little is known.

        Args:
            held: the ``If-None-Match`` header of an asker who may have it.
        """
        if held is not None and holds(held, self.headers["etag"]):
            return Response(
                status_code=_NOT_MODIFIED, headers={x: self.headers[x] for x in _OF_TAG}
            )
        return Response(self.body, headers=dict(self.headers)) if self.body is not None else None


@dataclass(slots=True)
class Answers:
    """What a worker remembers, the oldest forgotten first."""

    _given: OrderedDict[Hashable, Given] = field(default_factory=OrderedDict)
    _bytes: int = 0

    @classmethod
    def of(cls, request: Request) -> Self:
        """Return those of the node that serves ``request``."""
        state = request.app.state
        if not hasattr(state, "statistics_answers"):
            state.statistics_answers = cls()
        answers: Self = state.statistics_answers
        return answers

    def find(self, asked: Hashable) -> Given | None:
        """Return what was answered to a question, if it is remembered."""
        found = self._given.get(asked)
        if found is not None:
            self._given.move_to_end(asked)
        return found

    def keep(self, asked: Hashable, given: Given) -> None:
        """Remember an answer, and forget as much as there is no room for."""
        self.forget(asked)
        self._given[asked] = given
        self._bytes += given.size
        while len(self._given) > MOST_ANSWERS or self._bytes > MOST_BYTES:
            self._bytes -= self._given.popitem(last=False)[1].size

    def forget(self, asked: Hashable) -> None:
        """Forget what was answered to a question."""
        gone = self._given.pop(asked, None)
        self._bytes -= gone.size if gone is not None else 0

    def __len__(self) -> int:
        """How many there are."""
        return len(self._given)


class RecognisingRoute(APIRoute):
    """A route that asks its endpoint only for what is not remembered, or was answered in another state."""

    def get_route_handler(self) -> Handler:
        """Return what answers a request."""
        answer = super().get_route_handler()

        async def handle(request: Request) -> Response:
            principal = await reader(request)
            if _MOMENT in request.query_params:
                return await answer(request)
            answers, asked = Answers.of(request), _asked(request, principal)
            # Before the answer is made: if something changes meanwhile, it is remembered with a state that is over.
            state = await _state(request)
            given = answers.find(asked)
            if given is not None and given.state == state:
                known = given.again(request.headers.get("if-none-match"))
                if known is not None:
                    return known
            response = await answer(request)
            answers.keep(asked, Given.of(response, state))
            return response

        return handle


def _asked(request: Request, principal: Principal) -> Hashable:
    """Return all of a request that its answer depends on."""
    return (
        request.url.query,
        scope_of(principal, settings_of(request).code),
        language_of(request),
        request.headers.get("accept"),
        business_day(now_of(request)),
    )


async def _state(request: Request) -> str:
    pool = await database_of(request).pool()
    found: str = await pool.fetchval(_STATE, settings_of(request).code)
    return found


_OK, _NOT_MODIFIED = 200, 304
_OF_TAG = ("etag", "cache-control", "vary")
_MOMENT = "as_known_at"
_STATE = """
SELECT ROW(
    (SELECT number FROM statistics_generation), (SELECT count(*) FROM statistics_change),
    (SELECT ROW(count(*), count(until)) FROM statistics_enrolment),
    (SELECT count(*) FROM policy_version), (SELECT count(*) FROM policy_withdrawal),
    (SELECT parent FROM federation_registry WHERE code = $1),
    pg_postmaster_start_time(), 'statistics_slice'::regclass::oid)::text
"""
