"""The enterprise of a group customer: one record, replaced whole."""

from typing import Any
from uuid import UUID

from services.city_node.customer.history import differences, plain
from services.city_node.customer.models import ChangeAction, CustomerKind
from services.city_node.customer.parts import Part
from services.city_node.customer.privacy import third_party_name
from services.city_node.customer.service import Desk
from services.city_node.group.models import Enterprise
from services.city_node.group.problems import OwnParent
from services.city_node.group.schemas import EnterpriseOut, EnterpriseWrite
from services.city_node.held.problems import WrongKindOfCustomer

_EXPRESSIONS = {
    "industry_zh": "i.name_zh",
    "industry_en": "i.name_en",
    "legal_representative": third_party_name.mark("e.legal_representative"),
}
_COLUMNS = ", ".join(
    f"{_EXPRESSIONS.get(name, f'e.{name}')} AS {name}" for name in EnterpriseOut.model_fields
)
enterprise_part = Part(
    "enterprise",
    f"""(SELECT row_to_json(x) FROM (
        SELECT {_COLUMNS} FROM enterprise e LEFT JOIN industry i ON i.code = e.industry_code
        WHERE e.customer_id = c.id) x)""",  # noqa: S608 - names of fields alone
    told=True,
)
"""The enterprise on the customer's page; ``null`` until it is written."""


async def write_enterprise(
    desk: Desk, customer_id: UUID, expected: int, body: EnterpriseWrite
) -> None:
    """Replace what is known of a group; nothing happens, and no version passes, if it is so already.

    Raises:
        CustomerNotFound: if there is none in the caller's scope (404).
        VersionStale: if it was changed since version ``expected`` (412).
        WrongKindOfCustomer: if it is no group (409).
        OwnParent: if the group was to be its own parent (422).
    """
    customer = await desk.locked(customer_id, expected)
    if customer.kind != CustomerKind.GROUP:
        raise WrongKindOfCustomer(
            noun="enterprise",
            wanted=CustomerKind.GROUP.value,
            customer=customer.customer_number,
            kind=customer.kind,
        )
    if body.parent_customer_number == customer.customer_number:
        raise OwnParent(customer.customer_number)
    row = await desk.session.get(Enterprise, customer.id)
    before = {} if row is None else _values(row)
    if row is None:
        row = Enterprise(customer_id=customer.id)
        desk.session.add(row)
    for name, value in body.model_dump().items():
        setattr(row, name, value)
    after = {name: value for name, value in _values(row).items() if before or value is not None}
    changes = differences(before, after)
    if changes:
        await desk.keep(customer, ChangeAction.PART_CHANGED, changes)


def _values(row: Enterprise) -> dict[str, Any]:
    return {
        f"enterprise/{name}": plain(getattr(row, name)) for name in EnterpriseWrite.model_fields
    }
