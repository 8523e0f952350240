"""Who may say when a profile is stale."""

from typing import Annotated

from fastapi import Depends

from shared.access import Principal, require
from shared.capability import Permission, Role
from shared.kernel.language import Text

WRITE = "verification-rule:write"

permissions = (
    Permission(
        WRITE,
        Text("say after how many days a profile is stale", "设定客户档案核实周期"),
        frozenset({Role.OPERATOR}),
    ),
)

MaySetRules = Annotated[Principal, Depends(require(WRITE))]
