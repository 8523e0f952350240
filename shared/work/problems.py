"""Why something about long work is refused, or why it failed."""

from shared.kernel.language import Text
from shared.kernel.problems import Problem


class WorkNotFound(Problem):
    """There is no such piece of work, or none that the caller may see."""

    status = 404
    title = Text("Work not found", "后台任务不存在")
    sentence = Text(
        "There is no piece of work {work} that you may see.", "没有您可查看的后台任务 {work}。"
    )


class WorkEnded(Problem):
    """Work that has ended was to be cancelled."""

    status = 409
    title = Text("Work has ended", "后台任务已结束")
    sentence = Text(
        "This piece of work has ended as {state}; there is nothing to cancel.",
        "该后台任务已结束（{state}），无法取消。",
    )


class WorkBroken(Problem):
    """Work met a defect of the program."""

    status = 500
    title = Text("Work failed", "后台任务失败")
    sentence = Text(
        "The node failed at this piece of work ({error}). Tell the operator its id, {work}.",
        "节点执行该后台任务失败（{error}）。请将任务编号 {work} 告知运维员。",
    )


class WorkInterrupted(Problem):
    """Work was interrupted too often to be taken up again."""

    status = 500
    title = Text("Work interrupted too often", "后台任务多次中断")
    sentence = Text(
        "The process that did this piece of work ended {attempts} times before it was done, so it is not tried again. Tell the operator its id, {work}.",
        "执行该后台任务的进程已中断 {attempts} 次，不再重试。请将任务编号 {work} 告知运维员。",
    )
