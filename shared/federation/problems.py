"""How one node refuses another: each violation of the protocol has its own problem, and changes nothing."""

from shared.kernel.language import Text
from shared.kernel.problems import Problem


class SignatureRefused(Problem):
    """A request between nodes is not signed as the protocol demands; ``reason`` tells which demand."""

    status = 401
    title = Text("Signature refused", "签名被拒绝")
    sentence = Text("{reason}: {detail}", "{reason}：{detail}")


class NonceReplayed(Problem):
    """A signed request came a second time."""

    status = 401
    title = Text("Nonce replayed", "随机数重放")
    sentence = Text(
        "Node {peer} has used nonce {nonce} before. Sign each request anew, also when repeating it.",
        "节点 {peer} 已使用过随机数 {nonce}；每次请求（包括重发）都须重新签名。",
    )


class PeerUnknown(Problem):
    """The sender is no neighbour of this node, or no longer."""

    status = 403
    title = Text("Peer unknown", "未知对等节点")
    sentence = Text(
        "Node {peer} is not an active {relation} of {here}. It joins with a one-time code: `guanxi node enrol`.",
        "节点 {peer} 不是 {here} 的有效{relation}；请用一次性代码加入：guanxi node enrol。",
    )


class PeerRevoked(Problem):
    """The sender is a neighbour that was revoked."""

    status = 403
    title = Text("Peer revoked", "对等节点已吊销")
    sentence = Text(
        "Node {peer} was revoked at {here}: nothing that it signs is believed. It joins again with a new key "
        "(`guanxi node new-key`), a new one-time code and the approval of a second person.",
        "节点 {peer} 已在 {here} 被吊销，其签名不再可信。须用新密钥（guanxi node new-key）、新的一次性代码并经第二人批准后重新加入。",
    )


class ReceiverWrong(Problem):
    """A request between nodes was signed for another receiver."""

    status = 421
    title = Text("Receiver wrong", "接收节点不符")
    sentence = Text(
        "The request is for {given}; this is {here}. `guanxi-receiver` names the receiver and is signed, "
        "so that a request cannot be replayed to another node.",
        "该请求发往 {given}，本节点为 {here}。guanxi-receiver 指明接收节点并参与签名，以防向其他节点重放。",
    )


class OriginForeign(Problem):
    """A peer passes on a message whose origin it may not speak for."""

    status = 403
    title = Text("Origin foreign", "来源越权")
    sentence = Text(
        "Node {peer} may not speak for {origin}, which is not in its part of the tree. The whole batch was refused.",
        "节点 {peer} 无权代表 {origin}（不在其下辖范围内），整批被拒绝。",
    )


class SequenceGap(Problem):
    """A batch begins after the message that is awaited."""

    status = 409
    title = Text("Sequence gap", "序号不连续")
    sentence = Text(
        "Lane {lane} of {peer} goes on with message {expected}, not {first}. Send again from there.",
        "{peer} 的 {lane} 通道应从序号 {expected} 继续，而非 {first}；请从该序号重发。",
    )


class LaneDiverged(Problem):
    """The two ends of a lane have different histories: one of them was restored from a backup."""

    status = 409
    title = Text("Lane diverged", "通道历史不一致")
    sentence = Text(
        "Lane {lane} with {peer}: {detail} The child reconciles with its parent: POST /federation/v1/reconciliations.",
        "与 {peer} 的 {lane} 通道：{detail} 须由下级节点与上级核对：POST /federation/v1/reconciliations。",
    )


class NodeBusy(Problem):
    """A parent works on enough batches of figures and mass data already."""

    status = 503
    title = Text("Node busy", "节点繁忙")
    sentence = Text(
        "This node works on {at_once} batches of rollup and bulk already; send the one of {lane} after Retry-After seconds.",
        "本节点已在处理 {at_once} 批 rollup/bulk 数据；请在 Retry-After 秒后重发 {lane} 批次。",
    )


