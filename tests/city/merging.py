"""Merging in tests."""

from typing import Any
from uuid import uuid4

from tests.city.drafts import Headers
from tests.conftest import TestNode


async def present(city: TestNode, headers: Headers, customer: dict[str, Any]) -> dict[str, Any]:
    answer = await city.client.get(f"/customers/{customer['id']}?include=all", headers=headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def merge(
    city: TestNode,
    headers: Headers,
    survivor: dict[str, Any],
    merged: dict[str, Any],
    **given: Any,
) -> Any:
    survivor, merged = (
        await present(city, headers, survivor),
        await present(city, headers, merged),
    )
    body = {
        "survivor_id": survivor["id"],
        "merged_id": merged["id"],
        "survivor_version": survivor["version"],
        "merged_version": merged["version"],
        **given,
    }
    return await city.client.post(
        "/customer-merges", json=body, headers={**headers, "Idempotency-Key": str(uuid4())}
    )


async def undo(city: TestNode, headers: Headers, merged: Any) -> Any:
    return await city.client.post(f"/customer-merges/{merged.json()['id']}/undo", headers=headers)
