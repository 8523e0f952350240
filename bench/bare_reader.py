"""The ceiling of reading customers: FastAPI and asyncpg, and nothing between them.

No token, no scope, no mask, no problem details, no log, no record: the row by its id, or those that a question finds,
as JSON. It is written as fast as that can be written: dictionaries from the driver, serialised by orjson, past
FastAPI's own validation of what comes and what goes.
"""

import contextlib
import os
from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import orjson
from fastapi import FastAPI, HTTPException, Request, Response

from bench.list_questions import STATEMENTS
from services.city_node.customer.profile import FIELDS

_QUERY = f"SELECT {', '.join(FIELDS)} FROM customer WHERE id = $1"  # noqa: S608 - names of columns


@contextlib.asynccontextmanager
async def _with_pool(app: FastAPI) -> AsyncIterator[None]:
    size = int(os.environ["BENCH_POOL"])
    async with asyncpg.create_pool(os.environ["BENCH_DATABASE"], min_size=1, max_size=size) as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=_with_pool)


@app.get("/customers/{customer_id}")
async def read_customer(customer_id: UUID, request: Request) -> Response:
    """Return the row."""
    row = await request.app.state.pool.fetchrow(_QUERY, customer_id)
    if row is None:
        raise HTTPException(404)
    return Response(orjson.dumps(dict(row), default=str), media_type="application/json")


@app.get("/questions/{name}")
async def find_customers(name: str, request: Request) -> Response:
    """Return the rows of a page."""
    values = request.query_params.getlist("value")
    rows = await request.app.state.pool.fetch(STATEMENTS[name], *values)
    items = [dict(row) for row in rows]
    return Response(orjson.dumps({"items": items}, default=str), media_type="application/json")
