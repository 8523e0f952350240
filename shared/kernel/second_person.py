"""Four eyes: what one person proposes or prepares, another decides."""

from shared.kernel.language import Text
from shared.kernel.problems import Problem


class SecondPersonNeeded(Problem):
    """Somebody was to decide what they proposed or prepared themselves, perhaps by another account.

    Args:
        by: who proposed or prepared it, as what is to be decided names them.
    """

    status = 403
    title = Text("A second person is needed", "须由他人审批")
    sentence = Text(
        "{by} proposed or prepared this: somebody else must decide it, and not by another account of the same person.",
        "此项由 {by} 提出或经办：须由他人审批，且不得使用同一人的另一账号。",
    )
