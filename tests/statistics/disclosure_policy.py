"""HQ's policy of disclosure, made as its people make it."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from shared.capability import Role
from shared.kernel.clock import business_day
from tests.conftest import TestNode
from tests.statistics.registered_cities import Headers

SignIn = Callable[..., Awaitable[Headers]]


async def draft(node: TestNode, drafter: Headers, least_people: int) -> httpx.Response:
    """Draft a threshold that holds from today."""
    body: dict[str, Any] = {
        "document": {"least_people": least_people},
        "effective_from": business_day(node.clock.now()).isoformat(),
    }
    key = {"Idempotency-Key": f"draft-{least_people}"}
    return await node.client.post("/policies/disclosure/drafts", json=body, headers=drafter | key)


async def set_threshold(node: TestNode, sign_in: SignIn, least_people: int) -> None:
    """Draft and publish a threshold as two of HQ's analysts."""
    drafter, publisher = [await sign_in(node, Role.HQ_ANALYST) for _ in range(2)]
    drafted = await draft(node, drafter, least_people)
    assert drafted.status_code == 201, drafted.text
    once = {"Idempotency-Key": f"publish-{least_people}", "If-Match": drafted.headers["etag"]}
    published = await node.client.post(
        "/policies/disclosure/versions",
        json={"draft": drafted.json()["id"]},
        headers=publisher | once,
    )
    assert published.status_code == 201, published.text
