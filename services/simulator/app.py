"""The application of one simulated port."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Annotated, Any

from fastapi import FastAPI, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from services.simulator.behaviour import Behaviour, Refused, behaviour_of
from services.simulator.faults import Dice, Faults
from services.simulator.journal import Entry, Journal
from shared.kernel.clock import Clock, SystemClock
from shared.port.contracts import operations_of
from shared.port.declaration import Form, Operation, Port

PROBLEM = "application/problem+json"
HANG_SECONDS = 600.0
MOST_CALLS = 10_000
MOST_EFFECTS = 1_000

_ERROR = ("error", "Error", "It has failed.")

Pause = Callable[[float], Awaitable[None]]


class Seen(BaseModel):
    """A call that came, and what became of it.

    Attributes:
        key: its idempotency key.
        operation: what was asked.
        outcome: ``done``, ``repeated``, ``refused``, or the fault that it met; ``done, not answered`` if it was done
            and whoever asked was not told.
        content: what was asked in full.
    """

    key: str
    operation: str
    outcome: str
    content: dict[str, Any]


class Calls(BaseModel):
    """Calls in the order in which they came, and how many effects they had by key."""

    calls: list[Seen]
    effects: dict[str, int]


class Done(BaseModel):
    """What a call did.

    Attributes:
        number: its place among all effects, from 1.
        key: the idempotency key of the call.
        operation: what was done.
        content: what was asked in full.
    """

    number: int
    key: str
    operation: str
    content: dict[str, Any]


class Effects(BaseModel):
    """Effects in the order in which they happened, and after which one to ask for more; null at the end."""

    effects: list[Done]
    next: int | None


class Simulator:
    """One simulated system.

    Args:
        port: which.
        journal: what it has done so far, and where that is written.
        clock: where it reads the time.
        pause: how it waits, so that a test passes the time by itself.
        dice: what draws its faults.
    """

    def __init__(
        self,
        port: Port,
        journal: Journal | None = None,
        *,
        clock: Clock | None = None,
        pause: Pause = asyncio.sleep,
        dice: Dice | None = None,
    ) -> None:
        self.port = port
        self.faults = Faults()
        self.calls: list[Seen] = []
        self.journal = Journal() if journal is None else journal
        self._clock = clock or SystemClock()
        self._pause = pause
        self._dice = dice or Dice()
        self._hangs = 0
        self._operations = {each.name: each for each in operations_of(port)}
        self.behaviour: Behaviour = behaviour_of(port)
        self._known: dict[str, Entry] = {}
        for entry in self.journal:
            operation = self._operations[entry.operation]
            self.behaviour.do(operation.request.model_validate(entry.content))
            self._known.setdefault(entry.key, entry)
        self.app = self._application()

    def _application(self) -> FastAPI:
        app = FastAPI(
            title=f"Simulated port: {self.port.title.en} {self.port.title.zh}",
            summary=self.port.summary.en,
            docs_url="/docs",
            redoc_url=None,
        )
        for operation in self._operations.values():
            app.add_api_route(
                operation.path,
                self._endpoint(operation),
                methods=["POST"],
                summary=operation.summary.en,
                response_model=operation.answer,
                operation_id=operation.name,
            )
        app.add_api_route("/faults", self._read_faults, methods=["GET"], summary="Faults")
        app.add_api_route(
            "/faults", self._switch_faults, methods=["PUT"], summary="Switch faults on and off"
        )
        app.add_api_route(
            "/calls", self._list_calls, methods=["GET"], summary="What came, and what it did"
        )
        app.add_api_route(
            "/effects", self._list_effects, methods=["GET"], summary="What was done, in order"
        )
        app.add_exception_handler(RequestValidationError, _invalid)
        return app

    def _endpoint(self, operation: Operation[Any, Any]) -> Callable[..., Awaitable[Response]]:
        async def endpoint(
            content: Any, idempotency_key: Annotated[str | None, Header()] = None
        ) -> Response:
            if not idempotency_key:
                return problem(400, "key-missing", "Key missing", "`Idempotency-Key` is needed.")
            return await self._take(operation, idempotency_key, content)

        endpoint.__annotations__["content"] = operation.request
        return endpoint

    async def _take(self, operation: Operation[Any, Any], key: str, content: Form) -> Response:
        if self.faults.latency_ms:
            await self._pause(self.faults.latency_ms / 1000)
        hangs = self._dice.falls(self.faults.hang_rate)
        self._hangs += hangs
        hangs_before = hangs and self._hangs % 2 == 1
        outcome, response = (
            ("hung", problem(504, "hung", "Hung", "It took too long."))
            if hangs_before
            else self._fault() or self._carry_out(operation, key, content)
        )
        if outcome == "done" and self._dice.falls(self.faults.lost_answer_rate):
            outcome, response = "done, not answered", problem(500, *_ERROR)
        if outcome == "done" and hangs:
            outcome = "done, not answered"
        asked = content.model_dump(mode="json")
        self.calls.append(Seen(key=key, operation=operation.name, outcome=outcome, content=asked))
        del self.calls[:-MOST_CALLS]
        if hangs:
            await self._pause(HANG_SECONDS)
        return response

    def _fault(self) -> tuple[str, Response] | None:
        """Return the answer of a call that meets a fault before anything is done."""
        faults, falls = self.faults, self._dice.falls
        wait = {} if faults.retry_after is None else {"Retry-After": str(faults.retry_after)}
        if faults.down:
            return "down", problem(503, "down", "Down", "It is down.", wait)
        if falls(faults.busy_rate):
            return "busy", problem(429, "busy", "Busy", "Ask again later.", wait)
        if falls(faults.error_rate):
            return "error", problem(500, *_ERROR)
        return None

    def _carry_out(
        self, operation: Operation[Any, Any], key: str, content: Form
    ) -> tuple[str, Response]:
        """Do what is new, repeat the answer to what is not, refuse what cannot be done."""
        asked = content.model_dump(mode="json")
        known = self._known.get(key)
        if known is not None and not self.faults.forgets_keys:
            if (known.operation, known.content) != (operation.name, asked):
                words = ("key-reused", "Key reused", "The key was used for another call.")
                return "refused", problem(422, *words)
            return "repeated", JSONResponse(known.answer)
        if known is None:
            if self._dice.falls(self.faults.refusal_rate):
                return "refused", problem(422, "told-to", "Refused", "It was told to refuse.")
            try:
                self.behaviour.refuse(content)
            except Refused as refused:
                return "refused", problem(422, refused.slug, refused.title, refused.detail)
        return "done", JSONResponse(self._do(operation, key, content, asked))

    def _do(
        self, operation: Operation[Any, Any], key: str, content: Form, asked: dict[str, Any]
    ) -> dict[str, Any]:
        entry = Entry(key, operation.name, asked, self._answer(operation, content))
        self.journal.write(entry)
        self._known.setdefault(key, entry)
        self.behaviour.do(content)
        return entry.answer

    def _answer(self, operation: Operation[Any, Any], content: Form) -> dict[str, Any]:
        """Return an answer in the operation's form: a running number as reference, now as time, and the rest."""
        now = self._clock.now()
        values: dict[str, object] = dict.fromkeys(operation.answer.model_fields, now)
        if "reference" in values:
            values["reference"] = f"{self.port.name}-{len(self.journal) + 1:06d}"
        values |= self.behaviour.tell(content, now=now)
        answer: dict[str, Any] = operation.answer(**values).model_dump(mode="json")
        return answer

    async def _read_faults(self) -> Faults:
        """Show which faults are on."""
        return self.faults

    async def _switch_faults(self, faults: Faults) -> Faults:
        """Switch faults on; what is not named is off."""
        self.faults = faults
        return faults

    async def _list_calls(self, last: Annotated[int, Query(ge=0, le=MOST_CALLS)] = 1000) -> Calls:
        """List the last calls that came since the simulator was started, and every effect since its journal began."""
        effects: dict[str, int] = {}
        for entry in self.journal:
            effects[entry.key] = effects.get(entry.key, 0) + 1
        return Calls(calls=self.calls[-last:] if last else [], effects=effects)

    async def _list_effects(
        self,
        after: Annotated[int, Query(ge=0)] = 0,
        limit: Annotated[int, Query(ge=1, le=MOST_EFFECTS)] = 500,
    ) -> Effects:
        """List what was done since the journal began, with what was asked: from it follows how the world is."""
        entries = list(islice(self.journal, after, after + limit))
        done = [
            Done(number=number, key=each.key, operation=each.operation, content=each.content)
            for number, each in enumerate(entries, after + 1)
        ]
        reached = after + len(done)
        return Effects(effects=done, next=reached if reached < len(self.journal) else None)


def problem(
    status: int, slug: str, title: str, detail: str, headers: dict[str, str] | None = None
) -> Response:
    """Return problem details (RFC 9457)."""
    content = {
        "type": f"urn:guanxi:simulator:{slug}",
        "title": title,
        "status": status,
        "detail": detail,
    }
    return JSONResponse(content, status, headers, media_type=PROBLEM)


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - the registration guarantees it
    places = "; ".join(
        f"/{'/'.join(map(str, each['loc'][1:]))}: {each['msg']}" for each in error.errors()
    )
    return problem(422, "input-invalid", "Input invalid", f"Not in the form agreed: {places}.")