class LaneUnknown(Problem):
    """There is no such lane with such a peer."""

    status = 404
    title = Text("Lane unknown", "无此通道")
    sentence = Text(
        "This node has no lane {lane} with {peer}; GET /operations/links lists those it has.",
        "本节点与 {peer} 之间没有 {lane} 通道；现有通道见 GET /operations/links。",
    )


class ReceiptRefused(Problem):
    """A receipt does not prove what it should."""

    status = 400
    title = Text("Receipt refused", "回执被拒绝")
    sentence = Text(
        "The receipt of {peer} for lane {lane} is refused: {why}",
        "{peer} 关于 {lane} 通道的回执被拒绝：{why}",
    )


class LaneStopped(Problem):
    """A lane waits for an operator, because its two ends cannot agree by themselves."""

    status = 409
    title = Text("Lane stopped", "通道已停止")
    sentence = Text(
        "Lane {lane} with {peer} is stopped: {why}",
        "与 {peer} 的 {lane} 通道已停止：{why}",
    )


class BodyTooLarge(Problem):
    """A body is larger than the protocol allows."""

    status = 413
    title = Text("Body too large", "请求体过大")
    sentence = Text(
        "The body has more than {limit} bytes; send smaller batches.",
        "请求体超过 {limit} 字节，请减小批量。",
    )


class EncodingUnsupported(Problem):
    """A body is not compressed by zstd."""

    status = 415
    title = Text("Encoding unsupported", "编码不受支持")
    sentence = Text(
        "The body has content-encoding {given} and content-type {type}; the protocol wants zstd and {wanted}.",
        "请求体编码为 {given}、类型为 {type}；协议要求 zstd 与 {wanted}。",
    )


class ExchangeMalformed(Problem):
    """A body that was signed well does not have the form of the protocol."""

    status = 400
    title = Text("Exchange malformed", "交换内容格式错误")
    sentence = Text("{detail}", "{detail}")


class MessageNotArrived(Problem):
    """No message has arrived under that number."""

    status = 404
    title = Text("Message not arrived", "无此到达消息")
    sentence = Text(
        "No message has arrived here under number {arrival}; GET /operations/parked lists what is parked.",
        "本节点没有编号为 {arrival} 的到达消息；停放的消息见 GET /operations/parked。",
    )


class MessageNotParked(Problem):
    """A message that is to be discarded is not, or no longer, parked."""

    status = 409
    title = Text("Message not parked", "消息未停放")
    sentence = Text(
        "Message {arrival} is {state}, not parked, so it cannot be discarded.",
        "消息 {arrival} 的状态为 {state}，并未停放，不能丢弃。",
    )


class DiscardNotProposed(Problem):
    """A discard is approved that nobody has proposed."""

    status = 409
    title = Text("Discard not proposed", "尚未提出丢弃")
    sentence = Text(
        "Nobody has proposed to discard message {arrival}: propose it with a reason, and let a second person approve.",
        "尚无人提出丢弃消息 {arrival}：请先说明理由提出，再由第二人批准。",
    )


class EnrolmentPending(Problem):
    """A node has asked to join, and a second person has not admitted it yet."""

    status = 409
    title = Text("Enrolment pending", "加入待批准")
    sentence = Text(
        "Node {child} has asked to join {here} with the key {fingerprint}. An operator of {here} other than the one who "
        "invited it compares this fingerprint and admits it: `guanxi node admit {child} --fingerprint {fingerprint}`. Then ask again.",
        "节点 {child} 已用密钥 {fingerprint} 申请加入 {here}。须由邀请者以外的另一位 {here} 运维员核对指纹并批准："
        "guanxi node admit {child} --fingerprint {fingerprint}，之后请重新申请。",
    )


class EnrolmentNotPending(Problem):
    """A node is to be admitted that has not asked to join."""

    status = 404
    title = Text("Enrolment not pending", "无待批准的加入申请")
    sentence = Text(
        "Node {child} has not asked to join {here}: its operator does so by `guanxi node enrol` with a one-time code.",
        "节点 {child} 尚未申请加入 {here}：请其运维员用一次性代码执行 guanxi node enrol。",
    )


