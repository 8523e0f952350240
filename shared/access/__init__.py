"""Who may do what: permissions, access tokens, and the dependencies by which endpoints ask for them.

Vocabulary
----------
A *principal* is the member of staff, person or program, that a request speaks for. It has a *role*; the node's
*grants* say which *permissions* (``noun:verb``) a role holds, put together from what the capabilities declare. Its
*data scope* is its organisation unit and everything below: the units whose path begins with its own.

An *access token* is a JWT that the node signs with its *token key* (Ed25519) and that only this node takes. It names
the member, role, unit and *session*, and lives for minutes. Signing in, refreshing and signing out belong to
:mod:`shared.staff`, which knows accounts; this package knows only tokens, and so every domain may stand on it.

Life of a token
---------------
Signed at sign-in and at each refresh; sent as ``Authorization: Bearer``; verified once and then remembered by each
worker, so that a request costs a look-up; expired, or *revoked* with its session. Revoking writes the session's id
to a table and notifies, in one transaction; each worker keeps the revoked ids and compares them at every use.

Failure
-------
A worker whose connection for notifications is lost hears of revocations again when it has reconnected, and then
reads the table anew: until then, for about a second and never longer than a token lives, it takes tokens that
others refuse. Without its key file a node makes a new key, and everybody refreshes or signs in again.
"""

from shared.access.dependencies import (
    Authenticated,
    CurrentPrincipal,
    HotOnceDependency,
    NodeGrants,
    OnceDependency,
    Requirement,
    Tokens,
    authenticated,
    once,
    require,
)
from shared.access.grants import DutiesConflict, Grants
from shared.access.principal import Principal
from shared.access.revocation import CHANNEL as REVOKED_CHANNEL
from shared.access.routes import Guard, guards
from shared.access.tokens import TokenKeeper

__all__ = [
    "REVOKED_CHANNEL",
    "Authenticated",
    "CurrentPrincipal",
    "DutiesConflict",
    "Grants",
    "Guard",
    "HotOnceDependency",
    "NodeGrants",
    "OnceDependency",
    "Principal",
    "Requirement",
    "TokenKeeper",
    "Tokens",
    "authenticated",
    "guards",
    "once",
    "require",
]
