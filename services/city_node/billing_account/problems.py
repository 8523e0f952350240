"""What stands against acting on a billing account."""

from shared.kernel.language import Text
from shared.kernel.problems import Problem


class NothingOwed(Problem):
    """A line without unpaid bills is not suspended for arrears."""

    status = 409
    title = Text("Nothing owed", "没有欠费")
    sentence = Text(
        "Line {subscription} owes nothing: it is not suspended for arrears.",
        "用户 {subscription} 没有欠费，不能因欠费停机。",
    )


class LineNotActive(Problem):
    """Only a line in use can be suspended."""

    status = 409
    title = Text("Line not active", "用户不在用")
    sentence = Text(
        "Line {subscription} is {status}: only one that is active can be suspended.",
        "用户 {subscription} 状态为 {status}，只有在用的用户才能停机。",
    )
