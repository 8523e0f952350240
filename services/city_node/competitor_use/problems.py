"""Why a use of competitors' products is refused."""

from shared.kernel.language import Text
from shared.kernel.problems import Fault, Problem


class SharesExceedWhole(Problem):
    """The shares of several operators in one service add up to more than the whole."""

    status = 422
    title = Text("Shares exceed the whole", "份额超过总量")
    sentence = Text(
        "The shares of {category} that are noted leave {left} percent at most: mend the others first.",
        "{category} 已登记的份额只剩 {left}%：请先更正其他份额。",
    )

    def __init__(self, category: str, left: int) -> None:
        super().__init__(
            faults=[Fault("/share_percent", f"at most {left}")], category=category, left=left
        )
