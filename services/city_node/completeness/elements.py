"""What a profile should have, and what each of it weighs at first."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy.dialects.postgresql import insert

from services.city_node.completeness.models import CompletenessRule
from services.city_node.customer.models import CustomerKind, Level
from shared.capability import NodeContext
from shared.kernel.language import Text


class ElementCode(StrEnum):
    """How elements are named in rules and lists."""

    DOCUMENT = "document"
    BIRTH_DATE = "birth_date"
    SEX = "sex"
    PHONE = "phone"
    EMAIL = "email"
    POSTAL = "postal"
    PREFERRED_CONTACT = "preferred_contact"
    MANAGER = "manager"
    SUBSCRIPTION = "subscription"
    PAYMENT_METHOD = "payment_method"
    PREFERENCE = "preference"
    INTERACTION = "interaction"
    INDUSTRY = "industry"
    SIZE = "size"
    KEY_PERSON = "key_person"
    DECIDER = "decider"
    AGREEMENT = "agreement"
    PRODUCT = "product"


@dataclass(frozen=True, slots=True)
class Element:
    """Something that a profile should have.

    Attributes:
        name: as people read it.
        present: SQL that tells whether customer ``c`` has it.
        individual: what it weighs for a person, at first.
        group: the same for a group.
        key_only: whether it weighs nothing at first for customers of the standard level.
    """

    name: Text
    present: str
    individual: int = 0
    group: int = 0
    key_only: bool = False


def _held(table: str, condition: str = "true") -> str:
    return f"EXISTS (SELECT FROM {table} h WHERE h.customer_id = c.id AND {condition})"


ELEMENTS: Mapping[ElementCode, Element] = {
    ElementCode.DOCUMENT: Element(
        Text("Identity document", "证件"), "c.document_index IS NOT NULL", 20, 15
    ),
    ElementCode.BIRTH_DATE: Element(Text("Birth date", "出生日期"), "c.birth_date IS NOT NULL", 10),
    ElementCode.SEX: Element(Text("Sex", "性别"), "c.sex <> 'unknown'", 5),
    ElementCode.PHONE: Element(
        Text("Telephone number", "联系电话"), _held("contact_medium", "h.kind = 'phone'"), 15, 10
    ),
    ElementCode.EMAIL: Element(
        Text("E-mail address", "电子邮箱"), _held("contact_medium", "h.kind = 'email'"), 5, 5
    ),
    ElementCode.POSTAL: Element(
        Text("Postal address", "通信地址"), _held("contact_medium", "h.kind = 'postal'"), 5, 5
    ),
    ElementCode.PREFERRED_CONTACT: Element(
        Text("Preferred contact", "首选联系方式"), _held("contact_medium", "h.preferred"), 5, 5
    ),
    ElementCode.MANAGER: Element(
        Text("Account manager", "客户经理"), "c.manager_id IS NOT NULL", 10, 10, key_only=True
    ),
    ElementCode.SUBSCRIPTION: Element(
        Text("Line in use", "在用用户"), _held("subscription", "h.status <> 'ended'"), 10, 5
    ),
    ElementCode.PAYMENT_METHOD: Element(
        Text("Payment method", "付款方式"), "c.payment_method IS NOT NULL", 5, 5
    ),
    ElementCode.PREFERENCE: Element(
        Text("Preference", "偏好"), _held("preference"), 5, key_only=True
    ),
    ElementCode.INTERACTION: Element(
        Text("Contact on record", "接触记录"), _held("interaction"), 5, 5, key_only=True
    ),
    ElementCode.INDUSTRY: Element(
        Text("Industry", "行业"), _held("enterprise", "h.industry_code IS NOT NULL"), 0, 10
    ),
    ElementCode.SIZE: Element(
        Text("Size of the enterprise", "企业规模"),
        _held("enterprise", "h.size_class IS NOT NULL"),
        0,
        5,
    ),
    ElementCode.KEY_PERSON: Element(Text("Key person", "关键人"), _held("key_person"), 0, 10),
    ElementCode.DECIDER: Element(
        Text("Decider in the decision chain", "决策人"),
        _held("key_person", "h.decision_role IN ('decider', 'approver')"),
        0,
        10,
        key_only=True,
    ),
    ElementCode.AGREEMENT: Element(
        Text("Agreement", "协议"), _held("agreement"), 0, 5, key_only=True
    ),
    ElementCode.PRODUCT: Element(Text("Product held", "在用产品"), _held("product_holding"), 0, 5),
}
"""The elements by code."""


def first_weight(element: Element, kind: CustomerKind, level: Level) -> int:
    """Return what an element weighs until a node says otherwise."""
    if element.key_only and level is Level.STANDARD:
        return 0
    return element.individual if kind is CustomerKind.INDIVIDUAL else element.group


async def ensure_rules(context: NodeContext) -> None:
    """Write the weights that a node begins with; what it says already stays."""
    now = context.clock.now()
    rows = [
        {
            "kind": kind.value,
            "level": level.value,
            "element": code.value,
            "weight": first_weight(element, kind, level),
            "updated_at": now,
            "updated_by": "release",
        }
        for kind in CustomerKind
        for level in Level
        for code, element in ELEMENTS.items()
    ]
    async with context.database.transaction() as session:
        await session.execute(insert(CompletenessRule).on_conflict_do_nothing(), rows)
