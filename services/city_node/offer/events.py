"""What offers tell programs that follow the node."""

from shared.capability import EventType
from shared.event.declaration import publish
from shared.kernel.database import Base
from shared.kernel.language import Text

_GRANT = {
    "offer": "r.offer_code",
    "customer_id": "r.customer_id",
    "uses": "r.uses",
    "state": "r.state",
}

EVENTS = (
    EventType(
        "guanxi.offer.granted.v1",
        Text("An offer was granted to a customer, or asked for", "优惠授予或申请"),
        table="offer_grant",
        subject="'/offer-grants/' || r.id",
        time="r.granted_at",
        unit="r.unit_code",
        data=_GRANT,
    ),
    EventType(
        "guanxi.offer.decided.v1",
        Text("A grant of an offer was approved, refused or revoked", "优惠授予已审批或撤销"),
        table="offer_grant",
        subject="'/offer-grants/' || r.id",
        time="r.decided_at",
        unit="r.unit_code",
        data=_GRANT,
        when="r.state <> o.state AND r.decided_at IS NOT NULL",
        key="id",
    ),
    EventType(
        "guanxi.offer.used.v1",
        Text("A customer used an offer, or a use was reversed", "优惠使用或撤销"),
        table="offer_use",
        subject="'/offer-grants/' || r.grant_id",
        time="r.used_at",
        unit="r.unit_code",
        data={
            "use_id": "r.id",
            "reverses_id": "r.reverses_id",
            "offer": "r.offer_code",
            "uses": "r.uses",
            "cost_fen": "r.cost_fen",
        },
    ),
)

publish(Base.metadata, *EVENTS)
