"""Opening sealed values in the rows of an export, as they pass by."""

import re
from collections.abc import Awaitable, Callable

from shared.kernel.encryption import Cipher
from shared.kernel.tabular import harmless

Take = Callable[[bytes], Awaitable[None]]
_SEALED = re.compile(rb"\x1f([0-9a-f]+)")
_QUOTED = re.compile(rb"[\",\r\n]")


def opening(take: Take, cipher: Cipher, *, is_harmless: bool) -> Take:
    """Return what takes CSV with sealed values, and hands it to ``take`` with each in clear.

    A chunk has whole rows: PostgreSQL sends each in a message of its own, and asyncpg hands on whole messages.

    Args:
        take: what the rows go to.
        cipher: the node's keys.
        is_harmless: whether an apostrophe goes before a value that a spreadsheet would take for a formula.
    """
    keys = cipher.pinned()

    def opened(found: re.Match[bytes]) -> bytes:
        text = keys.decrypt(bytes.fromhex(found[1].decode()))
        value = (harmless(text) if is_harmless else text).encode()
        return b'"' + value.replace(b'"', b'""') + b'"' if _QUOTED.search(value) else value

    async def take_opened(chunk: bytes) -> None:
        await take(_SEALED.sub(opened, chunk))

    return take_opened
