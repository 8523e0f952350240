"""Who may see what was erased, and have somebody erased."""

from shared.capability import Permission, Role
from shared.kernel.language import Text

ERASE = "customer:erase"

permissions = (
    Permission(
        ERASE,
        Text(
            "have a person erased who asked for it, as one of two people, and see proofs of erasure",
            "经双人复核删除个人信息，并查看删除凭证",
        ),
        frozenset({Role.SUPERVISOR}),
    ),
)
