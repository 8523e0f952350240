"""Why something about a customer is refused."""

from datetime import date

from shared.kernel.language import Text
from shared.kernel.problems import Fault, Problem


class CustomerNotFound(Problem):
    """There is no such customer, or none that the caller's unit may see."""

    status = 404
    title = Text("Customer not found", "客户不存在")
    sentence = Text(
        "There is no customer {customer} within your unit's scope.",
        "在您所属单位的数据范围内没有客户 {customer}。",
    )


class SubscriptionNotFound(Problem):
    """The customer has no such line."""

    status = 404
    title = Text("Line not found", "用户不存在")
    sentence = Text(
        "Customer {customer} has no line {subscription}: list them at `GET /customers/{customer}/subscriptions`.",
        "客户 {customer} 名下没有用户 {subscription}，请查询 GET /customers/{customer}/subscriptions。",
    )


class DocumentTaken(Problem):
    """Another customer of this city has the identity document."""

    status = 409
    title = Text("Document in use", "证件已被使用")
    sentence = Text(
        "This identity document belongs to customer {holder}: change or restore that profile instead of making a second one.",
        "该证件属于客户 {holder}：请修改或恢复该档案，不要重复建档。",
    )

    def __init__(self, holder: str) -> None:
        super().__init__(
            faults=[Fault("/document_number", f"belongs to customer {holder}")], holder=holder
        )


class NumberTaken(Problem):
    """A mobile number, SIM or contact is in use already."""

    status = 409
    title = Text("Number in use", "号码已被使用")
    sentence = Text(
        "{number} is in use already: {reason}. Check the number that was given.",
        "{number} 已被使用（{reason}），请核对所填号码。",
    )

    def __init__(self, pointer: str, number: str, reason: str) -> None:
        super().__init__(faults=[Fault(pointer, reason)], number=number, reason=reason)


class UnitOutOfScope(Problem):
    """A customer was to be given to a unit that the caller may not give to."""

    status = 422
    title = Text("Unit out of scope", "单位不在范围内")
    sentence = Text(
        "Unit {unit} is not an active unit at or below yours: choose one of `GET /organisation/units`.",
        "单位 {unit} 不是您所属单位及其下级的有效单位，请从 GET /organisation/units 中选择。",
    )

    def __init__(self, unit: str) -> None:
        super().__init__(
            faults=[Fault("/unit_code", "not an active unit at or below yours")], unit=unit
        )


class ManagerUnknown(Problem):
    """A customer was to be given to a manager whom this node does not employ."""

    status = 422
    title = Text("Manager unknown", "客户经理不存在")
    sentence = Text(
        "There is no active member of staff {manager} in this node: give the id of an account manager.",
        "本节点没有在职人员 {manager}，请填写客户经理的编号。",
    )

    def __init__(self, manager: str) -> None:
        super().__init__(
            faults=[Fault("/manager_id", "no active member of staff")], manager=manager
        )


class CustomerRetained(Problem):
    """What was asked is for customers in the network, and this one has left."""

    status = 409
    title = Text("Customer has left", "客户已离网")
    sentence = Text(
        "Customer {customer} left on {left_on} and is in the retained library: restore the profile first.",
        "客户 {customer} 已于 {left_on} 离网，档案在保留档案库：请先恢复。",
    )

    def __init__(self, customer: str, left_on: date | None) -> None:
        super().__init__(customer=customer, left_on=left_on)


class CustomerInNetwork(Problem):
    """A customer was to be restored who never left."""

    status = 409
    title = Text("Customer is in the network", "客户在网")
    sentence = Text(
        "Customer {customer} is in the in-network library: there is nothing to restore.",
        "客户 {customer} 在在网档案库中，无需恢复。",
    )


class DatesContradict(Problem):
    """Dates that were given do not fit each other or the present day."""

    status = 422
    title = Text("Dates contradict", "日期矛盾")
    sentence = Text(
        "{field} {value} cannot be {relation} {other}.",
        "{field} {value} 与 {other} 矛盾（{relation}）。",
    )

    def __init__(self, field: str, value: date, relation: str, other: date) -> None:
        super().__init__(
            faults=[Fault(f"/{field}", f"cannot be {relation} {other}")],
            field=field,
            value=value,
            relation=relation,
            other=other,
        )


def of_constraint(constraint: str | None) -> Problem | None:
    """Return the refusal for a unique constraint that a concurrent change has won."""
    numbers = {
        "subscription_msisdn_key": ("/msisdn", "the mobile number", "it is on a live subscription"),
        "sim_pkey": ("/iccid", "the SIM", "it is or was on a subscription"),
        "sim_imsi_key": ("/imsi", "the IMSI", "it is of another SIM"),
        "contact_medium_value_key": ("/value", "the contact", "the customer has it"),
        "contact_medium_preferred_key": (
            "/preferred",
            "the preference",
            "another medium took it just now",
        ),
    }
    if constraint == "customer_document_index_key":
        return DocumentTaken("of this city")
    return NumberTaken(*numbers[constraint]) if constraint in numbers else None
