"""Why something about erasure is refused."""

from shared.kernel.language import Text
from shared.kernel.problems import Problem


class ErasureUnknown(Problem):
    """There is no proof of an erasure of that customer, or none that the caller's unit may see."""

    status = 404
    title = Text("No erasure", "无删除记录")
    sentence = Text(
        "No erasure of customer {customer} is on record within your unit's scope.",
        "在您所属单位的数据范围内没有客户 {customer} 的删除记录。",
    )
