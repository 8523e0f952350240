"""What a node's operator sees and does over HTTP: its links, who belongs to it, and mending what is parked."""

from shared.capability import Capability, Permission, Role
from shared.kernel.language import Text
from shared.node import (
    audited,
    identity,
    lane_endpoints,
    membership_endpoints,
    parking_endpoints,
)

capability = Capability(
    name="operations",
    summary=Text(
        "Links of the node, who belongs to it, and what is parked", "节点链路、成员管理与停放消息"
    ),
    routers=(
        lane_endpoints.router,
        membership_endpoints.router,
        parking_endpoints.router,
    ),
    jobs=identity.JOBS,
    actions=audited.actions,
    permissions=(
        Permission(
            "operations:read",
            Text("See the node's links, lanes and parked messages", "查看节点链路与停放消息"),
            frozenset({Role.OPERATOR, Role.PROVINCE_COORDINATOR}),
        ),
        Permission(
            "operations:invite",
            Text("Invite and admit nodes", "邀请并批准节点加入"),
            frozenset({Role.OPERATOR}),
        ),
        Permission(
            "operations:withdraw",
            Text("Revoke and retire nodes", "吊销或退役节点"),
            frozenset({Role.OPERATOR}),
        ),
        Permission(
            "operations:mend",
            Text("Retry and discard parked messages", "重试或丢弃停放消息"),
            frozenset({Role.OPERATOR}),
        ),
    ),
)
