"""The doors of a node that was restored from a backup: it shows what it has, and changes nothing until it has recalled.

Whether it was restored, and for how long it recalls, is told by :mod:`shared.federation.high_water`. Its neighbours
and its operators come in all the same: by them it recalls.
"""

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.capability import NodeContext
from shared.federation.exchange import BASE_PATH
from shared.kernel.language import Text
from shared.kernel.problems import Problem, language_of, problem_response

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
OPEN = (BASE_PATH, "/oauth/", "/operations/")
"""Where a node is also told things while it recalls: by other nodes, by who signs in, and by operators."""


class NodeRecalling(Problem):
    """The node was restored from a backup, and does not know yet what it had done since."""

    status = 503
    title = Text("Node recalling", "节点正在补记")
    sentence = Text(
        "Node {node} was restored from a backup, or cannot tell, and first learns from its parent node what it had done since; until then it "
        "changes nothing. Nothing was changed; try again in a few seconds. If its parent is away for long, an operator "
        "decides: `guanxi federation trust-database`.",
        "节点 {node} 由备份恢复（或无从判断），正向上级节点补记备份之后的业务，补记完成前只供查询。未作任何更改，请稍后重试；如上级长时间不可达，由运维员以 "
        "guanxi federation trust-database 决定。",
    )


class RecallingDoor:
    """ASGI middleware that refuses what would change something while the node recalls.

    Args:
        app: what serves the requests; its state has the node's context.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        changes = scope["type"] == "http" and scope["method"] not in SAFE_METHODS
        if changes and not scope["path"].startswith(OPEN):
            context: NodeContext = scope["app"].state.context
            if not await context.high_water.reached():
                problem = NodeRecalling(node=context.settings.code, headers={"Retry-After": "2"})
                answer = problem_response(problem, language_of(Request(scope)))
                await answer(scope, receive, send)
                return
        await self._app(scope, receive, send)
