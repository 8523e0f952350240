"""Personal numbers at rest: encrypted, found by a blind index, shown masked.

A value is encrypted with AES-256-GCM under a key whose id is stored with it, so that keys can rotate. To find a
record by an exact number, a keyed hash of the normalised number (HMAC-SHA-256) is stored beside it: equal numbers
have equal hashes, and without the key the hash tells nothing.
"""

import hashlib
import hmac
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.kernel.secrets import read_or_create

NONCE_BYTES = 12
KEY_BYTES = 32


class DecryptionFailed(Exception):
    """A stored value cannot be decrypted: its key is missing, or it was altered."""


@dataclass(frozen=True)
class Cipher:
    """The keys of one node for personal numbers."""

    encryption_key: bytes
    index_key: bytes
    key_id: int = 1

    @classmethod
    def load_or_create(cls, directory: Path) -> "Cipher":
        """Read the keys kept in ``directory``, made at the first start."""
        key = read_or_create(directory / "personal-data.key", lambda: os.urandom(2 * KEY_BYTES))
        return cls(key[:KEY_BYTES], key[KEY_BYTES:])

    @cached_property
    def _aead(self) -> AESGCM:
        return AESGCM(self.encryption_key)

    def encrypt(self, value: str) -> bytes:
        """Return ``value`` encrypted: one byte of key id, the nonce, the ciphertext with its tag."""
        nonce = os.urandom(NONCE_BYTES)
        head = bytes([self.key_id])
        return head + nonce + self._aead.encrypt(nonce, value.encode(), head)

    def decrypt(self, stored: bytes) -> str:
        """Return what :meth:`encrypt` was given.

        Raises:
            DecryptionFailed: if the key is not this node's, or the bytes were altered.
        """
        head, nonce, body = stored[:1], stored[1 : 1 + NONCE_BYTES], stored[1 + NONCE_BYTES :]
        try:
            return self._aead.decrypt(nonce, body, head).decode()
        except InvalidTag:
            raise DecryptionFailed(
                f"A stored personal number (key {head.hex()}) cannot be decrypted with this node's key: "
                "restore the key file personal-data.key that belongs to this database."
            ) from None

    def index(self, value: str) -> bytes:
        """Return the blind index of ``value``, which should be normalised first."""
        return hmac.digest(self.index_key, value.encode(), hashlib.sha256)


def mask(value: str, keep_start: int = 4, keep_end: int = 4) -> str:
    """Return ``value`` with its middle starred out; short values lose everything but their first character."""
    if len(value) <= keep_start + keep_end:
        return value[:1] + "*" * max(len(value) - 1, 1)
    return (
        value[:keep_start]
        + "*" * (len(value) - keep_start - keep_end)
        + value[len(value) - keep_end :]
    )
