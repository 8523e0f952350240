"""What redemptions tell programs that follow the node."""

from shared.capability import EventType
from shared.event.declaration import UNIT_OF_CUSTOMER, publish
from shared.kernel.database import Base
from shared.kernel.language import Text

_WHAT = {
    "customer_id": "r.customer_id",
    "reward": "r.reward_code",
    "quantity": "r.quantity",
    "points": "r.points",
    "state": "r.state",
}

EVENTS = (
    EventType(
        "guanxi.redemption.made.v1",
        Text("Points were redeemed for a reward", "积分兑换"),
        table="redemption",
        subject="'/points-redemptions/' || r.id",
        time="r.at",
        unit=UNIT_OF_CUSTOMER,
        data=_WHAT,
    ),
    EventType(
        "guanxi.redemption.settled.v1",
        Text("A redemption was handed over or reversed", "积分兑换已交付或撤销"),
        table="redemption",
        subject="'/points-redemptions/' || r.id",
        time="r.settled_at",
        unit=UNIT_OF_CUSTOMER,
        data=_WHAT,
        when="r.state <> o.state AND r.settled_at IS NOT NULL",
        key="id",
    ),
)

publish(Base.metadata, *EVENTS)
