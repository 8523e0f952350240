"""Staff: who works with a node, how they sign in, and who decides that.

Vocabulary
----------
A *member of staff* is an account: a *person*, or a *service*, which is a program. It has a *role* that the node's
tier knows and belongs to one *organisation unit* of the node, which is its data scope. A *session* is one sign-in,
from the password to the sign-out; its *access tokens* (:mod:`shared.access`) live for minutes, its *refresh token*
works once and gives the next pair.

Life of a session
-----------------
A person signs in with a password, a service with its secret (:mod:`~shared.staff.sign_in`); the password is compared
beside the event loop, with Argon2id. After some wrong ones in a row the username is *delayed*, twice as long each
time (:mod:`~shared.staff.throttle`). A session ends by itself after the setting ``refresh_token_hours``, by signing
out, when an old refresh token is used again, and when the account's password, role, unit or state changes. Ending
is immediate in every worker. An hourly job deletes what is over.

Who may write
-------------
Operators manage all accounts of their scope; supervisors the clerks and account managers of their unit and the
persons below, themselves excepted: nobody makes themselves or a peer more than they are. The first account of a node
is made on its machine, by ``guanxi user create``; no account has a default password. Duties that the node declares
to be kept apart are not given to one person in two accounts, which are known by their display name. Each change keeps
who, when, old and new. An account is never deleted, because the history names it; it is disabled. All of this, and
every sign-in and refusal, is in the audit log, too.

Failure
-------
A wrong password is counted in a transaction of its own, so that the refusal does not undo it. A sign-in whose account
is changed while the password is compared is refused. A commit that fails after tokens were revoked in the answering
worker leaves them refused there: the safe side.
"""

from shared.capability import Capability, Permission, Role
from shared.kernel.language import Text
from shared.staff.audited import actions
from shared.staff.commands import app
from shared.staff.endpoints import router
from shared.staff.jobs import jobs
from shared.staff.oauth_endpoints import router as oauth_router

capability = Capability(
    name="staff",
    summary=Text("Staff, sign-in and roles", "人员、登录与角色"),
    routers=(oauth_router, router),
    jobs=jobs,
    actions=actions,
    permissions=(
        Permission(
            "staff:read",
            Text(
                "See the accounts of one's own scope and their history",
                "查看本范围内的账号及其变更",
            ),
            frozenset({Role.OPERATOR, Role.SUPERVISOR, Role.PROVINCE_COORDINATOR, Role.HQ_ANALYST}),
        ),
        Permission(
            "staff:manage",
            Text("Make, change and disable accounts", "新建、修改、停用账号"),
            frozenset({Role.OPERATOR, Role.SUPERVISOR}),
        ),
    ),
    commands=(("user", app),),
)
