"""Why something about what a customer holds is refused."""

from uuid import UUID

from services.city_node.customer.models import CustomerKind
from shared.kernel.language import Text
from shared.kernel.problems import Fault, Problem


class HeldNotFound(Problem):
    """The customer holds nothing of that kind with that id."""

    status = 404
    title = Text("Not held by the customer", "该客户名下没有此项")
    sentence = Text(
        "Customer {customer} has no {noun} {item}: list them at `GET /customers/{customer}/{path}`.",
        "客户 {customer} 名下没有 {noun} {item}，请查询 GET /customers/{customer}/{path}。",
    )


class WrongKindOfCustomer(Problem):
    """What was to be noted belongs to the other kind of customer."""

    status = 409
    title = Text("Wrong kind of customer", "客户类型不符")
    sentence = Text(
        "A {noun} is kept for customers of kind {wanted}, and customer {customer} is of kind {kind}.",
        "{noun} 仅用于 {wanted} 类客户，而客户 {customer} 是 {kind} 类。",
    )


class HeldAlready(Problem):
    """The customer has it already."""

    status = 409
    title = Text("Noted already", "已经登记")
    sentence = Text(
        "The customer has this {noun} already: change the one that is there.",
        "该客户已有此 {noun}：请修改已有的一项。",
    )

    def __init__(self, noun: str, pointer: str) -> None:
        super().__init__(faults=[Fault(pointer, "noted already")], noun=noun)


class RelatedCustomerUnknown(Problem):
    """Another customer was named whom the caller's unit does not have."""

    status = 422
    title = Text("Related customer unknown", "相关客户不存在")
    sentence = Text(
        "{customer} is no customer of kind {wanted} within your unit's scope, or is the customer itself.",
        "在您所属单位的数据范围内没有 {wanted} 类客户 {customer}，或该客户就是本客户。",
    )

    def __init__(self, pointer: str, customer: UUID, wanted: CustomerKind | None) -> None:
        super().__init__(
            faults=[Fault(pointer, "no such customer")],
            customer=customer,
            wanted=wanted.value if wanted else "any",
        )
