"""Guessing passwords is slowed down: after some wrong ones in a row, each next one costs a growing delay.

Counted by username alone, known or not, in every worker's common database. An address says little behind a proxy,
and guesses may come from many. The price is that a stranger can delay somebody's sign-in by an hour; who is signed in
stays so, and a new password from an operator ends the delay.
"""

from datetime import datetime, timedelta
from math import ceil

from sqlalchemy import case, delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared.kernel.language import Text
from shared.staff.models import SignInFailure
from shared.staff.problems import SignInRefused

FIRST_DELAY = timedelta(seconds=30)
LONGEST_DELAY = timedelta(hours=1)
MEMORY = timedelta(hours=24)
"""Failures older than this are forgotten."""


class SignInDelayed(SignInRefused):
    """Too many wrong passwords in a row were given for this username."""

    status = 429
    error = "slow_down"
    title = Text("Sign-in delayed", "登录被延迟")
    sentence = Text(
        "Too many wrong passwords for this username: try again in {seconds} seconds, or ask an operator for a new password.",
        "该用户名密码错误次数过多：请于 {seconds} 秒后重试，或请运维员重设密码。",
    )

    def __init__(self, seconds: int) -> None:
        super().__init__(headers={"Retry-After": str(seconds)}, seconds=seconds)


def delay_after(failures: int, allowed: int) -> timedelta | None:
    """Return how long sign-in is delayed after so many wrong passwords: 30 s, twice as long each time, 1 h at most."""
    if failures < allowed:
        return None
    doublings = min(failures - allowed, 12)
    return min(FIRST_DELAY * (1 << doublings), LONGEST_DELAY)


async def refuse_while_delayed(session: AsyncSession, username: str, *, now: datetime) -> None:
    """Refuse to look at a password while the username is delayed.

    Raises:
        SignInDelayed: with the seconds that remain (429).
    """
    query = select(SignInFailure.blocked_until).where(SignInFailure.username == username)
    blocked_until = await session.scalar(query)
    if blocked_until is not None and now < blocked_until:
        raise SignInDelayed(ceil((blocked_until - now).total_seconds()))


async def count_failure(
    session: AsyncSession, username: str, *, allowed: int, now: datetime
) -> None:
    """Count a wrong password, and delay the next one if there were ``allowed`` in a row."""
    kept = SignInFailure.failures
    given = insert(SignInFailure).values(username=username, failures=1, failed_at=now)
    failures = await session.scalar(
        given.on_conflict_do_update(
            index_elements=[SignInFailure.username],
            set_={
                "failures": case((SignInFailure.failed_at > now - MEMORY, kept + 1), else_=1),
                "failed_at": now,
            },
        ).returning(kept)
    )
    delay = delay_after(failures or 1, allowed)
    row = await session.get_one(SignInFailure, username, populate_existing=True)
    row.blocked_until = now + delay if delay else None


async def clear_failures(session: AsyncSession, username: str) -> None:
    """Forget the wrong passwords of a username."""
    await session.execute(delete(SignInFailure).where(SignInFailure.username == username))


async def forget_old_failures(session: AsyncSession, *, now: datetime) -> None:
    """Delete what is no longer counted."""
    await session.execute(delete(SignInFailure).where(SignInFailure.failed_at <= now - MEMORY))
