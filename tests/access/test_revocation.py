"""Ending a session reaches every worker, if and only if it commits."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import func, select

from shared.access import REVOKED_CHANNEL, Grants, Principal, TokenKeeper
from shared.access.models import RevokedSession
from shared.access.problems import SessionRevoked
from shared.access.revocation import LONGEST_LIFE, forget_revoked, revoke_sessions
from shared.capability import Role
from shared.kernel.database import Database, Listener
from shared.kernel.ids import new_id

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
KEY = Ed25519PrivateKey.generate()


def a_worker() -> TokenKeeper:
    grants = Grants(MappingProxyType({Role.CLERK: frozenset({"customer:read"})}))
    return TokenKeeper("440300", KEY, grants, timedelta(minutes=15))


def a_token(keeper: TokenKeeper, session_id: UUID) -> str:
    held = frozenset({"customer:read"})
    principal = Principal(new_id(), "li.wei", Role.CLERK, "440300", "000000/", held, session_id)
    return keeper.sign(principal, now=NOW)


@contextlib.asynccontextmanager
async def listening(database: Database, worker: TokenKeeper) -> AsyncIterator[asyncio.Queue[str]]:
    heard: asyncio.Queue[str] = asyncio.Queue()

    def on_wake(_: str, payload: str) -> None:
        if payload:
            worker.revoke_text(payload)
        heard.put_nowait(payload)

    task = asyncio.ensure_future(Listener(database.url, (REVOKED_CHANNEL,), on_wake).run())
    try:
        assert await asyncio.wait_for(heard.get(), 10) == ""
        yield heard
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_the_answering_worker_refuses_at_once_and_the_others_when_notified(
    database: Database,
) -> None:
    here, there, ended, going_on = a_worker(), a_worker(), new_id(), new_id()
    token, other = a_token(here, ended), a_token(here, going_on)
    async with listening(database, there) as heard:
        there.verify(token, now=NOW)
        async with database.transaction() as session:
            await revoke_sessions(session, [ended], now=NOW, tokens=here)
            with pytest.raises(SessionRevoked):
                here.verify(token, now=NOW)
            there.verify(token, now=NOW)
        await asyncio.wait_for(heard.get(), 10)
        with pytest.raises(SessionRevoked):
            there.verify(token, now=NOW)
        there.verify(other, now=NOW)


async def revoke_and_fail(database: Database, session_id: UUID) -> None:
    async with database.transaction() as session:
        await revoke_sessions(session, [session_id], now=NOW)
        raise ZeroDivisionError


async def test_a_revocation_that_does_not_commit_reaches_nobody_else(database: Database) -> None:
    there, kept, ended = a_worker(), new_id(), new_id()
    async with listening(database, there) as heard:
        with pytest.raises(ZeroDivisionError):
            await revoke_and_fail(database, kept)
        async with database.transaction() as session:
            await revoke_sessions(session, [ended], now=NOW)
        assert (await asyncio.wait_for(heard.get(), 10)).startswith(str(ended))
    there.verify(a_token(there, kept), now=NOW)


async def test_a_worker_that_starts_or_missed_notifications_reads_them_from_the_table(
    database: Database,
) -> None:
    late, recent, old = a_worker(), new_id(), new_id()
    async with database.transaction() as session:
        await revoke_sessions(session, [old], now=NOW - LONGEST_LIFE)
        await revoke_sessions(session, [recent], now=NOW)
        await revoke_sessions(session, [recent], now=NOW)
        await revoke_sessions(session, [], now=NOW)
    await late.reload_revoked(database, now=NOW)
    with pytest.raises(SessionRevoked):
        late.verify(a_token(late, recent), now=NOW)
    late.verify(a_token(late, old), now=NOW)


async def test_a_reload_forgets_nothing_that_was_heard_meanwhile(database: Database) -> None:
    worker, heard = a_worker(), new_id()
    worker.revoke(heard, NOW + LONGEST_LIFE)
    await worker.reload_revoked(database, now=NOW)
    with pytest.raises(SessionRevoked):
        worker.verify(a_token(worker, heard), now=NOW)


async def test_what_no_token_can_belong_to_any_more_is_deleted_and_nothing_else(
    database: Database,
) -> None:
    old, recent = new_id(), new_id()
    async with database.transaction() as session:
        await revoke_sessions(session, [old], now=NOW - LONGEST_LIFE)
        await revoke_sessions(session, [recent], now=NOW)
        await forget_revoked(session, now=NOW)
    async with database.transaction() as session:
        assert list(await session.scalars(select(RevokedSession.session_id))) == [recent]
        assert await session.scalar(select(func.min(RevokedSession.until))) == NOW + LONGEST_LIFE
