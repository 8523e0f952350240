"""Noting what customers hold, and reading their pages."""

from typing import Any
from uuid import UUID, uuid5

from tests.city.drafts import Headers, settle
from tests.conftest import TestNode


async def note(
    city: TestNode, headers: Headers, customer: dict[str, Any], path: str, body: dict[str, Any]
) -> Any:
    return await city.client.post(
        f"/customers/{customer['id']}/{path}",
        json=body,
        headers={**headers, "Idempotency-Key": str(uuid5(UUID(customer["id"]), f"{path} {body}"))},
    )


async def group_of(city: TestNode, headers: Headers, running: int = 90, **given: Any) -> Any:
    number = {"document_type": "business_licence", "document_number": f"91440300MA{running:08d}"}
    return await settle(
        city,
        headers,
        running,
        **{
            "kind": "group",
            "name": "南山精密",
            "sex": "unknown",
            "birth_date": None,
            **number,
            **given,
        },
    )


async def page(city: TestNode, headers: Headers, customer: Any, include: str) -> Any:
    answer = await city.client.get(
        f"/customers/{customer['id']}?fields=id&include={include}", headers=headers
    )
    assert answer.status_code == 200, answer.text
    return answer.json()
