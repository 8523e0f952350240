"""What policies tell programs that follow the node."""

from shared.capability import EventType
from shared.event.declaration import publish
from shared.kernel.database import Base
from shared.kernel.language import Text

EVENTS = (
    EventType(
        "guanxi.policy.received.v1",
        Text("A version of a policy was published or arrived", "政策版本已发布或到达"),
        table="policy_version",
        subject="'/policies/' || r.kind",
        time="r.received_at",
        unit="NULL",
        data={
            "publisher": "r.publisher",
            "number": "r.number",
            "effective_from": "r.effective_from",
            "digest": "r.digest",
        },
    ),
    EventType(
        "guanxi.policy.withdrawn.v1",
        Text("A version of a policy was withdrawn", "政策版本已撤回"),
        table="policy_withdrawal",
        subject="'/policies/' || r.kind",
        time="r.received_at",
        unit="NULL",
        data={"publisher": "r.publisher", "version": "r.version"},
    ),
)

publish(Base.metadata, *EVENTS)
