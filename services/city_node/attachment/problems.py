"""What stands against adding or opening an attachment."""

from shared.kernel.language import Text
from shared.kernel.problems import Problem


class AttachmentNotFound(Problem):
    """The request has no such attachment."""

    status = 404
    title = Text("Attachment not found", "附件不存在")
    sentence = Text(
        "Request {request} has no attachment {id}. `GET /service-requests/{request}/attachments` lists what it has.",
        "请求 {request} 没有附件 {id}，可用 GET /service-requests/{request}/attachments 查询。",
    )


class AttachmentNotHeld(Problem):
    """This node does not have the content."""

    status = 409
    title = Text("Attachment not held", "附件内容不在本节点")
    sentence = Text(
        "The content of attachment {id} is not here: it is {state}. If it is expected for long, or spoiled, ask for it again.",
        "附件 {id} 的内容不在本节点（{state}）。如长时间未到或已损坏，请重新索取。",
    )


class AttachmentHeldHere(Problem):
    """There is nothing to ask for: this node has the content, or has erased it."""

    status = 409
    title = Text("Attachment needs no asking", "附件无需索取")
    sentence = Text(
        "Attachment {id} is {state} at this node, so there is nothing to ask the other end for.",
        "附件 {id} 在本节点的状态为 {state}，无需向对方索取。",
    )


class TooManyAttachments(Problem):
    """The request has as many attachments of this end as one may have."""

    status = 409
    title = Text("Too many attachments", "附件数量已达上限")
    sentence = Text(
        "This end has added {most} attachments to request {id} already, the most that one may have.",
        "本端已为请求 {id} 添加 {most} 个附件，达到上限。",
    )


class RequestEnded(Problem):
    """Nothing is attached to a request that has ended."""

    status = 409
    title = Text("Request has ended", "请求已结束")
    sentence = Text(
        "Request {id} has ended ({state}); nothing can be attached to it any more.",
        "请求 {id} 已结束（{state}），不能再添加附件。",
    )
