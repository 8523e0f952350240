"""Signing in, staying signed in, signing out (OAuth 2.0, RFC 6749, 7009 and 9700).

A sign-in is several short transactions with a slow hash between them, and a wrong password has to be counted
although the answer is a refusal: so this service opens its transactions itself, and stands at the edge.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from shared import audit
from shared.access import Grants, Principal, TokenKeeper
from shared.access.revocation import revoke_sessions
from shared.capability import Action, Role
from shared.kernel.database import Database
from shared.kernel.ids import new_id
from shared.kernel.settings import Settings
from shared.staff import passwords, repository, throttle
from shared.staff.audited import SESSION_ENDED, SESSION_OPENED, SESSION_REFUSED, TOKEN_REUSED
from shared.staff.models import RefreshToken, SignInSession, StaffKind, StaffMember
from shared.staff.problems import (
    ClientWrong,
    PasswordWrong,
    RefreshTokenInvalid,
    RefreshTokenReused,
    ScopeInvalid,
)
from shared.staff.repository import Placed
from shared.staff.service import USERNAME

REFRESH_TOKEN_BYTES = 32
MALFORMED = ""
"""Under which the failures of all names are counted that no account can have."""

log = structlog.get_logger("sign-in")


@dataclass(frozen=True, slots=True)
class Issued:
    """What a sign-in or refresh gives."""

    access_token: str
    lifetime: timedelta
    permissions: frozenset[str]
    refresh_token: str | None


@dataclass(frozen=True, slots=True)
class SignIn:
    """The token endpoint of one node, for one request.

    Attributes:
        database: the node's.
        tokens: the answering worker's token keeper.
        grants: what each role may do.
        settings: the node's.
        now: the present moment.
        address: where the request came from.
    """

    database: Database
    tokens: TokenKeeper
    grants: Grants
    settings: Settings
    now: datetime
    address: str | None = None

    async def with_password(self, username: str, password: str, scope: str | None) -> Issued:
        """Sign a person in.

        Raises:
            PasswordWrong: if the two do not belong to a person who may sign in (400).
            shared.staff.throttle.SignInDelayed: after too many wrong passwords (429).
            ScopeInvalid: if ``scope`` asks for more than the role holds (400).
        """
        member = await self.prove(username, password, StaffKind.PERSON)
        if member is None:
            raise PasswordWrong
        return await self._begin(member, password, scope, PasswordWrong())

    async def as_service(self, client_id: str, secret: str, scope: str | None) -> Issued:
        """Sign a program in; it gets no refresh token, for it has its secret (RFC 6749, 4.4.3).

        Raises:
            ClientWrong: if the two do not belong to a service account that may sign in (401).
            shared.staff.throttle.SignInDelayed: after too many wrong secrets (429).
            ScopeInvalid: if ``scope`` asks for more than the role holds (400).
        """
        member = await self.prove(client_id, secret, StaffKind.SERVICE)
        if member is None:
            raise ClientWrong
        return await self._begin(member, secret, scope, ClientWrong())

    async def prove(
        self, username: str, password: str, kind: StaffKind | None = None
    ) -> StaffMember | None:
        """Return the active account of that name if the password is its; otherwise count a failure.

        Unknown names, disabled accounts and the wrong kind cost the same time and are counted the same.

        Raises:
            shared.staff.throttle.SignInDelayed: after too many failures (429), whatever the password.
        """
        name = username.strip().lower()
        name = name if USERNAME.fullmatch(name) else MALFORMED
        async with self.database.transaction() as session:
            await throttle.refuse_while_delayed(session, name, now=self.now)
            placed = await repository.find(session, name)
        member = placed.member if placed else None
        if member and (not member.active or (kind and member.kind != kind)):
            member = None
        right = await passwords.is_right(password, member.password_hash if member else None)
        async with self.database.transaction() as session:
            # Again: of many guesses made at once, none counts that was answered after the delay had begun.
            await throttle.refuse_while_delayed(session, name, now=self.now)
            if right:
                await throttle.clear_failures(session, name)
            else:
                allowed = self.settings.sign_in_failures
                await throttle.count_failure(session, name, allowed=allowed, now=self.now)
                self._record(session, SESSION_REFUSED, placed)
        if not right:
            # A name that is no account's may be a password typed into the wrong field.
            known = name if placed else None
            log.warning("sign-in refused", username=known, address=self.address)
            return None
        return member

    async def again(self, refresh_token: str, scope: str | None) -> Issued:
        """Give new tokens for a refresh token, which works once; a second use ends the session.

        Raises:
            RefreshTokenInvalid: if it is unknown, or its session revoked or expired (400).
            RefreshTokenReused: if it was used before (400).
            ScopeInvalid: if ``scope`` asks for more than the session has (400).
        """
        token_hash = _hash(refresh_token)
        async with self.database.transaction() as session:
            session_id = await repository.use_refresh_token(session, token_hash, now=self.now)
            if session_id is not None:
                return await self._go_on(session, session_id, scope)
            session_id = await repository.session_of_refresh_token(session, token_hash)
            if session_id is not None:
                await self._end(session, session_id, TOKEN_REUSED)
        if session_id is None:
            raise RefreshTokenInvalid
        log.warning("refresh token reused", session=str(session_id), address=self.address)
        raise RefreshTokenReused

    async def end(self, token: str) -> None:
        """Sign out: end the session that a refresh or access token belongs to; any other text is nothing to end."""
        async with self.database.transaction() as session:
            session_id = await repository.session_of_refresh_token(session, _hash(token))
            session_id = session_id or self.tokens.session_of(token)
            if session_id is not None:
                await self._end(session, session_id, SESSION_ENDED)

    async def _end(self, session: AsyncSession, session_id: UUID, action: Action) -> None:
        ended = await repository.end_session(session, session_id, now=self.now)
        await revoke_sessions(session, ended, now=self.now, tokens=self.tokens)
        if ended:
            owner = await repository.owner_of_session(session, session_id)
            placed = await repository.member_of(session, owner) if owner else None
            self._record(session, action, placed, session_id)

    def _record(
        self,
        session: AsyncSession,
        action: Action,
        placed: Placed | None,
        session_id: UUID | None = None,
    ) -> None:
        """Record a sign-in or its end; without an account only where it came from is known."""
        actor = audit.Actor("unknown")
        if placed is not None:
            member = placed.member
            actor = audit.Actor(
                member.username,
                user_id=member.id,
                role=member.role,
                unit_code=member.unit_code,
                unit_path=placed.unit_path,
            )
        subject = ("session", session_id) if session_id else None
        audit.record(
            session,
            actor,
            action,
            at=self.now,
            subject=subject,
            detail={"address": self.address},
        )

    async def _begin(
        self, proved: StaffMember, password: str, scope: str | None, changed: Exception
    ) -> Issued:
        async with self.database.transaction() as session:
            placed = await repository.lock(session, proved.id)
            if placed is None or not placed.member.active:
                raise changed
            member = placed.member
            kept = member.password_hash
            if kept != proved.password_hash and not await passwords.is_right(password, kept):
                raise changed
            if passwords.is_outdated(member.password_hash):
                member.password_hash = await passwords.hash_password(password)
            permissions = self._narrowed(member, self.grants.held_by(Role(member.role)), scope)
            person = member.kind == StaffKind.PERSON
            life = timedelta(hours=self.settings.refresh_token_hours)
            started = SignInSession(
                id=new_id(),
                staff_id=member.id,
                scope=" ".join(sorted(permissions)) if scope and scope.strip() else None,
                address=self.address,
                created_at=self.now,
                expires_at=self.now + (life if person else self.tokens.lifetime),
                revoked_at=None,
            )
            await repository.add_session(session, started)
            self._record(session, SESSION_OPENED, placed, started.id)
            log.info("signed in", username=member.username, role=member.role, address=self.address)
            return self._issue(session, placed, started, permissions, refreshable=person)

    async def _go_on(self, session: AsyncSession, session_id: UUID, scope: str | None) -> Issued:
        present = await repository.lock_open_session(session, session_id, now=self.now)
        placed = await repository.member_of(session, present.staff_id) if present else None
        if present is None or placed is None or not placed.member.active:
            raise RefreshTokenInvalid
        held = self.grants.held_by(Role(placed.member.role))
        if present.scope is not None:
            held &= frozenset(present.scope.split())
        permissions = self._narrowed(placed.member, held, scope)
        return self._issue(session, placed, present, permissions, refreshable=True)

    def _issue(
        self,
        session: AsyncSession,
        placed: Placed,
        started: SignInSession,
        permissions: frozenset[str],
        *,
        refreshable: bool,
    ) -> Issued:
        member = placed.member
        principal = Principal(
            id=member.id,
            username=member.username,
            role=Role(member.role),
            unit=member.unit_code,
            unit_path=placed.unit_path,
            permissions=permissions,
            session_id=started.id,
        )
        refresh = secrets.token_urlsafe(REFRESH_TOKEN_BYTES) if refreshable else None
        if refresh is not None:
            kept = RefreshToken(
                token_hash=_hash(refresh), session_id=started.id, issued_at=self.now, used_at=None
            )
            repository.add_refresh_token(session, kept)
        access = self.tokens.sign(principal, now=self.now)
        return Issued(access, self.tokens.lifetime, permissions, refresh)

    @staticmethod
    def _narrowed(member: StaffMember, held: frozenset[str], scope: str | None) -> frozenset[str]:
        asked = frozenset((scope or "").split())
        if excess := asked - held:
            raise ScopeInvalid(
                excess=" ".join(sorted(excess)), role=member.role, held=" ".join(sorted(held))
            )
        return asked or held


def _hash(token: str) -> bytes:
    # A token is 256 random bits: a fast hash hides it as well as a slow one.
    return hashlib.sha256(token.encode()).digest()
