"""Requests that may be sent twice and take effect once (``Idempotency-Key``).

The key is written in the transaction of the effect, with a hash of the request and, before the commit, its
answer. A repetition finds the stored answer; one that comes while the first is still under way waits for it on
the key's unique index. The same key with another body is a mistake of the caller's, and refused.
"""

import hashlib
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import orjson
from fastapi import FastAPI, Request, Response
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base
from shared.kernel.language import Text
from shared.kernel.problems import Fault, Problem

RETENTION = timedelta(days=7)
LONGEST_KEY = 200


class IdempotencyKeyMissing(Problem):
    """A request that moves money, points, SIMs or ownership came without a key."""

    status = 400
    title = Text("Idempotency key missing", "缺少幂等键")
    sentence = Text(
        "This request needs an `Idempotency-Key` header of your choice (a UUID, 1 to 200 characters), so that repeating it is safe.",
        "此请求必须带自拟的 Idempotency-Key 请求头（如 UUID，1–200 字符），以便安全重发。",
    )


class IdempotencyKeyReused(Problem):
    """The same key came with another request."""

    status = 422
    title = Text("Idempotency key reused", "幂等键重复使用")
    sentence = Text(
        "This `Idempotency-Key` was used at {at} for another request. Use a new key for a new request.",
        "该 Idempotency-Key 已于 {at} 用于另一请求，新请求请使用新键。",
    )


class IdempotencyKey(Base):
    """A request that was answered, with its answer."""

    __tablename__ = "idempotency_key"

    caller: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_hash: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(index=True)
    status: Mapped[int | None]
    headers: Mapped[str | None]
    answer: Mapped[bytes | None]


_CLAIM = """
    INSERT INTO idempotency_key (caller, key, request_hash, created_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT DO NOTHING RETURNING key"""
_STORED = "SELECT * FROM idempotency_key WHERE caller = $1 AND key = $2"
_ANSWER = "UPDATE idempotency_key SET status = $3, headers = $4, answer = $5 WHERE caller = $1 AND key = $2"


class AnsweredBefore(Exception):
    """The request was answered before; carries that answer."""

    def __init__(self, response: Response) -> None:
        self.response = response
        super().__init__("answered before")


class Once:
    """One request under its key: made by a dependency, told its answer by the endpoint."""

    def __init__(self, connection: asyncpg.Connection, caller: str, key: str) -> None:
        self._connection = connection
        self._caller = caller
        self._key = key

    @classmethod
    async def begin(
        cls,
        request: Request,
        connection: asyncpg.Connection,
        caller: str,
        given_key: str | None,
        *,
        now: datetime,
    ) -> "Once":
        """Claim the request's key in the transaction that ``connection`` is in.

        Raises:
            AnsweredBefore: with the stored answer, if the same request was answered.
            IdempotencyKeyMissing: without a usable key (400).
            IdempotencyKeyReused: if the key was used for another request (422).
        """
        key = (given_key or "").strip()
        if not 0 < len(key) <= LONGEST_KEY:
            raise IdempotencyKeyMissing(
                faults=[
                    Fault(
                        "header:Idempotency-Key", "missing, empty or too long", "缺失、为空或过长"
                    )
                ]
            )
        content = b"\n".join(
            [
                request.method.encode(),
                request.url.path.encode(),
                request.url.query.encode(),
                await request.body(),
            ]
        )
        request_hash = hashlib.sha256(content).digest()
        if await connection.fetchval(_CLAIM, caller, key, request_hash, now) is None:
            stored = await connection.fetchrow(_STORED, caller, key)
            if stored["request_hash"] != request_hash:
                raise IdempotencyKeyReused(
                    faults=[Fault("header:Idempotency-Key", "used before", "已使用过")],
                    at=stored["created_at"].isoformat(timespec="seconds"),
                )
            headers = {**orjson.loads(stored["headers"] or "{}"), "Idempotent-Replayed": "true"}
            status = stored["status"] or 200
            raise AnsweredBefore(
                Response(stored["answer"], status, headers, media_type="application/json")
            )
        return cls(connection, caller, key)

    async def answer(self, status: int, content: Any, **headers: str) -> Response:
        """Keep ``content`` as the answer of this request, and return it as a response."""
        body = content if isinstance(content, bytes) else orjson.dumps(content)
        told = orjson.dumps(headers).decode()
        await self._connection.execute(_ANSWER, self._caller, self._key, status, told, body)
        return Response(body, status, headers, media_type="application/json")


async def forget_old_keys(session: AsyncSession, *, now: datetime) -> None:
    """Delete the keys that are older than :data:`RETENTION`."""
    await session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at < now - RETENTION))


def install(app: FastAPI) -> None:
    """Make ``app`` give stored answers."""

    async def on_answered(_: Request, error: Exception) -> Response:
        assert isinstance(error, AnsweredBefore)  # noqa: S101 - the registration below guarantees it
        return error.response

    app.add_exception_handler(AnsweredBefore, on_answered)
