"""What prospects tell programs that follow the node."""

from shared.capability import EventType
from shared.event.declaration import publish
from shared.kernel.database import Base
from shared.kernel.language import Text

EVENTS = (
    EventType(
        "guanxi.prospect.moved.v1",
        Text("A prospect was found, worked on or ended", "潜在大客户状态变化"),
        table="prospect_event",
        subject="'/prospects/' || r.prospect_id",
        time="r.at",
        unit="r.unit_code",
        data={
            "act": "r.act",
            "from": "r.from_state",
            "to": "r.to_state",
            "customer_id": "r.customer_id",
            "target": "r.target",
            "score": "r.score",
        },
    ),
)

publish(Base.metadata, *EVENTS)
