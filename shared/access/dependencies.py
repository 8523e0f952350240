"""What endpoints ask for: a signed-in principal, a permission, a request that takes effect once."""

from typing import Annotated

import structlog
from fastapi import Depends, Header, Request
from fastapi.openapi.models import OAuth2, OAuthFlowClientCredentials, OAuthFlowPassword, OAuthFlows
from fastapi.security.base import SecurityBase

from shared.access.grants import Grants
from shared.access.principal import Principal
from shared.access.problems import PermissionMissing, ScopeTooNarrow, SignInRequired
from shared.access.tokens import TokenKeeper
from shared.kernel.database import driver_connection
from shared.kernel.edge import HotTransaction, Now, Transaction, awaited, now_of
from shared.kernel.idempotency import Once

_TOKEN_URL = "/oauth/token"  # noqa: S105 - an address, not a secret
_FLOWS = OAuthFlows(
    password=OAuthFlowPassword(tokenUrl=_TOKEN_URL, refreshUrl=_TOKEN_URL),
    clientCredentials=OAuthFlowClientCredentials(tokenUrl=_TOKEN_URL),
)


class Requirement(SecurityBase):
    """A FastAPI dependency: the request's principal, with a permission if one is named.

    It is one dependency and not a chain of them, because every request passes here.

    Attributes:
        permission: code of the permission that is needed, or ``None`` if being signed in is enough.
    """

    def __init__(self, permission: str | None) -> None:
        self.permission = permission
        self.model = OAuth2(flows=_FLOWS, description="A member of staff, person or program.")
        self.scheme_name = "staff"

    async def __call__(self, request: Request) -> Principal:
        """Return the request's principal.

        Raises:
            SignInRequired: without a bearer token (401).
            TokenInvalid, TokenExpired, SessionRevoked: if the token is not good, or no longer (401).
            PermissionMissing, ScopeTooNarrow: without the permission (403).
        """
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise SignInRequired
        tokens: TokenKeeper = request.app.state.tokens
        principal = tokens.verify(token.strip(), now=now_of(request))
        structlog.contextvars.bind_contextvars(staff=principal.username)
        if self.permission is not None and self.permission not in principal.permissions:
            grants: Grants = request.app.state.grants
            holders = grants.holders_of(self.permission)
            if principal.role in holders:
                raise ScopeTooNarrow(self.permission)
            raise PermissionMissing(self.permission, principal.role, holders)
        return principal


def require(permission: str) -> Requirement:
    """Return the dependency that lets only holders of ``permission`` through, and gives the principal.

    Use it as ``principal: Annotated[Principal, Depends(require("customer:read"))]``.
    """
    return Requirement(permission)


authenticated = Requirement(None)
Authenticated = Annotated[Principal, Depends(authenticated)]
"""Anybody who is signed in."""
CurrentPrincipal = Authenticated


IdempotencyKey = Annotated[
    str | None,
    Header(
        description="Needed: a text of your choice (a UUID, 1 to 200 characters) that names this request. "
        "Repeating the request with it is safe.",
        examples=["0192d5c1-7e1a-7cc3-a5b0-5f3f3a1b9c01"],
    ),
]


async def once(
    request: Request,
    principal: Authenticated,
    transaction: Transaction,
    now: Now,
    idempotency_key: IdempotencyKey = None,
) -> Once:
    """Claim the request's ``Idempotency-Key`` for the principal, in the request's transaction.

    An endpoint names it after its :func:`require`, so that an answer is not repeated to one who has lost the
    permission.
    """
    connection = await driver_connection(transaction)
    return await Once.begin(request, connection, str(principal.id), idempotency_key, now=now)


async def hot_once(
    request: Request,
    principal: Authenticated,
    connection: HotTransaction,
    now: Now,
    idempotency_key: IdempotencyKey = None,
) -> Once:
    """Do what :func:`once` does, in the transaction of a hot write."""
    return await Once.begin(request, connection, str(principal.id), idempotency_key, now=now)


OnceDependency = Annotated[Once, Depends(once)]
HotOnceDependency = Annotated[Once, Depends(hot_once)]


def tokens_of(request: Request) -> TokenKeeper:
    """Return the token keeper of the worker that serves ``request``."""
    tokens: TokenKeeper = request.app.state.tokens
    return tokens


def grants_of(request: Request) -> Grants:
    """Return who may do what in the node that serves ``request``."""
    grants: Grants = request.app.state.grants
    return grants


Tokens = Annotated[TokenKeeper, Depends(awaited(tokens_of))]
NodeGrants = Annotated[Grants, Depends(awaited(grants_of))]
