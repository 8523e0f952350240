"""The ceiling of a lane: signed HTTP and ``COPY``, and nothing between them.

Bodies are compressed and signed, and signatures checked, by the same functions as between nodes. The server keeps the
rows of a batch by one ``COPY`` and a commit, or, asked for a hop, nothing at all. Nobody numbers, reads or checks an
envelope, looks for what was seen before, handles or acknowledges anything.
"""

import contextlib
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import orjson
from fastapi import FastAPI, Request, Response

from bench.processes import clean_environment, free_port, process, uvicorn_command
from shared.federation import signature as signing
from shared.federation.compression import decompress
from shared.federation.exchange import MAX_BODY, body_of
from shared.federation.keys import NodeKey, PublicKey
from shared.federation.signature import HttpRequest, HttpResponse

CLIENT, SERVER = "440300", "440000"
TABLE = """
CREATE TABLE bare_message (
    arrival bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    peer text NOT NULL, lane text NOT NULL, sequence bigint NOT NULL,
    envelope bytea NOT NULL, signature text NOT NULL, hops jsonb NOT NULL, received_at timestamptz NOT NULL
)
"""
_COLUMNS = ["peer", "lane", "sequence", "envelope", "signature", "hops", "received_at"]


@contextlib.asynccontextmanager
async def _prepared(app: FastAPI) -> AsyncIterator[None]:
    app.state.key = NodeKey.load_or_create(Path(os.environ["BENCH_KEYS"]))
    client = PublicKey.from_text(os.environ["BENCH_CLIENT"])
    app.state.key_of = {CLIENT: [client]}.get
    async with asyncpg.create_pool(os.environ["BENCH_DATABASE"], min_size=1, max_size=5) as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=_prepared)


@app.get("/ready")
async def ready() -> None:
    """Answer."""


@app.post("/hop")
async def hop(request: Request) -> Response:
    """Take one signed request and answer it, signed."""
    signed, _ = await _believed(request)
    return _answer(signed, {"received": 1})


@app.post("/batches")
async def keep(request: Request) -> Response:
    """Keep the rows of a batch, commit, and answer, signed."""
    signed, batch = await _believed(request)
    peer, lane, first, now = CLIENT, batch["lane"], batch["first"], _now()
    rows = [
        (
            peer,
            lane,
            first + at,
            each["envelope"].encode(),
            each["signature"],
            orjson.dumps(each["hops"]).decode(),
            now,
        )
        for at, each in enumerate(batch["messages"])
    ]
    await app.state.pool.copy_records_to_table("bare_message", columns=_COLUMNS, records=rows)
    return _answer(signed, {"received": first + len(rows) - 1})


async def _believed(request: Request) -> tuple[HttpRequest, Any]:
    body = await request.body()
    signed = HttpRequest(
        request.method, request.url.path, request.url.query, dict(request.headers), body
    )
    signing.verify_request(app.state.key_of, signed, now=_now())
    return signed, orjson.loads(decompress(body, limit=MAX_BODY))


def _answer(request: HttpRequest, content: object) -> Response:
    body = body_of(content)
    unsigned = HttpResponse(request, 200, body.headers, body.content)
    signed = signing.sign_response(app.state.key, SERVER, unsigned, now=_now(), nonce=uuid4().hex)
    return Response(signed.body, signed.status_code, dict(signed.headers))


def _now() -> datetime:
    return datetime.now(UTC)


class BareClient:
    """The other end: compresses, signs, posts, and checks the answer's signature."""

    def __init__(self, url: str, key: NodeKey, server: PublicKey) -> None:
        self._url = url
        self._key = key
        self._key_of = {SERVER: [server]}.get
        self._http = httpx.AsyncClient(trust_env=False)

    async def exchange(self, path: str, content: object) -> int:
        """Send ``content`` and return what the server says to have received."""
        body = body_of(content)
        unsigned = HttpRequest("POST", path, "", body.headers, body.content)
        request = signing.sign_request(self._key, CLIENT, unsigned, now=_now(), nonce=uuid4().hex)
        async with self._http.stream(
            "POST", self._url + path, content=request.body, headers=dict(request.headers)
        ) as answer:
            raw = b"".join([chunk async for chunk in answer.aiter_raw()])
        response = HttpResponse(request, answer.status_code, dict(answer.headers), raw)
        signing.verify_response(self._key_of, response, now=_now())
        received: int = orjson.loads(decompress(raw, limit=MAX_BODY))["received"]
        return received

    async def close(self) -> None:
        """Hang up."""
        await self._http.aclose()


@contextlib.asynccontextmanager
async def bare_line(home: Path, database: str) -> AsyncIterator[BareClient]:
    """Serve the bare server in a process of its own, on the database at that address; gives a client of it."""
    connection = await asyncpg.connect(database)
    try:
        await connection.execute(TABLE)
    finally:
        await connection.close()
    keys, own, port = home / "bare", NodeKey.generate(), free_port()
    url = f"http://127.0.0.1:{port}"
    server = NodeKey.load_or_create(keys)
    environment = clean_environment(
        BENCH_KEYS=str(keys), BENCH_CLIENT=own.public.to_text(), BENCH_DATABASE=database
    )
    async with process(
        uvicorn_command("bench.bare_exchange:app", port), environment, f"{url}/ready"
    ):
        client = BareClient(url, own, server.public)
        try:
            yield client
        finally:
            await client.close()
