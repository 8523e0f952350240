"""Card replacements for customers of a city of another province, from the question to the new card in use."""

from uuid import UUID

import asyncpg

from bench.cross_region import HOME, VISITED, Counter, Service, Somebody, benchmark
from shared.kernel.ids import new_id

_REQUEST = """
    INSERT INTO service_request (id, kind, role, home, visited, state, awaiting, subject, deadline, unit_code,
                                 created_by, created_at, updated_at)
    VALUES ($1, 'card-replacement', $2, $3, $4, $5, 'home', '199****0000', now() + interval '30 minutes', $6,
            'bench', now(), now())"""
_TRAIL = """
    INSERT INTO service_request_event (request_id, at, node, event, note, by)
    SELECT $1, now(), '440300', 'carried', '{"en": "Passed on", "zh": "已转发"}', 'bench' FROM generate_series(1, $2)"""
_MOVE = (
    "UPDATE service_request SET state = $2, version = version + 1, updated_at = now() WHERE id = $1"
)
_CARD = (
    "UPDATE sim_card_stock SET state = $2, request_id = $3, version = version + 1 WHERE iccid = $1"
)
_AUDIT = """
    INSERT INTO audit_record (at, by, action, subject_type, subject_id, source, fields)
    VALUES (now(), 'bench', 'customer.looked', 'customer', $1, 'message', '["document_matches"]')"""
_CHANGE = """
    INSERT INTO customer_change (customer_id, at, by, source, action, changes)
    VALUES ($1, now(), 'bench', 'message', 'changed', '[{"field": "sims", "old": null, "new": "active"}]')"""


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
    request = new_id()
    async with visited.acquire() as here, home.acquire() as there:
        async with here.transaction():
            await here.execute(_REQUEST, request, "visited", HOME, VISITED, "asked", VISITED)
            card = await here.fetchval(
                "SELECT iccid FROM sim_card_stock WHERE state = 'in_stock' ORDER BY iccid LIMIT 1 FOR UPDATE SKIP LOCKED"
            )
            await here.execute(_CARD, card, "reserved", request)
            await here.execute(_TRAIL, request, 1)
        async with there.transaction():
            await there.fetch(
                "SELECT * FROM customer c JOIN subscription s ON s.customer_id = c.id WHERE s.msisdn = $1 "
                "AND s.status <> 'ended' FOR UPDATE",
                person.msisdn,
            )
            await there.execute(_AUDIT, str(person.customer))
            await there.execute(_REQUEST, request, "home", HOME, VISITED, "approved", HOME)
            await there.execute(
                "INSERT INTO sim_switch_reservation (request_id, subscription_id, state) VALUES ($1, $2, 'held')",
                request,
                person.line,
            )
            await there.execute(_TRAIL, request, 6)
        async with here.transaction():
            await here.execute(_MOVE, request, "approved")
            await here.execute(_TRAIL, request, 10)
        async with here.transaction():
            await here.execute(_MOVE, request, "written")
            await here.execute(_CARD, card, "written", request)
            await here.execute(_TRAIL, request, 1)
        async with there.transaction():
            await there.execute(
                "UPDATE sim SET state = 'replaced', ended_at = now() WHERE iccid = $1", person.iccid
            )
            await there.execute(
                "INSERT INTO sim (iccid, imsi, subscription_id, activated_at) VALUES ($1::varchar, '46' || right($1::varchar, 13), $2, now())",
                card,
                person.line,
            )
            await there.execute(_CHANGE, person.customer)
            await there.execute(_AUDIT, str(person.customer))
            await there.execute(_MOVE, request, "completed")
            await there.execute(
                "UPDATE sim_switch_reservation SET state = 'used', settled_at = now() WHERE request_id = $1",
                request,
            )
            await there.execute(_TRAIL, request, 6)
        async with here.transaction():
            await here.execute(_MOVE, request, "completed")
            await here.execute(_CARD, card, "issued", request)
            await here.execute(_TRAIL, request, 10)


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
