"""What a port's answer means, and when it is asked again."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx

from shared.kernel.settings import Settings
from shared.port.contracts import sms
from shared.port.sending import LONGEST_ASKED, MOST_BYTES, Answered, Declined, Failed, Sender
from tests.port.outside import NOON

URL = "http://sms.example/messages"
PROBLEM = {"Content-Type": "application/problem+json; charset=utf-8"}
REFUSAL = (
    b'{"type": "urn:x:number-unknown", "title": "Number unknown", "detail": "No such number."}'
)
ACCEPTED = {"reference": "M-1", "accepted_at": "2026-11-23T04:00:00Z", "more": "in a later release"}


def settings(**given: Any) -> Settings:
    return Settings(code="440300", port_sms_url="http://sms.example", **given)


async def answer_to(
    given: respx.MockResponse | httpx.Response | Exception | type[Exception],
) -> Any:
    sender = Sender(settings())
    with respx.mock as router:
        route = router.post(URL)
        if isinstance(given, httpx.Response):
            route.respond(given.status_code, headers=dict(given.headers), content=given.content)
        else:
            route.side_effect = given
        outcome = await sender.send(sms.SEND, "key-1", b'{"to": "1"}', now=NOON)
    await sender.close()
    return outcome


async def test_what_is_sent_has_its_key_its_token_and_nothing_in_the_path(tmp_path: Path) -> None:
    (tmp_path / "sms").write_text("secret-token\n")
    sender = Sender(settings(port_tokens=tmp_path))
    with respx.mock as router:
        route = router.post(URL).respond(200, json=ACCEPTED)
        await sender.send(sms.SEND, "key-1", b'{"to": "1"}', now=NOON)
        (tmp_path / "sms").write_text("next-token\n")
        await sender.send(sms.SEND, "key-1", b'{"to": "1"}', now=NOON)
        (tmp_path / "sms").unlink()
        await sender.send(sms.SEND, "key-1", b'{"to": "1"}', now=NOON)
    await sender.close()
    first, second, third = (call.request for call in route.calls)
    assert first.headers["Idempotency-Key"] == "key-1"
    assert first.content == second.content == b'{"to": "1"}'
    assert first.headers["Authorization"] == "Bearer secret-token"
    assert second.headers["Authorization"] == "Bearer next-token"
    assert "Authorization" not in third.headers


async def test_a_success_in_the_form_agreed_is_done_and_more_is_passed_over() -> None:
    outcome = await answer_to(httpx.Response(201, json=ACCEPTED))
    assert isinstance(outcome, Answered)
    assert outcome.answer.model_dump(mode="json") == {
        "reference": "M-1",
        "accepted_at": "2026-11-23T04:00:00Z",
    }


@pytest.mark.parametrize("status", [400, 404, 410, 422])
async def test_a_problem_document_is_a_refusal_for_good(status: int) -> None:
    outcome = await answer_to(httpx.Response(status, headers=PROBLEM, content=REFUSAL))
    assert isinstance(outcome, Declined)
    assert (outcome.refusal.type, outcome.refusal.title) == (
        "urn:x:number-unknown",
        "Number unknown",
    )


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(404, content=b"<html>not here</html>"),
        httpx.Response(422, headers=PROBLEM, content=b"no json"),
        httpx.Response(422, headers=PROBLEM, content=b"[]"),
        httpx.Response(409, headers=PROBLEM, content=REFUSAL),
        httpx.Response(500, headers=PROBLEM, content=REFUSAL),
        httpx.Response(302, headers={"Location": "http://elsewhere.example"}),
        httpx.Response(200, json={"reference": "M-1"}),
        httpx.Response(200, content=b"<html>welcome</html>"),
        httpx.Response(200, content=b"x" * (MOST_BYTES + 1)),
        httpx.ReadTimeout("late"),
        httpx.RemoteProtocolError("cut off"),
    ],
)
async def test_anything_else_is_asked_again_by_itself(answer: Any) -> None:
    outcome = await answer_to(answer)
    assert isinstance(outcome, Failed)
    assert outcome.error
    assert outcome.longest is None


@pytest.mark.parametrize(
    ("answer", "longest"),
    [
        (httpx.ConnectError("refused"), 10.0),
        (httpx.Response(401, headers=PROBLEM, content=REFUSAL), 300.0),
        (httpx.Response(403), 300.0),
        (httpx.Response(429), 300.0),
        (httpx.Response(503), 300.0),
    ],
)
async def test_a_port_that_is_away_busy_or_shut_is_in_trouble_as_a_whole(
    answer: Any, longest: float
) -> None:
    outcome = await answer_to(answer)
    assert isinstance(outcome, Failed)
    assert outcome.longest == longest


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ("30", 30),
        ("0", 0),
        ("-5", 0),
        ("1000000", LONGEST_ASKED),
        ("nan", None),
        ("soon", None),
        (format_datetime(NOON + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(NOON - timedelta(seconds=90), usegmt=True), 0),
    ],
)
async def test_retry_after_is_read_as_seconds_or_a_date(given: str, seconds: float | None) -> None:
    outcome = await answer_to(httpx.Response(503, headers={"Retry-After": given}))
    assert isinstance(outcome, Failed)
    assert outcome.retry_after == seconds


class Never(httpx.AsyncBaseTransport):
    """A connection on which nothing comes back."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError(request)


async def test_a_port_that_never_answers_is_given_up_after_its_time() -> None:
    hasty = replace(sms.SEND, port=replace(sms.PORT, timeout=0.01))
    sender = Sender(settings(), Never())
    outcome = await sender.send(hasty, "key-1", b"{}", now=NOON)
    await sender.close()
    assert outcome == Failed("No answer within 0.01 s.")
