"""Who may read and check the audit log, and what of that is itself recorded.

Nobody may change it: there is no permission for that, and the node's database role cannot. An operator, who keeps the
node running and makes accounts, sees whether the log is whole but does not read it; an auditor reads it and can do
nothing else.
"""

from shared.capability import Action, Permission, Role
from shared.kernel.language import Text

READ = "audit:read"
VERIFY = "audit:verify"

permissions = (
    Permission(
        READ,
        Text("search the audit log of one's unit and those below", "查询本单位及下级的审计日志"),
        frozenset({Role.AUDITOR, Role.SUPERVISOR}),
    ),
    Permission(
        VERIFY,
        Text("check the audit log and see its chain", "校验审计日志及其哈希链"),
        frozenset({Role.AUDITOR, Role.OPERATOR}),
    ),
)

SEARCHED = Action("audit.searched", Text("The audit log was searched", "查询审计日志"))
VERIFIED = Action("audit.verified", Text("The audit log was checked", "校验审计日志"))
