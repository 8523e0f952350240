"""Personal values at rest: encrypted, found by a blind index, shown masked.

A value is encrypted with AES-256-GCM under a key whose id is stored with it. To find a record by an exact value, a
keyed hash of the normalised value (HMAC-SHA-256) is stored beside it: equal values have equal hashes, and without
the key the hash tells nothing.

Keys
----
A node's keys are files beside one another: ``personal-data.key`` is key 1, ``personal-data.2.key`` key 2, and so on.
The newest seals; all of them open, and a search asks for the index under each. Rotating is adding the next file,
sealing every row anew, and removing the old one when no row uses it. Every process looks at the directory each time it
uses a key, so that a new one counts everywhere at once.

What is to be known again after the value itself is gone cannot be indexed anew. It has a key of its own,
``lasting-index.key``, which is never rotated (:meth:`Cipher.lasting_index`).
"""

import copy
import hashlib
import hmac
import os
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.kernel.secrets import keep_names, read_or_create

NONCE_BYTES = 12
KEY_BYTES = 32
LAST_KEY_ID = 255
"""A key's id is one byte."""
_FILE = re.compile(r"personal-data(?:\.([0-9]+))?\.key")
_SETTLED_NS = 2_000_000_000
"""A directory that changed more recently may change again without its time telling."""


class DecryptionFailed(Exception):
    """A stored value cannot be decrypted: its key is missing, or it was altered."""


class KeysExhausted(Exception):
    """There is no id left for another key."""


@dataclass(frozen=True, slots=True)
class DataKey:
    """One key: a half that encrypts and a half that indexes."""

    id: int
    secret: bytes = field(repr=False)
    aead: AESGCM = field(repr=False, compare=False)

    @classmethod
    def of(cls, key_id: int, secret: bytes) -> "DataKey":
        """Return the key with these bytes."""
        return cls(key_id, secret, AESGCM(secret[:KEY_BYTES]))

    def index(self, value: str) -> bytes:
        """Return the blind index of ``value`` under this key."""
        return hmac.digest(self.secret[KEY_BYTES:], value.encode(), hashlib.sha256)


class Cipher:
    """The keys of one node for personal values."""

    def __init__(
        self,
        encryption_key: bytes,
        index_key: bytes,
        key_id: int = 1,
        *,
        directory: Path | None = None,
    ) -> None:
        self._keys: tuple[DataKey, ...] = (DataKey.of(key_id, encryption_key + index_key),)
        self._directory = directory
        self._changed = 0
        self._lasting = index_key if directory is None else _lasting_key(directory)

    @classmethod
    def load_or_create(cls, directory: Path) -> "Cipher":
        """Read the keys kept in ``directory``; the first is made at the first start."""
        if not any(_key_files(directory)):
            _create(directory, 1)
        newest = _read(directory)[0]
        halves = newest.secret[:KEY_BYTES], newest.secret[KEY_BYTES:]
        return cls(*halves, newest.id, directory=directory)

    def ring(self) -> tuple[DataKey, ...]:
        """Return the keys that there are at this moment, the newest first."""
        if self._directory is not None:
            changed = self._directory.stat().st_mtime_ns
            if changed != self._changed:
                self._keys = _read(self._directory)
                self._changed = changed if time.time_ns() - changed > _SETTLED_NS else 0
        return self._keys

    def pinned(self) -> "Cipher":
        """Return the keys as they are at this moment, for bulk work that lets no rotation begin."""
        pinned = copy.copy(self)
        pinned._keys, pinned._directory = self.ring(), None  # noqa: SLF001 - of its own class
        return pinned

    @property
    def current(self) -> DataKey:
        """The key that seals."""
        return self.ring()[0]

    def encrypt(self, value: str) -> bytes:
        """Return ``value`` encrypted: one byte of key id, the nonce, the ciphertext with its tag."""
        key = self.current
        nonce = os.urandom(NONCE_BYTES)
        head = bytes([key.id])
        return head + nonce + key.aead.encrypt(nonce, value.encode(), head)

    def decrypt(self, stored: bytes) -> str:
        """Return what :meth:`encrypt` was given.

        Raises:
            DecryptionFailed: if the key is not this node's, or the bytes were altered.
        """
        head, nonce, body = stored[:1], stored[1 : 1 + NONCE_BYTES], stored[1 + NONCE_BYTES :]
        for key in self.ring():
            if head == bytes([key.id]):
                try:
                    return key.aead.decrypt(nonce, body, head).decode()
                except InvalidTag:
                    break
        raise DecryptionFailed(
            f"A stored personal value (key {head.hex()}) cannot be decrypted with this node's keys: "
            "restore the key file personal-data.key, or personal-data.N.key, that belongs to this database."
        )

    def index(self, value: str) -> bytes:
        """Return the blind index of ``value``, which should be normalised first, under the key that seals."""
        return self.current.index(value)

    def indexes(self, value: str) -> list[bytes]:
        """Return the blind indexes of ``value`` under every key: what a search has to ask for."""
        return [key.index(value) for key in self.ring()]

    def lasting_index(self, value: str) -> bytes:
        """Return a blind index of ``value``, normalised, that no rotation of keys changes."""
        return hmac.digest(self._lasting, value.encode(), hashlib.sha256)

    def add_key(self) -> int:
        """Make the next key, which seals from now on, and return its id.

        Raises:
            KeysExhausted: after 255 keys.
        """
        following = self.current.id + 1
        if self._directory is None or following > LAST_KEY_ID:
            raise KeysExhausted("There is no key id left.")
        _create(self._directory, following)
        self._changed = 0
        return following

    def drop_key(self, key_id: int) -> None:
        """Remove the file of a key that nothing is sealed with any more; never that of the newest."""
        if self._directory is not None and key_id != self.current.id:
            _path(self._directory, key_id).unlink(missing_ok=True)
            keep_names(self._directory)
            self._changed = 0


def _lasting_key(directory: Path) -> bytes:
    return read_or_create(directory / "lasting-index.key", lambda: os.urandom(KEY_BYTES))


def _path(directory: Path, key_id: int) -> Path:
    return directory / ("personal-data.key" if key_id == 1 else f"personal-data.{key_id}.key")


def _key_files(directory: Path) -> Iterable[tuple[int, Path]]:
    for path in directory.glob("personal-data*.key"):
        named = _FILE.fullmatch(path.name)
        if named:
            yield int(named[1] or 1), path


def _create(directory: Path, key_id: int) -> None:
    read_or_create(_path(directory, key_id), lambda: os.urandom(2 * KEY_BYTES))


def _read(directory: Path) -> tuple[DataKey, ...]:
    found = sorted(_key_files(directory), reverse=True)
    return tuple(DataKey.of(key_id, path.read_bytes()) for key_id, path in found)


def mask(value: str, keep_start: int = 4, keep_end: int = 4) -> str:
    """Return ``value`` with its middle starred out; short values lose everything but their first character."""
    if len(value) <= keep_start + keep_end:
        return value[:1] + "*" * max(len(value) - 1, 1)
    return (
        value[:keep_start]
        + "*" * (len(value) - keep_start - keep_end)
        + value[len(value) - keep_end :]
    )
