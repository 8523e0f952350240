"""Who may say what elements weigh."""

from typing import Annotated

from fastapi import Depends

from shared.access import Principal, require
from shared.capability import Permission, Role
from shared.kernel.language import Text

WRITE = "completeness:write"

permissions = (
    Permission(
        WRITE,
        Text("say what each element of a profile weighs", "设定客户档案完整度权重"),
        frozenset({Role.OPERATOR}),
    ),
)

MaySetWeights = Annotated[Principal, Depends(require(WRITE))]
