"""What evaluations tell programs that follow the node."""

from shared.capability import EventType
from shared.event.declaration import publish
from shared.kernel.database import Base
from shared.kernel.language import Text

EVENTS = (
    EventType(
        "guanxi.evaluation.finished.v1",
        Text("Customers were evaluated by a rule", "规则评定完成"),
        table="evaluation",
        subject="'/' || r.rule || '-evaluations'",
        time="r.at",
        unit="NULL",
        data={
            "evaluation_id": "r.id",
            "rule": "r.rule",
            "scope": "r.scope",
            "policy": "r.policy",
            "customers": "r.customers",
            "changed": "r.changed",
        },
    ),
)

publish(Base.metadata, *EVENTS)
