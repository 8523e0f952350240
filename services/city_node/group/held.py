"""Key persons and members as something that group customers hold."""

from typing import Annotated, Any

from fastapi import Query

from services.city_node.customer.models import Customer, CustomerKind, MediumKind
from services.city_node.customer.parts import UNIT_PATH, Part, json_list
from services.city_node.customer.privacy import birth_date, third_party_name
from services.city_node.customer.service import Desk
from services.city_node.group.models import DecisionRole, GroupMember, KeyPerson
from services.city_node.group.schemas import (
    GroupMemberCreate,
    GroupMemberOut,
    KeyPersonCreate,
    KeyPersonOut,
)
from services.city_node.held.declaration import SCOPE, Held
from services.city_node.held.problems import HeldAlready
from services.city_node.held.service import require_customer
from shared.kernel.listing import Sort


# ruff: noqa: S608 - put together from declarations, never from input
async def _key_person_filters(decision_role: DecisionRole | None = None) -> dict[str, Any]:
    return {"decision_role": decision_role}


async def _member_filters(
    present: Annotated[bool | None, Query(description="Belonging with no end known.")] = None,
) -> dict[str, Any]:
    return {"present": present}


async def _check_member(desk: Desk, _: Customer, row: GroupMember) -> None:
    await require_customer(desk, row.member_id, "/member_id", kind=CustomerKind.INDIVIDUAL)


key_persons = Held(
    name="key_persons",
    title="key person",
    model=KeyPerson,
    body=KeyPersonCreate,
    out=KeyPersonOut,
    # Those without a place in the decision chain come last. Not by name: the cursor of a page would tell it.
    sorts={"decision_order": Sort("coalesce(p.decision_order, 100)", "bigint")},
    private={"phone": MediumKind.PHONE, "email": MediumKind.EMAIL},
    personal={"name": third_party_name, "birth_date": birth_date},
    holder=CustomerKind.GROUP,
    filters=_key_person_filters,
    conditions={"decision_role": "p.decision_role = {}"},
)


def _of_member(column: str) -> str:
    return f"CASE WHEN starts_with(mu.path, {SCOPE}) THEN m.{column} END"


members = Held(
    name="members",
    title="member",
    model=GroupMember,
    body=GroupMemberCreate,
    out=GroupMemberOut,
    sorts={"since": Sort("p.since", "date")},
    joins="JOIN customer m ON m.id = p.member_id JOIN organisation_unit mu ON mu.code = m.unit_code",
    expressions={
        "member_number": _of_member("customer_number"),
        "member_name": _of_member("name"),
        "level": _of_member("level"),
    },
    holder=CustomerKind.GROUP,
    check=_check_member,
    refusals={"group_member_present_key": lambda: HeldAlready("member", "/member_id")},
    filters=_member_filters,
    conditions={"present": "(p.until IS NULL) = {}"},
)

groups_of_member = Part(
    "groups",
    json_list(f"""
        SELECT p.id, p.customer_id, g.customer_number, g.name, p.position, p.short_number, p.since, p.until
        FROM group_member p JOIN customer g ON g.id = p.customer_id JOIN organisation_unit gu ON gu.code = g.unit_code
        WHERE p.member_id = c.id AND starts_with(gu.path, {UNIT_PATH}) ORDER BY p.since, p.id LIMIT 20"""),
    versioned=False,
)
"""The groups within the reader's unit that an individual belongs or belonged to."""
