"""What reporting tells programs that follow the node."""

from collections.abc import Mapping

from shared.capability import EventType
from shared.event.declaration import publish
from shared.kernel.database import Base
from shared.kernel.language import Text

_SLICE = "'/statistics/board?period=' || r.period || '&region=' || r.node"
_CELL = {"period": "r.period", "node": "r.node", "dataset": "r.dataset"}
_MONTH = "'/statistics/periods/' || r.month"
_ACT = {"month": "r.month", "node": "r.node", "number": "r.number"}


def _alarm(kind: str, text: Text) -> EventType:
    """Return what is told when the board raises or ends an alarm."""
    return EventType(
        f"guanxi.slice.{kind}.v1",
        text,
        table="reporting_alarm",
        subject=_SLICE,
        time="r.at",
        unit="NULL",
        data=_CELL,
        when=f"r.kind = '{kind}'",
    )


def _statement(name: str, text: Text, data: Mapping[str, str], when: str) -> EventType:
    """Return what is told when such a statement is made or comes."""
    return EventType(
        f"guanxi.{name}.v1",
        text,
        table="reporting_statement",
        subject=_MONTH,
        time="r.received_at",
        unit="NULL",
        data=data,
        when=when,
    )


EVENTS = (
    _alarm("overdue", Text("A slice that was due has not come", "统计逾期未报")),
    _alarm("received", Text("A slice that was overdue has come", "逾期统计已收到")),
    _statement(
        "month.closed",
        Text("A city's month was closed", "地市月度统计已结账"),
        _ACT,
        "r.kind = 'closed'",
    ),
    _statement(
        "month.reopened",
        Text("A city's month was reopened", "地市月度统计已反结账"),
        _ACT,
        "r.kind = 'reopened'",
    ),
    _statement(
        "restatement.decided",
        Text("A restatement was approved or rejected", "统计重述已审批"),
        {**_CELL, "revision": "r.revision", "decision": "r.kind", "publisher": "r.publisher"},
        "r.kind IN ('approved', 'rejected')",
    ),
)

publish(Base.metadata, *EVENTS)
