"""Why something about the calls of ports is refused."""

from shared.kernel.language import Text
from shared.kernel.problems import Problem


class CallNotFound(Problem):
    """There is no such call of a port."""

    status = 404
    title = Text("Call not found", "外部调用不存在")
    sentence = Text(
        "There is no call {call} of a port at this node; what ended is kept for 90 days.",
        "本节点没有外部调用 {call}；已结束的调用保留 90 天。",
    )


class CallNotHandedOver(Problem):
    """What is to be decided about a call is not a person's business at present."""

    status = 409
    title = Text("Call not handed over", "外部调用未转人工")
    sentence = Text(
        "Call {call} is {state}; a person decides only about those that were handed over.",
        "外部调用 {call} 当前为 {state}，仅已转人工的调用可由人处理。",
    )


class CallDiscardNotProposed(Problem):
    """A discard is approved that nobody has proposed."""

    status = 409
    title = Text("Discard not proposed", "尚未提出放弃")
    sentence = Text(
        "Nobody has proposed to give call {call} up: propose it with a reason, and let a second person approve.",
        "尚无人提出放弃外部调用 {call}：请先说明理由提出，再由第二人批准。",
    )
