"""Bodies of a city's customers, valid by default, and the city that they are sent to."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from services.city_node import (
    agreement,
    competitor_use,
    completeness,
    custom_attribute,
    customer_import,
    departure,
    duplicate,
    erasure,
    group,
    interaction,
    legal_hold,
    merge,
    personal_data,
    preference,
    product_holding,
    subject_request,
    tie,
    usage,
    verification,
    win_back,
)
from services.city_node import customer as customers
from shared import audit, organisation, staff
from shared.capability import Capability
from shared.organisation.models import OrganisationUnit
from tests.conftest import MakeNode, TestNode

CAPABILITIES = (
    organisation.capability,
    staff.capability,
    customers.capability,
    custom_attribute.capability,
    group.capability,
    usage.capability,
    interaction.capability,
    agreement.capability,
    product_holding.capability,
    competitor_use.capability,
    preference.capability,
    tie.capability,
    departure.capability,
    win_back.capability,
    legal_hold.capability,
    erasure.capability,
    subject_request.capability,
    personal_data.capability,
    customer_import.capability,
    audit.capability,
    merge.capability,
    duplicate.capability,
    completeness.capability,
    verification.capability,
)
CITY = "440300"
TEAM, OTHER_TEAM = "440300-01", "440300-02"
ID_CARD_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)

SignIn = Callable[..., Awaitable[dict[str, str]]]
Headers = dict[str, str]


async def make_city(
    make_node: MakeNode, capabilities: tuple[Capability, ...] = CAPABILITIES
) -> TestNode:
    """Make Shenzhen, with two teams."""
    node = await make_node(CITY, capabilities)
    async with node.database.transaction() as session:
        for code in (TEAM, OTHER_TEAM):
            session.add(_team(code, node.clock.now()))
    return node


def _team(code: str, now: datetime) -> OrganisationUnit:
    return OrganisationUnit(
        code=code,
        parent_code=CITY,
        path=f"000000/440000/{CITY}/{code}/",
        kind="team",
        name_zh=code,
        name_en=code,
        created_at=now,
        updated_at=now,
    )


def id_card(running: int, born: str = "19900101", region: str = "440300") -> str:
    """Return a citizen identity number with its check character (GB 11643); ``running`` is 0 to 999."""
    digits = f"{region}{born}{running:03d}"
    total = sum(weight * int(digit) for weight, digit in zip(ID_CARD_WEIGHTS, digits, strict=True))
    return digits + "10X98765432"[total % 11]


def person(running: int = 1, **given: Any) -> dict[str, Any]:
    """Return the body of a new customer."""
    return {
        "name": "张伟",
        "sex": "male",
        "birth_date": "1990-01-01",
        "document_type": "id_card",
        "document_number": id_card(running),
        "level": "gold",
        "entry_date": "2020-05-01",
        "attributes": {"vip": True},
        **given,
    }


def line(running: int = 1, **given: Any) -> dict[str, Any]:
    """Return the body of a new subscription with its SIM."""
    return {
        "msisdn": f"138{running:08d}",
        "brand": "全球通",
        "plan": "128",
        "iccid": f"8986002611{running:010d}",
        "imsi": f"46000{running:010d}",
        **given,
    }


async def settle(
    node: TestNode, headers: Headers, running: int = 1, **given: Any
) -> dict[str, Any]:
    """Make a customer over REST and return the profile."""
    answer = await node.client.post("/customers", json=person(running, **given), headers=headers)
    assert answer.status_code == 201, answer.text
    profile: dict[str, Any] = answer.json()
    return profile


def fresh(headers: Headers, profile: dict[str, Any]) -> Headers:
    """Return the headers of an update of the version that ``profile`` shows."""
    return {**headers, "If-Match": f'"{profile["version"]}"'}
