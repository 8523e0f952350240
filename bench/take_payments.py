"""Payments for customers of a city of another province, from the till to the word that home has credited them."""

from uuid import UUID

import asyncpg

from bench import request_rows
from bench.cross_region import HOME, VISITED, Counter, Service, Somebody, benchmark
from shared.kernel.ids import new_id

AMOUNT_FEN = 10_000
_TAKEN = """
    INSERT INTO payment (request_id, shift_id, amount_fen, receipt_number, taken_at)
    VALUES ($1::uuid, $2, $3, $1::text, now())"""
_IN_TILL = """
    INSERT INTO till_entry (shift_id, at, kind, amount_fen, cause_id, payment_id, by)
    VALUES ($2, now(), 'taken', $3, $1, $1, 'bench')"""
_ACCOUNT = """
    INSERT INTO billing_account (subscription_id, balance_fen, updated_at) VALUES ($1, $2, now())"""
_ENTRY = """
    INSERT INTO billing_entry (subscription_id, at, kind, amount_fen, cause_id) VALUES ($1, now(), 'credited', $2, $3)"""
_CREDIT = """
    INSERT INTO payment_credit (request_id, subscription_id, amount_fen, credited_at, business_day, resumed)
    VALUES ($1, $2, $3, now(), current_date, false)"""
_BOOK = """
    INSERT INTO clearing_entry
        (request_id, kind, at, business_day, booked_on, debit, credit, amount_fen, home, visited)
    VALUES ($1, 'payment', now(), current_date, current_date, $2, $3, $4, $5, $6)"""


async def open_shift(made: Counter) -> None:
    """Let the clerk begin to work at a till."""
    await made.post("/tills/shifts", {"float_fen": 0})


async def serve(made: Counter, person: Somebody) -> None:
    """Take the money, and wait until home has credited it."""
    body = {"msisdn": person.msisdn, "home": HOME, "amount_fen": AMOUNT_FEN}
    request = UUID((await made.post("/payments", body))["id"])
    if await made.until(request, "credited", "to_give_back") != "credited":
        raise RuntimeError(f"The payment {request} was refused.")


async def rows(visited: asyncpg.Pool, home: asyncpg.Pool, person: Somebody) -> None:
    """Write what both ends keep, in the three transactions in which they do."""
    request, kind, data = new_id(), "payment", '{"amount_fen": 10000}'
    async with visited.acquire() as here, home.acquire() as there:
        async with here.transaction():
            shift = await here.fetchval("SELECT id FROM till_shift WHERE state = 'open' FOR UPDATE")
            await request_rows.ask(here, request, kind, "taken", data)
            await here.execute(_TAKEN, request, shift, AMOUNT_FEN)
            await here.execute(_IN_TILL, request, shift, AMOUNT_FEN)
        async with there.transaction():
            await request_rows.lock_line(there, person)
            await request_rows.take_in(there, request, kind, "credited", data)
            await there.execute(_ACCOUNT, person.line, AMOUNT_FEN)
            await there.execute(_ENTRY, person.line, AMOUNT_FEN, request)
            await there.execute(_CREDIT, request, person.line, AMOUNT_FEN)
            await there.execute(_BOOK, request, "110000", "customers", AMOUNT_FEN, HOME, VISITED)
            await request_rows.change(there, person)
        async with here.transaction():
            await request_rows.move(here, request, "credited")
            await here.execute(
                "UPDATE payment SET credited_at = now(), business_day = current_date WHERE request_id = $1",
                request,
            )
            await here.execute(_BOOK, request, "cash", "440000", AMOUNT_FEN, HOME, VISITED)
            await request_rows.trail(here, request, 10)


SERVICE = Service(
    name="take-payments",
    kind="payment",
    summary="payments across five nodes (p50), against as many bare signed exchanges and the same rows",
    messages=2,
    waits="taken",
    waits_at_home=None,
    prepare=open_shift,
    serve=serve,
    rows=rows,
)
BENCHMARK = benchmark(SERVICE)
