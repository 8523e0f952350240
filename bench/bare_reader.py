"""The ceiling of reading a customer: FastAPI and asyncpg, and nothing between them.

No token, no scope, no mask, no problem details, no log: the row by its id, as JSON. It is written as fast as that
can be written: one dictionary from the driver, serialised by orjson, past FastAPI's own validation of answers.
"""

import contextlib
import os
from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import orjson
from fastapi import FastAPI, HTTPException, Request, Response

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
