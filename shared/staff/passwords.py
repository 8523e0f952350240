"""Passwords: what one must be, and how it is kept (Argon2id, RFC 9106)."""

import asyncio
import secrets
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from shared.kernel.language import Text
from shared.kernel.problems import Fault, Problem

SHORTEST = 12
LONGEST = 200

# 19 MiB, two passes, one lane: as strong as more memory with fewer passes, and light on a small machine.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# The bound is the process's, whatever number of nodes run in it: guessing must not eat its memory or its processors.
_HASHING = ThreadPoolExecutor(max_workers=2, thread_name_prefix="password")

Result = TypeVar("Result")


class PasswordUnfit(Problem):
    """A new password is too short, too long, or the username itself."""

    status = 422
    title = Text("Password unfit", "密码不合要求")
    sentence = Text(
        "A password has 12 to 200 characters and is not the username; choose another, such as four or five unrelated words.",
        "密码须为 12 至 200 个字符，且不得与用户名相同；请另选，例如几个互不相关的词。",
    )


def require_fit(password: str, username: str, pointer: str = "/password") -> None:
    """Refuse a new password that would be guessed.

    Raises:
        PasswordUnfit: if it is too short, too long, or the username.
    """
    length = len(_normal(password))
    if not SHORTEST <= length <= LONGEST:
        raise PasswordUnfit(faults=[Fault(pointer, f"{length} characters")])
    if _normal(password).casefold() == username.casefold():
        raise PasswordUnfit(faults=[Fault(pointer, "the username")])


async def hash_password(password: str) -> str:
    """Return the hash to keep of ``password``, made beside the event loop."""
    return await _beside(lambda: _HASHER.hash(_normal(password)))


async def is_right(password: str, kept: str | None) -> bool:
    """Tell whether ``password`` is the one that ``kept`` was made of.

    Without ``kept`` the answer is no and costs the same, so that time does not tell which accounts there are.
    """
    return await _beside(lambda: _matches(password, kept))


def is_outdated(kept: str) -> bool:
    """Tell whether ``kept`` was made with other parameters than a new hash would be."""
    return _HASHER.check_needs_rehash(kept)


def _matches(password: str, kept: str | None) -> bool:
    nobody = _nobody()
    if len(password) > LONGEST * 4:
        password = ""  # no password is so long, and hashing what somebody sent by the megabyte is work for nothing
    try:
        _HASHER.verify(kept or nobody, _normal(password))
    except (VerificationError, InvalidHashError):
        return False
    return kept is not None


@cache
def _nobody() -> str:
    return _HASHER.hash(secrets.token_hex())


def _normal(password: str) -> str:
    """Return the one spelling of a password that input methods write in several (NIST SP 800-63B, 5.1.1.2)."""
    return unicodedata.normalize("NFKC", password)


async def _beside(work: Callable[[], Result]) -> Result:
    return await asyncio.get_running_loop().run_in_executor(_HASHING, work)
