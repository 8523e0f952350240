"""Card replacements for customers of a city of another province, from the question to the new card in use."""

from uuid import UUID

import asyncpg

from bench import request_rows
from bench.cross_region import HOME, Counter, Service, Somebody, benchmark
from shared.kernel.ids import new_id

_CARD = (
    "UPDATE sim_card_stock SET state = $2, request_id = $3, version = version + 1 WHERE iccid = $1"
)


async def nothing(_: Counter) -> None:
    """Cards are in stock from the beginning."""


async def serve(made: Counter, person: Somebody) -> None:
    """Ask, write the card, and wait until it is in use."""
    body = {
        "msisdn": person.msisdn,
        "home": HOME,
        "document_type": "officer_card",
        "document_number": f"B{person.msisdn[3:]}",
        "reason": "lost",
    }
    request = UUID((await made.post("/card-replacements", body))["id"])
    if await made.until(request, "approved", "refused") != "approved":
        raise RuntimeError(f"The card replacement {request} was refused.")
    await made.post(f"/card-replacements/{request}/write-card")
    if await made.until(request, "completed", "refused") != "completed":
        raise RuntimeError(f"The card replacement {request} was refused.")


async def rows(visited: asyncpg.Pool, home: asyncpg.Pool, person: Somebody) -> None:
    """Write what both ends keep, in the five transactions in which they do."""
    request, kind = new_id(), "card-replacement"
    async with visited.acquire() as here, home.acquire() as there:
        async with here.transaction():
            await request_rows.ask(here, request, kind, "asked")
            card = await here.fetchval(
                "SELECT iccid FROM sim_card_stock WHERE state = 'in_stock' ORDER BY iccid LIMIT 1 FOR UPDATE SKIP LOCKED"
            )
            await here.execute(_CARD, card, "reserved", request)
        async with there.transaction():
            await request_rows.lock_line(there, person)
            await request_rows.look(there, person)
            await request_rows.take_in(there, request, kind, "approved")
            await there.execute(
                "INSERT INTO sim_switch_reservation (request_id, subscription_id, state) VALUES ($1, $2, 'held')",
                request,
                person.line,
            )
        async with here.transaction():
            await request_rows.move(here, request, "approved")
            await request_rows.trail(here, request, 10)
        async with here.transaction():
            await request_rows.move(here, request, "written")
            await here.execute(_CARD, card, "written", request)
            await request_rows.trail(here, request, 1)
        async with there.transaction():
            await there.execute(
                "UPDATE sim SET state = 'replaced', ended_at = now() WHERE iccid = $1", person.iccid
            )
            await there.execute(
                "INSERT INTO sim (iccid, imsi, subscription_id, activated_at) VALUES ($1::varchar, '46' || right($1::varchar, 13), $2, now())",
                card,
                person.line,
            )
            await request_rows.change(there, person)
            await request_rows.move(there, request, "completed")
            await there.execute(
                "UPDATE sim_switch_reservation SET state = 'used', settled_at = now() WHERE request_id = $1",
                request,
            )
            await request_rows.trail(there, request, 6)
        async with here.transaction():
            await request_rows.move(here, request, "completed")
            await here.execute(_CARD, card, "issued", request)
            await request_rows.trail(here, request, 10)


SERVICE = Service(
    name="replace-cards",
    kind="card-replacement",
    summary="card replacements across five nodes (p50), against as many bare signed exchanges and the same rows",
    messages=4,
    waits="asked",
    waits_at_home="approved",
    prepare=nothing,
    serve=serve,
    rows=rows,
)
BENCHMARK = benchmark(SERVICE)
