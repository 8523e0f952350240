"""Who may take people's requests about their own data, and hand the data out."""

from shared.capability import Conflict, Permission, Role
from shared.kernel.language import Text

REQUEST = "customer:subject-request"
EXPORT = "customer:subject-export"

permissions = (
    Permission(
        REQUEST,
        Text(
            "take and handle people's requests about their own data",
            "受理并办理个人信息主体请求",
        ),
        frozenset({Role.CLERK, Role.ACCOUNT_MANAGER, Role.SUPERVISOR}),
    ),
    Permission(
        EXPORT,
        Text(
            "hand out everything that is held about a person whose identity was checked",
            "向经核验身份的本人提供其全部个人信息",
        ),
        frozenset({Role.SUPERVISOR}),
    ),
)

conflicts = (
    Conflict(
        frozenset({EXPORT}),
        frozenset({EXPORT}),
        Text(
            "who proposed to erase a person does not approve it",
            "提出与批准删除个人信息不得为同一人",
        ),
        of_one_change=True,
    ),
)
