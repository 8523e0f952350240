"""What reporting tells programs that follow the node."""

from shared.capability import EventType
from shared.event.declaration import publish
from shared.kernel.database import Base
from shared.kernel.language import Text

_SLICE = "'/statistics/board?period=' || r.period || '&region=' || r.node"
_CELL = {"period": "r.period", "node": "r.node", "dataset": "r.dataset"}
_MONTH = "'/statistics/periods/' || r.month"
_ACT = {"month": "r.month", "node": "r.node", "number": "r.number"}

EVENTS = (
    EventType(
        "guanxi.slice.overdue.v1",
        Text("A slice that was due has not come", "统计逾期未报"),
        table="reporting_alarm",
        subject=_SLICE,
        time="r.at",
        unit="NULL",
        data=_CELL,
        when="r.kind = 'overdue'",
    ),
    EventType(
        "guanxi.slice.received.v1",
        Text("A slice that was overdue has come", "逾期统计已收到"),
        table="reporting_alarm",
        subject=_SLICE,
        time="r.at",
        unit="NULL",
        data=_CELL,
        when="r.kind = 'received'",
    ),
    EventType(
        "guanxi.month.closed.v1",
        Text("A city's month was closed", "地市月度统计已结账"),
        table="reporting_statement",
        subject=_MONTH,
        time="r.received_at",
        unit="NULL",
        data=_ACT,
        when="r.kind = 'closed'",
    ),
    EventType(
        "guanxi.month.reopened.v1",
        Text("A city's month was reopened", "地市月度统计已反结账"),
        table="reporting_statement",
        subject=_MONTH,
        time="r.received_at",
        unit="NULL",
        data=_ACT,
        when="r.kind = 'reopened'",
    ),
    EventType(
        "guanxi.restatement.decided.v1",
        Text("A restatement was approved or rejected", "统计重述已审批"),
        table="reporting_statement",
        subject=_MONTH,
        time="r.received_at",
        unit="NULL",
        data={**_CELL, "revision": "r.revision", "decision": "r.kind", "publisher": "r.publisher"},
        when="r.kind IN ('approved', 'rejected')",
    ),
)

publish(Base.metadata, *EVENTS)
