"""What systems outside were asked about somebody goes with the person, done or open; what is about others stays."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest
from sqlalchemy import text

from services.city_node.card_replacement.outside import NOTICE
from shared.kernel.ids import new_id
from shared.port.dispatching import Dispatcher
from shared.port.models import CallState
from tests.city.drafts import Headers
from tests.city.erasing import erase
from tests.city.retained import everything, lived_in, long_gone
from tests.conftest import TestNode

SECRET = "13911112222"
CALL = """
    INSERT INTO port_call (id, port, operation, effect, cause_id, state, content_cipher, due_at, refusal, answer,
                           created_at, ended_at)
    SELECT :id, :port, 'x', :effect, :cause, CAST(:state AS text), CASE WHEN :open THEN CAST(:content AS bytea) END,
           CASE WHEN :state = 'waiting' THEN now() END, CASE WHEN :state = 'handed_over' THEN '{}'::jsonb END, NULL,
           now(), CASE WHEN NOT :open THEN now() END"""
REQUEST = """
    WITH r AS (
        INSERT INTO service_request (id, kind, role, home, visited, state, subject, deadline, unit_code, created_by,
            created_at, updated_at, ended_at) VALUES (:request, 'payment', 'home', '440300', '440100', 'credited',
            '138****0001', now(), '440300', 'x', now(), now(), now()) RETURNING id)
    INSERT INTO payment_credit (request_id, subscription_id, amount_fen, credited_at, business_day, resumed)
    SELECT r.id, :line, 777, now(), now(), false FROM r"""


async def line_of(city: TestNode, customer: str) -> UUID:
    pool = await city.database.pool()
    found: UUID = await pool.fetchval(
        "SELECT id FROM subscription WHERE customer_id = $1 LIMIT 1", UUID(customer)
    )
    return found


async def paid(city: TestNode, line: UUID) -> UUID:
    """Let a line have been paid for."""
    request = new_id()
    async with city.database.transaction() as session:
        await session.execute(text(REQUEST), {"request": request, "line": line})
    return request


async def asked(city: TestNode, cause: UUID, state: CallState) -> UUID:
    """Let a port have been asked something."""
    call, is_open = new_id(), state in {CallState.WAITING, CallState.HANDED_OVER}
    content = orjson.dumps({"to": SECRET, "text": "新卡已启用"}).decode()
    async with city.database.transaction() as session:
        values: dict[str, Any] = {
            "id": call,
            "port": "sms",
            "effect": NOTICE.name,
            "cause": cause,
            "state": state.value,
            "open": is_open,
            "content": city.context.cipher.encrypt(content),
        }
        await session.execute(text(CALL), values)
    return call


async def calls(city: TestNode) -> set[UUID]:
    pool = await city.database.pool()
    return {row["id"] for row in await pool.fetch("SELECT id FROM port_call")}


@pytest.mark.parametrize("state", list(CallState))
async def test_no_call_about_the_person_stays(
    city: TestNode, clerk: Headers, state: CallState
) -> None:
    gone = await long_gone(city, clerk)
    line = await line_of(city, gone["id"])
    await asked(city, await paid(city, line), state)
    await asked(city, line, state)
    other = await lived_in(city, clerk, 3)
    others_line = await line_of(city, other["id"])
    kept = {
        await asked(city, await paid(city, others_line), state),
        await asked(city, others_line, state),
        await asked(city, new_id(), state),
    }
    assert len(await calls(city)) == 5
    assert await erase(city) == 1
    assert await calls(city) == kept


async def test_a_call_that_is_under_way_leaves_nothing_behind(
    city: TestNode, clerk: Headers
) -> None:
    gone = await long_gone(city, clerk)
    await asked(city, await line_of(city, gone["id"]), CallState.WAITING)
    settings = city.context.settings.model_copy(update={"port_sms_url": "http://sms"})
    context = replace(city.context, settings=settings)

    async def erase_and_answer(request: httpx.Request) -> httpx.Response:
        await erase(city)
        now = context.clock.now().isoformat()
        return httpx.Response(200, json={"reference": "r", "accepted_at": now}, request=request)

    dispatcher = Dispatcher(context, (NOTICE,), transport=httpx.MockTransport(erase_and_answer))
    async with city.database.transaction() as session:
        due = {"now": context.clock.now()}
        await session.execute(text("UPDATE port_call SET due_at = :now"), due)
    assert await dispatcher.step(NOTICE.port)
    assert not await dispatcher.step(NOTICE.port)
    await dispatcher.close()
    assert await calls(city) == set()


async def test_a_trail_that_once_said_to_which_number_does_so_no_more(
    city: TestNode, clerk: Headers
) -> None:
    gone = await long_gone(city, clerk)
    request = await paid(city, await line_of(city, gone["id"]))
    said = orjson.dumps({"en": "The customer was told by SMS to 139****2222.", "zh": "x"}).decode()
    async with city.database.transaction() as session:
        for event in ("customer-told", "credited"):
            await session.execute(
                text(
                    "INSERT INTO service_request_event (request_id, at, node, event, note, by)"
                    " VALUES (:request, now(), '440300', :event, CAST(:note AS jsonb), 'port')"
                ),
                {
                    "request": request,
                    "event": event,
                    "note": said if event == "customer-told" else '{"en": "Credited.", "zh": "x"}',
                },
            )
    await erase(city)
    kept = await everything(city)
    assert "139****2222" not in kept
    assert "Credited." in kept
