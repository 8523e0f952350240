"""What levels tell programs that follow the node."""

from shared.capability import EventType
from shared.event.declaration import OF_CUSTOMER, publish
from shared.kernel.database import Base
from shared.kernel.language import Text

EVENTS = (
    EventType(
        "guanxi.level.changed.v1",
        Text("A customer's level changed", "客户级别变更"),
        table="level_migration",
        subject=OF_CUSTOMER,
        time="r.at",
        unit="r.unit_code",
        data={"from": "r.from_level", "to": "r.to_level", "source": "r.source"},
    ),
)

publish(Base.metadata, *EVENTS)
