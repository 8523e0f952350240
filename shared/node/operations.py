"""What a node's operator sees and does over HTTP: its links, who belongs to it, and mending what is parked."""

from shared.capability import Capability, Conflict, Permission, Role
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
    conflicts=(
        Conflict(
            frozenset({"operations:*"}),
            frozenset({"audit:read"}),
            Text(
                "who runs the node is among those whom the audit log is about",
                "审计日志亦记录运维操作，运维人员不得自行查阅",
            ),
        ),
        *(
            Conflict(frozenset({code}), frozenset({code}), reason, of_one_change=True)
            for code, reason in (
                (
                    "operations:invite",
                    Text("who invited a node does not admit it", "邀请与批准节点加入不得为同一人"),
                ),
                (
                    "operations:withdraw",
                    Text(
                        "who proposed to retire a node does not approve it",
                        "提出与批准节点退役不得为同一人",
                    ),
                ),
                (
                    "operations:mend",
                    Text(
                        "who proposed to give a message up does not approve it",
                        "提出与批准丢弃消息不得为同一人",
                    ),
                ),
            )
        ),
    ),
)
