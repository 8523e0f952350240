"""Who a node is: its private keys, its public key, and what only it may read.

A *node key* is a pair of private keys that never leave the node: Ed25519 signs what the node says
(requests, responses, envelopes), X25519 opens what was sealed for it. The *public key* is both
public halves, 64 bytes, written as one line of text wherever it is stored or sent. Its
*fingerprint* is what two operators read to one another when a node joins.

Life cycle: a node makes its key on first start and keeps it in one file, readable by its owner
alone. That file is the node's identity: it belongs in the backup, and losing it means enrolling
again. It is written once and never replaced here; a key that rotates gets a directory of its own.

To *seal* is to encrypt for one node (JWE, RFC 7516), so that those who pass a message on cannot
read a part of it, a document number for instance. The *context* says what the sealed text is and
where it belongs. It is not secret, but it is bound to the text, so that a sealed text cannot be
lifted out of one message and put into another. Sealing does not tell who sealed: that is what the
signature of the envelope around it is for.
"""

import base64
import hashlib
import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from shared.kernel.secrets import read_or_create

KEY_FILE = "node-key.pem"
MAX_SEALED_BYTES = 32 * 1024
MAX_CONTEXT_BYTES = 256

_KEY_BYTES = 32
_OPEN_TO_OTHERS = 0o077
_PEM = re.compile(rb"-----BEGIN PRIVATE KEY-----.+?-----END PRIVATE KEY-----", re.DOTALL)
_SEALING = jwe.JWERegistry(algorithms=["ECDH-ES", "A256GCM"])


class KeyUnusable(Exception):
    """A key, in a file or as text, is not one that this node can work with."""


class SealError(Exception):
    """A text cannot be sealed, or a sealed one cannot be opened by this node in this context."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """What everyone may know of a node.

    Attributes:
        signing: the raw Ed25519 public key, 32 bytes.
        agreement: the raw X25519 public key, 32 bytes.

    Raises:
        KeyUnusable: if one of them has another length.
    """

    signing: bytes
    agreement: bytes

    def __post_init__(self) -> None:
        if len(self.signing) != _KEY_BYTES or len(self.agreement) != _KEY_BYTES:
            raise KeyUnusable(
                f"A public key is {_KEY_BYTES} bytes for signing and {_KEY_BYTES} for agreement, "
                f"not {len(self.signing)} and {len(self.agreement)}."
            )

    @property
    def fingerprint(self) -> str:
        """SHA-256 over both keys in base32: thirteen groups of four, to be compared by eye."""
        digest = hashlib.sha256(self.signing + self.agreement).digest()
        letters = base64.b32encode(digest).decode().rstrip("=").lower()
        return "-".join(letters[at : at + 4] for at in range(0, len(letters), 4))

    def to_text(self) -> str:
        """Return both keys as 86 characters of base64url, for storing and for JSON."""
        return _base64url(self.signing + self.agreement)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read what :meth:`to_text` wrote.

        Raises:
            KeyUnusable: if the text is not exactly such a line.
        """
        raw = _key_bytes(text)
        return cls(raw[:_KEY_BYTES], raw[_KEY_BYTES:])

    def ed25519(self) -> Ed25519PublicKey:
        """Return the signing key ready for use."""
        return _ready_to_verify(self.signing)

    def x25519(self) -> X25519PublicKey:
        """Return the agreement key ready for use."""
        return X25519PublicKey.from_public_bytes(self.agreement)


@lru_cache(maxsize=1024)
def _key_bytes(text: str) -> bytes:
    """Return the bytes of a public key as text; a node meets the same few again and again."""
    raw = from_base64url(text)
    if raw is None or len(raw) != 2 * _KEY_BYTES:
        raise KeyUnusable(
            f"{text[:100]!r} is no public key: 86 characters of base64url are expected."
        )
    return raw


