"""Why something about a group customer is refused."""

from shared.kernel.language import Text
from shared.kernel.problems import Fault, Problem


class OwnParent(Problem):
    """A group was to be above itself."""

    status = 422
    title = Text("Own parent", "上级集团为自身")
    sentence = Text(
        "Group {number} cannot be the group above itself: give the number of another.",
        "集团 {number} 不能是自己的上级集团：请填写其他集团的客户编号。",
    )

    def __init__(self, number: str) -> None:
        super().__init__(
            faults=[Fault("/parent_customer_number", "the group's own number")], number=number
        )


class EnterpriseUnknown(Problem):
    """Nothing is known of the enterprise of a customer."""

    status = 404
    title = Text("Enterprise not recorded", "无企业信息")
    sentence = Text(
        "No enterprise is recorded for customer {customer}: write it with PUT.",
        "客户 {customer} 尚无企业信息，请用 PUT 填写。",
    )
