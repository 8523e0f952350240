"""Who may evaluate many customers, and try drafts."""

from typing import Annotated

from fastapi import Depends

from shared.access import Principal, require
from shared.capability import Action, Permission, Role
from shared.kernel.language import Text

RUN = "evaluation:run"

permissions = (
    Permission(
        RUN,
        Text(
            "evaluate the city's customers, and try drafts of policies on them",
            "批量评定客户，用政策草案试算",
        ),
        frozenset({Role.SUPERVISOR, Role.OPERATOR}),
    ),
)

ASKED = Action("evaluation.asked", Text("An evaluation of customers was asked for", "发起客户评定"))
TRIED = Action("evaluation.tried", Text("A draft of a policy was tried", "发起政策草案试算"))
ONE = Action("evaluation.one", Text("One customer was evaluated", "评定单个客户"))
actions = (ASKED, TRIED, ONE)

MayRun = Annotated[Principal, Depends(require(RUN))]