@lru_cache(maxsize=1024)
def _ready_to_verify(signing: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(signing)


@dataclass(frozen=True, slots=True, eq=False)
class NodeKey:
    """A node's private identity, which ``repr`` does not show lest it end up in a log."""

    signing: Ed25519PrivateKey = field(repr=False)
    agreement: X25519PrivateKey = field(repr=False)

    @property
    def public(self) -> PublicKey:
        """The public halves."""
        return PublicKey(
            signing=self.signing.public_key().public_bytes_raw(),
            agreement=self.agreement.public_key().public_bytes_raw(),
        )

    @classmethod
    def generate(cls) -> Self:
        """Make a new identity."""
        return cls(Ed25519PrivateKey.generate(), X25519PrivateKey.generate())

    @classmethod
    def load_or_create(cls, directory: Path) -> "NodeKey":
        """Read the key kept in ``directory``, made at the first start.

        Several workers may start at once: all get the same key.

        Raises:
            KeyUnusable: if the file is open to others, or does not hold the two keys.
            OSError: if it cannot be read or written.
        """
        path = directory / KEY_FILE
        read_or_create(path, lambda: cls.generate().to_pem())
        return read_key(path)

    def to_pem(self) -> bytes:
        """Return both private keys, unencrypted, as two PKCS #8 blocks: the content of the file."""
        return b"".join(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            for key in (self.signing, self.agreement)
        )


def read_key(path: Path) -> NodeKey:
    """Read the key in the file ``path``.

    Raises:
        KeyUnusable: if the file is open to others, or does not hold the two keys.
        OSError: if it cannot be read.
    """
    pem = path.read_bytes()
    mode = path.stat().st_mode & 0o777
    if mode & _OPEN_TO_OTHERS:
        raise KeyUnusable(
            f"The node key {path} is open to others (mode {mode:04o}): set its mode to 0600."
        )
    try:
        keys = [load_pem_private_key(block, password=None) for block in _PEM.findall(pem)]
    except (ValueError, UnsupportedAlgorithm):
        keys = []
    match keys:
        case [Ed25519PrivateKey() as signing, X25519PrivateKey() as agreement]:
            return NodeKey(signing, agreement)
    raise KeyUnusable(
        f"The node key {path} does not hold an Ed25519 and an X25519 private key in PEM: "
        "restore it from the backup, or move it away and enrol this node again."
    )


def seal(recipient: PublicKey, plaintext: bytes, *, context: str) -> str:
    """Encrypt ``plaintext`` so that only ``recipient`` can read it, and only in this context.

    The result is a compact JWE: ECDH-ES over X25519 with a key that is made for this one text, and
    A256GCM. Its header names the recipient by fingerprint (``kid``) and carries the context
    (``apu``), which also goes into the encryption key.

    Args:
        recipient: the node that shall read it.
        plaintext: at most ``MAX_SEALED_BYTES``.
        context: what this is and where it belongs; at most ``MAX_CONTEXT_BYTES`` of UTF-8.

    Raises:
        SealError: if text or context are too long, or the recipient's key is unsound.
    """
    if len(plaintext) > MAX_SEALED_BYTES or len(context.encode()) > MAX_CONTEXT_BYTES:
        raise SealError(
            f"{len(plaintext)} bytes in a context of {len(context.encode())} are too long to seal: "
            f"at most {MAX_SEALED_BYTES} in a context of {MAX_CONTEXT_BYTES}."
        )
    header = {
        "alg": "ECDH-ES",
        "enc": "A256GCM",
        "kid": recipient.fingerprint,
        "apu": _base64url(context.encode()),
    }
    try:
        key = OKPKey.import_key(recipient.x25519())
        return jwe.encrypt_compact(header, plaintext, key, registry=_SEALING)
    except ValueError as error:
        raise SealError(
            f"Nothing can be sealed for the key {recipient.fingerprint}: its agreement key is "
            "unsound. Enrol that node with a key of its own making."
        ) from error


def unseal(key: NodeKey, token: str, *, context: str) -> bytes:
    """Decrypt what was sealed for this node in this context.

    Raises:
        SealError: if it is no sealed text, is for another key or context, or was altered.
    """
    header = _header_of(token)
    own = key.public.fingerprint
    if header.get("kid") != own:
        raise SealError(
            f"The text is sealed for the key {header.get('kid')!r}, and this node's is {own}."
        )
    if header.get("apu") != _base64url(context.encode()):
        raise SealError(f"The text was sealed for another context than {context!r}.")
    try:
        opened = jwe.decrypt_compact(token, OKPKey.import_key(key.agreement), registry=_SEALING)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError, AssertionError) as error:
        # A hostile header makes the library fail in each of these ways.
        raise SealError("The sealed text cannot be opened: it was altered or cut.") from error
    return opened.plaintext or b""


def sealed_for(token: str) -> str | None:
    """Return the fingerprint of the key that ``token`` is sealed for, as it says itself.

    Raises:
        SealError: if it is no sealed text.
    """
    kid = _header_of(token).get("kid")
    return kid if isinstance(kid, str) else None


def _header_of(token: str) -> dict[str, Any]:
    try:
        header = orjson.loads(from_base64url(token.partition(".")[0]) or b"")
    except orjson.JSONDecodeError:
        header = None
    if not isinstance(header, dict):
        raise SealError(f"{token[:40]!r} is no sealed text: a compact JWE is expected.")
    return header


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes | None:
    """Return what base64url without padding says; nothing if it is written in any other way."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return None
    # Only one spelling is read, or two texts would name the same key.
    return data if _base64url(data) == text else None
