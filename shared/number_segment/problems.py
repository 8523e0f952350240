"""What stands against finding a number's home."""

from shared.kernel.language import Text
from shared.kernel.problems import Problem


class NumberUnknown(Problem):
    """No segment of the table, in the version that this node has, is that of the number."""

    status = 404
    title = Text("Number in no segment", "号码不在号段表中")
    sentence = Text(
        "No number segment is that of {msisdn}, by version {version} of the table at this node. Check the number, or name the home city yourself.",
        "按本节点号段表第 {version} 版，{msisdn} 不属于任何号段。请核对号码，或直接填写归属地。",
    )
