"""Why an attempt to win somebody back is refused."""

from shared.kernel.language import Text
from shared.kernel.problems import Fault, Problem


class ContactRefused(Problem):
    """The customer asked not to be contacted."""

    status = 409
    title = Text("Customer wishes no contact", "客户拒绝营销联系")
    sentence = Text(
        "Customer {customer} has asked not to be contacted with offers: no attempt may be planned or made.",
        "客户 {customer} 已表示拒绝营销联系：不得计划或进行赢回联系。",
    )


class NotLost(Problem):
    """The customer has not left, or is back already."""

    status = 409
    title = Text("Customer has not left", "客户未离网")
    sentence = Text(
        "Customer {customer} is in the network: there is nobody to win back.",
        "客户 {customer} 在网，无需赢回。",
    )


class ReturnedByRestoring(Problem):
    """An attempt was to be marked as successful without the customer's coming back."""

    status = 422
    title = Text("Returned by restoring", "须经恢复操作")
    sentence = Text(
        "`returned` is set when the customer is restored through the attempt: "
        "`POST /customers/{customer}/win-back-attempts/{attempt}/returned`.",
        "“已赢回”由赢回恢复操作写入：POST /customers/{customer}/win-back-attempts/{attempt}/returned。",
    )

    def __init__(self, customer: object, attempt: object) -> None:
        super().__init__(
            faults=[Fault("/result", "not set by hand")], customer=customer, attempt=attempt
        )


class AttemptOfEarlierDeparture(Problem):
    """The attempt is about an earlier time that the customer left."""

    status = 409
    title = Text("Attempt is about an earlier departure", "该联系属于以往离网")
    sentence = Text(
        "Attempt {attempt} is about the departure of {left_on}: choose one about the present one, or note it first.",
        "联系 {attempt} 属于 {left_on} 的离网：请选择本次离网的联系，或先行登记。",
    )
