"""What the directory cannot answer."""

from shared.kernel.language import Text
from shared.kernel.problems import Problem


class OwnershipNeverMoved(Problem):
    """The directory has the customers whose ownership has moved; every other one is where the profile was made."""

    status = 404
    title = Text("Ownership never moved", "归属从未变更")
    sentence = Text(
        "Ownership of customer {customer} has never moved: the city that made the profile has it, in epoch 1.",
        "客户 {customer} 的归属从未变更：仍由建档地市持有（归属纪元 1）。",
    )
