"""What operators leave in the audit log: who belongs to the node, its keys, and what was parked or stopped.

Reasons that people gave stand beside what they were given for, and not here: they may name somebody.
"""

from shared.capability import Action
from shared.kernel.language import Text

INVITED = Action("node.invited", Text("A node was invited", "邀请节点加入"))
ADMITTED = Action("node.admitted", Text("A node was admitted", "批准节点加入"))
REVOKED = Action("node.revoked", Text("A node was revoked", "吊销节点"))
RETIREMENT_PROPOSED = Action(
    "node.retirement_proposed", Text("A node's retirement was proposed", "提议节点退役")
)
RETIRED = Action("node.retired", Text("A node was retired", "批准节点退役"))
KEY_ROTATED = Action("node.key_rotated", Text("The node's next key was made", "轮换节点密钥"))
KEY_REPLACED = Action("node.key_replaced", Text("The node's key was replaced", "更换节点密钥"))
RETRIED = Action("message.retried", Text("A parked message was handled again", "重试停放消息"))
DISCARD_PROPOSED = Action(
    "message.discard_proposed", Text("Giving up a message was proposed", "提议丢弃停放消息")
)
DISCARDED = Action("message.discarded", Text("A parked message was given up", "丢弃停放消息"))
DATABASE_TRUSTED = Action(
    "node.database_trusted",
    Text("A restored database was taken for the newest", "认定恢复的数据库为最新"),
)
LANE_RESUMED = Action("lane.resumed", Text("A stopped lane was let go on", "恢复停止的通道"))

actions = (
    INVITED, ADMITTED, REVOKED, RETIREMENT_PROPOSED, RETIRED, KEY_ROTATED, KEY_REPLACED, RETRIED, DISCARD_PROPOSED,
    DISCARDED, DATABASE_TRUSTED, LANE_RESUMED,
)  # fmt: skip
