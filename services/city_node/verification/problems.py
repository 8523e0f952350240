"""Why something about verification is refused."""

from shared.kernel.language import Text
from shared.kernel.problems import Problem


class TaskNotFound(Problem):
    """There is no such task, or none about a customer that the caller's unit may see."""

    status = 404
    title = Text("Task not found", "核实任务不存在")
    sentence = Text(
        "There is no verification task {task} within your unit's scope.",
        "在您所属单位的数据范围内没有核实任务 {task}。",
    )


class TaskClosed(Problem):
    """A task was closed already."""

    status = 409
    title = Text("Task is closed", "核实任务已办结")
    sentence = Text(
        "This task is {state}: only an open one can be closed.",
        "该核实任务状态为 {state}：只能办理未完成的任务。",
    )


class ContactNotFound(Problem):
    """The customer has no such contact medium."""

    status = 404
    title = Text("Contact not found", "联系方式不存在")
    sentence = Text(
        "Customer {customer} has no contact medium {contact}: see `GET /customers/{customer}/contacts`.",
        "客户 {customer} 没有联系方式 {contact}：请查询 GET /customers/{customer}/contacts。",
    )
