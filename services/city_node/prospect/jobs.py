"""What searches for prospects by the clock and on request."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from services.city_node.evaluation.models import Scope
from services.city_node.prospect.endpoints import KIND, TRYING
from services.city_node.prospect.finding import Finder
from services.city_node.prospect.trial import Draft, compare
from shared.capability import Daily, Job, NodeContext, WorkHandle, WorkKind
from shared.kernel.language import Text


async def _nightly(context: NodeContext, now: datetime) -> None:
    await Finder(context, now, f"job:{KIND}").search_changed()


async def _asked(context: NodeContext, handle: WorkHandle) -> Mapping[str, Any]:
    finder = Finder(context, context.clock.now(), handle.requester.name, handle.progress)
    whole = handle.parameters["scope"] == Scope.CITY
    search = await (finder.search_city() if whole else finder.search_changed())
    return search.as_json()


NIGHTLY = Job(
    KIND,
    Text(
        "Search for prospects among the customers whose facts changed",
        "在情况有变化的客户中查找潜在大客户",
    ),
    Daily(at="04:30"),  # after the levels
    _nightly,
)


async def _tried(context: NodeContext, handle: WorkHandle) -> Mapping[str, Any]:
    finder = Finder(context, context.clock.now(), handle.requester.name)
    draft = Draft(handle.parameters["draft"], handle.parameters["publisher"])
    async with context.database.transaction() as session:
        unit = handle.requester.unit_code
        return {"items": await compare(session, finder, draft, unit, handle.progress)}


SEARCH = WorkKind(KIND, Text("Search for prospects", "查找潜在大客户"), _asked)
TRIAL = WorkKind(
    TRYING, Text("Try a draft of the policy of prospects", "潜在大客户政策草案试算"), _tried
)
