"""Access tokens: signed for a while, read quickly, refused at once when their session is revoked."""

from collections import OrderedDict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self
from uuid import UUID

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from sqlalchemy import select

from shared.access.grants import Grants
from shared.access.models import RevokedSession
from shared.access.principal import Principal
from shared.access.problems import SessionRevoked, TokenExpired, TokenInvalid
from shared.capability import Role
from shared.kernel.database import Database
from shared.kernel.secrets import read_or_create
from shared.kernel.settings import Settings

KEY_FILE = "token-key.pem"
LONGEST_TOKEN = 4096
REMEMBERED_TOKENS = 4096
"""Tokens whose verification is remembered; about a kilobyte each."""

_ALGORITHM = "Ed25519"  # the fully specified name of RFC 9864
_TYPE = "at+jwt"  # RFC 9068: nothing else that this key might sign passes as an access token


class TokenKeyUnusable(Exception):
    """The file of the node's token key does not hold such a key."""


class TokenKeeper:
    """Signs and reads the access tokens of one node, in one worker process.

    Reading a token a second time costs a look-up: its signature is not checked again, its expiry and its session
    are.

    Args:
        issuer: division code of the node.
        key: the node's token key.
        grants: what each role may do.
        lifetime: how long a token lives.
    """

    def __init__(
        self, issuer: str, key: Ed25519PrivateKey, grants: Grants, lifetime: timedelta
    ) -> None:
        self.lifetime = lifetime
        self._issuer = issuer
        self._grants = grants
        self._key = OKPKey.import_key(key)
        self._key_id = self._key.thumbprint()
        self._read: OrderedDict[str, tuple[Principal, datetime]] = OrderedDict()
        self._revoked: dict[UUID, datetime] = {}

    @classmethod
    def load(cls, settings: Settings, grants: Grants) -> Self:
        """Read the node's token key, made at the first start; every worker gets the same.

        Raises:
            TokenKeyUnusable: if the file does not hold an Ed25519 key.
        """
        key = _read_key(settings.directory / "keys" / KEY_FILE)
        return cls(settings.code, key, grants, timedelta(minutes=settings.access_token_minutes))

    def sign(self, principal: Principal, *, now: datetime) -> str:
        """Return an access token for ``principal`` that expires after :attr:`lifetime`.

        What the role may do is not written into it but looked up when it is read. Only a principal that asked for
        less than its role holds gets a ``scope`` claim, which says what it is left with.
        """
        self._forget_before(now)
        claims = {
            "iss": self._issuer,
            "sub": str(principal.id),
            "username": principal.username,
            "role": principal.role.value,
            "unit": principal.unit,
            "path": principal.unit_path,
            "sid": str(principal.session_id),
            "iat": int(now.timestamp()),
            "exp": int((now + self.lifetime).timestamp()),
        }
        if principal.permissions != self._grants.held_by(principal.role):
            claims["scope"] = " ".join(sorted(principal.permissions))
        header = {"alg": _ALGORITHM, "typ": _TYPE, "kid": self._key_id}
        return jwt.encode(header, claims, self._key, algorithms=[_ALGORITHM])

    def verify(self, token: str, *, now: datetime) -> Principal:
        """Return whom ``token`` speaks for.

        Raises:
            TokenInvalid: if this node did not sign it as an access token (401).
            TokenExpired: if its time is over (401).
            SessionRevoked: if its session was ended (401).
        """
        known = self._read.get(token)
        if known is None:
            known = self._remember(token, self._decode(token))
        else:
            self._read.move_to_end(token)
        principal, expires_at = known
        if now >= expires_at:
            self._read.pop(token, None)
            raise TokenExpired
        if principal.session_id in self._revoked:
            raise SessionRevoked
        return principal

    def session_of(self, token: str) -> UUID | None:
        """Return the session of a token that this node signed, expired or not; ``None`` for any other text."""
        try:
            return self._decode(token)[0].session_id
        except TokenInvalid:
            return None

    def revoke(self, session_id: UUID, until: datetime) -> None:
        """Refuse every token of a session from now on; remember it until ``until``, when all have expired."""
        self._revoked[session_id] = until

    def revoke_text(self, payload: str) -> None:
        """Revoke what a notification on :data:`~shared.access.revocation.CHANNEL` names."""
        session_id, _, until = payload.partition(" ")
        self.revoke(UUID(session_id), datetime.fromisoformat(until))

    async def reload_revoked(self, database: Database, *, now: datetime) -> None:
        """Read the revoked sessions anew: at the start, and when notifications may have been missed."""
        async with database.transaction() as session:
            rows = await session.execute(
                select(RevokedSession.session_id, RevokedSession.until).where(
                    RevokedSession.until > now
                )
            )
            for session_id, until in rows:
                self.revoke(session_id, until)
        self._forget_before(now)

    def public_keys(self) -> dict[str, Any]:
        """Return the public token key as a JWK set (RFC 7517, RFC 8037)."""
        public = self._key.as_dict(private=False)
        return {"keys": [{**public, "kid": self._key_id, "use": "sig", "alg": _ALGORITHM}]}

    def _decode(self, token: str) -> tuple[Principal, datetime]:
        if len(token) > LONGEST_TOKEN:
            raise TokenInvalid
        try:
            decoded = jwt.decode(token, self._key, algorithms=[_ALGORITHM])
            if decoded.header.get("typ") != _TYPE or decoded.claims["iss"] != self._issuer:
                raise TokenInvalid
            return self._principal(decoded.claims)
        except (JoseError, ValueError, TypeError, KeyError, AttributeError, AssertionError):
            # A hostile header makes the library fail in each of these ways.
            raise TokenInvalid from None

    def _principal(self, claims: Mapping[str, Any]) -> tuple[Principal, datetime]:
        role = Role(claims["role"])
        permissions = self._grants.held_by(role)
        if "scope" in claims:
            permissions &= frozenset(claims["scope"].split())
        principal = Principal(
            id=UUID(claims["sub"]),
            username=claims["username"],
            role=role,
            unit=claims["unit"],
            unit_path=claims["path"],
            permissions=permissions,
            session_id=UUID(claims["sid"]),
        )
        return principal, datetime.fromtimestamp(claims["exp"], UTC)

    def _remember(self, token: str, read: tuple[Principal, datetime]) -> tuple[Principal, datetime]:
        self._read[token] = read
        if len(self._read) > REMEMBERED_TOKENS:
            self._read.popitem(last=False)
        return read

    def _forget_before(self, now: datetime) -> None:
        self._revoked = {sid: until for sid, until in self._revoked.items() if until > now}


def _read_key(path: Path) -> Ed25519PrivateKey:
    pem = read_or_create(
        path,
        lambda: Ed25519PrivateKey.generate().private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        ),
    )
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise TokenKeyUnusable(
            f"The token key {path} does not hold an Ed25519 private key in PEM: restore it from the backup, or "
            "remove it and start again; everybody then signs in anew."
        )
    return key
