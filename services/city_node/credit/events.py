"""What credit ratings tell programs that follow the node."""

from shared.capability import EventType
from shared.event.declaration import OF_CUSTOMER, UNIT_OF_CUSTOMER, publish
from shared.kernel.database import Base
from shared.kernel.language import Text

_BEFORE = "(SELECT p.rating FROM credit_result p WHERE p.customer_id = r.customer_id AND p.until = r.since)"

EVENTS = (
    EventType(
        "guanxi.credit.changed.v1",
        Text("A customer's credit rating changed", "客户信誉度等级变更"),
        table="credit_result",
        subject=OF_CUSTOMER,
        time="r.since",
        unit=UNIT_OF_CUSTOMER,
        data={"from": _BEFORE, "to": "r.rating", "limit_fen": "r.limit_fen", "policy": "r.policy"},
        when=f"r.rating <> {_BEFORE}",  # a first rating is none that changed
    ),
)

publish(Base.metadata, *EVENTS)
