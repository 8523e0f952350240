"""Reports that a test keeps over HTTP."""

from typing import Any

from shared import audit, organisation, policy, staff, statistics, statistics_report, work
from tests.conftest import TestNode
from tests.statistics.registered_cities import Headers

CAPABILITIES = (
    *(organisation.capability, staff.capability, audit.capability, work.capability),
    *(policy.capability, statistics.capability, statistics_report.capability),
)
PATH = "/statistics/reports"
QUESTION = {"indicator": ["customers"], "period": "last_month", "by": ["region"]}


async def make(node: TestNode, headers: Headers, **body: Any) -> dict[str, Any]:
    whole = {"name": "各省客户", "question": QUESTION, "format": "csv"} | body
    answer = await node.client.post(PATH, json=whole, headers=headers)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    assert answer.headers["etag"] == '"1"'
    assert answer.headers["location"] == f"{PATH}/{made['id']}"
    return made


async def runs_of(node: TestNode, headers: Headers, report: dict[str, Any]) -> list[dict[str, Any]]:
    answer = await node.client.get(f"{PATH}/{report['id']}/runs", headers=headers)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items
