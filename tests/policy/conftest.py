"""Nodes that do nothing but policies, and the people who make them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from shared.capability import Role
from tests.conftest import MakeNode, Nation, TestNode
from tests.policy.thresholds import CAPABILITIES

Headers = dict[str, str]
SignIn = Callable[..., Awaitable[Headers]]

LATER = "2026-12-01"
"""A day that is still to come by the tests' clock."""
_IN_CHARGE = {
    "hq": Role.HQ_ANALYST,
    "province": Role.PROVINCE_COORDINATOR,
    "city": Role.SUPERVISOR,
}


@dataclass
class Office:
    """A node, with two people who may draft and publish there."""

    node: TestNode
    one: Headers
    two: Headers
    asked: int = 0

    def once(self, headers: Headers, **more: str) -> Headers:
        """Return headers of a request that is made once."""
        self.asked += 1
        return {**headers, "Idempotency-Key": f"{self.node.code}-{self.asked}", **more}

    async def get(self, path: str, **params: str) -> Any:
        """Read something below the kind."""
        answer = await self.node.client.get(
            f"/policies/thresholds{path}", params=params, headers=self.one
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def draft(self, document: Any, day: str = LATER, **more: Any) -> httpx.Response:
        """Draft as the one."""
        body = {"document": document, "effective_from": day, **more}
        return await self.node.client.post(
            "/policies/thresholds/drafts", json=body, headers=self.once(self.one)
        )

    async def publish(self, document: Any, day: str = LATER, **more: Any) -> dict[str, Any]:
        """Draft as the one and publish as the other."""
        draft = await self.draft(document, day, **more)
        assert draft.status_code == 201, draft.text
        answer = await self.approve(draft)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def approve(self, draft: httpx.Response) -> httpx.Response:
        """Publish as the other."""
        return await self.node.client.post(
            "/policies/thresholds/versions",
            json={"draft": draft.json()["id"]},
            headers=self.once(self.two, **{"If-Match": draft.headers["etag"]}),
        )

    async def withdraw(self, number: int, reason: str = "a mistake") -> httpx.Response:
        """Withdraw a version of this node's as the other."""
        return await self.node.client.post(
            f"/policies/thresholds/versions/{self.node.code}/{number}/withdraw",
            json={"reason": reason},
            headers=self.once(self.two),
        )

    async def in_force(self, at: str | None = None, on: str = LATER) -> str:
        """Return what is in force, as references name it."""
        reference: str = (await self.get("", on=on, at=at or self.node.code))["reference"]
        return reference


OfficeOf = Callable[[TestNode], Awaitable[Office]]


@pytest.fixture
def office_of(sign_in: SignIn) -> OfficeOf:
    """Sign two people in at a node."""

    async def make(node: TestNode) -> Office:
        role = _IN_CHARGE[node.node.settings.tier.value]
        return Office(node, await sign_in(node, role), await sign_in(node, role))

    return make


@pytest.fixture
async def hq(make_node: MakeNode, office_of: OfficeOf) -> Office:
    """HQ alone."""
    return await office_of(await make_node("000000", CAPABILITIES))


@pytest.fixture
async def city(make_node: MakeNode, office_of: OfficeOf) -> Office:
    """A city alone."""
    return await office_of(await make_node("440300", CAPABILITIES))


@pytest.fixture
async def line(joined: Callable[..., Awaitable[Nation]]) -> Nation:
    """HQ, Guangdong, Shenzhen and Guangzhou, enrolled."""
    return await joined(("000000", "440000", "440300", "440100"), CAPABILITIES)


@pytest.fixture
async def offices(line: Nation, office_of: OfficeOf) -> dict[str, Office]:
    return {code: await office_of(node) for code, node in line.nodes.items()}