class FingerprintDiffers(Problem):
    """The fingerprint that an operator gives is not that of the key which a node asked with."""

    status = 409
    title = Text("Fingerprint differs", "指纹不符")
    sentence = Text(
        "Node {child} asked with the key {asked}, not {given}. Ask its operator for the fingerprint that "
        "`guanxi node enrol` shows there; if it differs, somebody else has used the one-time code: invite the node anew.",
        "节点 {child} 申请所用密钥为 {asked}，而非 {given}。请向其运维员核对 guanxi node enrol 所示指纹；"
        "若不一致，则一次性代码已被他人使用，请重新邀请。",
    )


class NodeUnknown(Problem):
    """The registry has no such node."""

    status = 404
    title = Text("Node unknown", "未知节点")
    sentence = Text(
        "The registry of {here} knows no node {code}. GET /operations/nodes lists those that it knows.",
        "{here} 的登记簿中没有节点 {code}；已登记节点见 GET /operations/nodes。",
    )


class NodeNotOurs(Problem):
    """A node is to be revoked or retired by one that is neither its parent nor HQ."""

    status = 403
    title = Text("Node not ours", "无权处置该节点")
    sentence = Text(
        "{here} cannot {act} node {code}: its parent {parent} and HQ can, and nobody does it to themselves.",
        "{here} 不能对节点 {code} 执行 {act}：只有其上级 {parent} 与总部可以，且不能对自身执行。",
    )


class NodeNotActive(Problem):
    """A node is to be changed that the registry says is retired or revoked."""

    status = 409
    title = Text("Node not active", "节点非有效状态")
    sentence = Text(
        "Node {code} is {state}. It can join again with a new one-time code.",
        "节点 {code} 的状态为 {state}；可凭新的一次性代码重新加入。",
    )


class NodeHasChildren(Problem):
    """A node is to be retired that others still hang on."""

    status = 409
    title = Text("Node has children", "节点仍有下级")
    sentence = Text(
        "Node {code} cannot be retired while {children} belong to it: retire or move them first.",
        "节点 {code} 下仍有 {children}，不能退役；请先将其退役或迁移。",
    )


class RetirementNotProposed(Problem):
    """A retirement is approved that nobody has proposed."""

    status = 409
    title = Text("Retirement not proposed", "尚未提出退役")
    sentence = Text(
        "Nobody has proposed to retire node {code}: propose it with a reason, and let a second person approve.",
        "尚无人提出节点 {code} 退役：请先说明理由提出，再由第二人批准。",
    )


class NodeRetired(Problem):
    """Something is to be sent to a node that is gone for good."""

    status = 409
    title = Text("Node retired", "节点已退役")
    sentence = Text(
        "Node {code} was retired ({reason}): nothing can be sent to it any more.",
        "节点 {code} 已退役（{reason}），不能再向其发送任何消息。",
    )


class RotationUnderWay(Problem):
    """A key is to be rotated while the rotation before has not ended."""

    status = 409
    title = Text("Rotation under way", "密钥轮换进行中")
    sentence = Text(
        "Node {code} is still rotating its key; the old one is accepted until {until}. Rotate again after that.",
        "节点 {code} 的密钥轮换尚未结束，旧密钥在 {until} 前仍有效；请在此之后再次轮换。",
    )


class NotInRegistry(Problem):
    """A node cannot do what needs its own entry in the registry."""

    status = 409
    title = Text("Not in registry", "未在登记簿中")
    sentence = Text(
        "Node {code} has no active entry in its own registry yet: let it join, and wait until HQ has published it.",
        "节点 {code} 在自身登记簿中尚无有效记录：请先加入并等待总部发布。",
    )


class EnrolmentRefused(Problem):
    """A node may not join with this code."""

    status = 403
    title = Text("Enrolment refused", "加入被拒绝")
    sentence = Text(
        "Node {child} cannot join {here}: {why} Ask the operator of {here} for a new one-time code.",
        "节点 {child} 无法加入 {here}：{why} 请向 {here} 的运维员索取新的一次性代码。",
    )
