"""What points tell programs that follow the node."""

from shared.capability import EventType
from shared.event.declaration import OF_CUSTOMER, UNIT_OF_CUSTOMER, publish
from shared.kernel.database import Base
from shared.kernel.language import Text

_OWNER = "(SELECT a.customer_id FROM points_account a WHERE a.id = r.{})"

EVENTS = (
    EventType(
        "guanxi.points.adjusted.v1",
        Text("An adjustment of points was decided", "积分调整已裁定"),
        table="points_adjustment",
        subject=OF_CUSTOMER,
        time="r.decided_at",
        unit=UNIT_OF_CUSTOMER,
        data={"adjustment_id": "r.id", "state": "r.state", "points": "r.points"},
        when="r.decided_at IS NOT NULL AND o.decided_at IS NULL",
        key="id",
    ),
    EventType(
        "guanxi.points.transferred.v1",
        Text("Points went from one customer to another", "积分转赠"),
        table="points_transfer",
        subject=f"'/customers/' || {_OWNER.format('giver_id')}",
        time="r.at",
        unit=f"(SELECT c.unit_code FROM customer c WHERE c.id = {_OWNER.format('giver_id')})",  # noqa: S608 - from this module alone
        data={
            "transfer_id": "r.id",
            "receiver_id": _OWNER.format("receiver_id"),
            "points": "r.points",
        },
    ),
)

publish(Base.metadata, *EVENTS)
