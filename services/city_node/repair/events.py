"""What repairs tell programs that follow the node."""

from shared.capability import EventType
from shared.event.declaration import publish
from shared.kernel.database import Base
from shared.kernel.language import Text

EVENTS = (
    EventType(
        "guanxi.repair.completed.v1",
        Text("A repair was recorded on the customer's record", "维修已登记入客户档案"),
        table="repair_record",
        subject="'/repairs/' || r.request_id",
        time="r.recorded_at",
        unit="(SELECT q.unit_code FROM service_request q WHERE q.id = r.request_id)",
        data={
            "customer_id": "r.customer_id",
            "visited": "r.visited",
            "result": "r.result",
            "home_fen": "r.home_fen",
            "business_day": "r.business_day",
        },
    ),
)

publish(Base.metadata, *EVENTS)
