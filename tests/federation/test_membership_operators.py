"""What operators do about who belongs to a node, over HTTP."""

from collections.abc import Awaitable, Callable

import pytest

from shared.capability import Role
from shared.federation.enrolment import Invitation
from shared.federation.link import LinkDown
from shared.federation.problems import NodeRetired
from shared.kernel.clock import HandClock
from tests.conftest import MakeNode, Nation, TestNode, enrol
from tests.federation.conftest import post_numbers
from tests.reachable import Reachable

SignIn = Callable[..., Awaitable[dict[str, str]]]


@pytest.fixture
async def line(make_node: MakeNode, network: Reachable, clock: HandClock) -> Nation:
    """HQ, Guangdong and Shenzhen with all that their tiers can do, since people sign in there."""
    nodes = {code: await make_node(code) for code in ("000000", "440000", "440300")}
    made = Nation(nodes, network, clock)
    await enrol(nodes["440000"], nodes["000000"])
    await enrol(nodes["440300"], nodes["440000"])
    await made.settle()
    return made


async def call(
    node: TestNode, headers: dict[str, str], path: str, **body: object
) -> tuple[int, object]:
    answer = await node.client.post(f"/operations/{path}", json=body or None, headers=headers)
    return answer.status_code, answer.json()


async def test_one_operator_invites_a_node_and_another_admits_it(
    line: Nation, make_node: MakeNode, sign_in: SignIn
) -> None:
    province, city = line["440000"], await make_node("440100")
    one, other = [await sign_in(province, Role.OPERATOR) for _ in range(2)]
    status, invited = await call(province, one, "invitations", child="440100")
    assert status == 201
    invitation = Invitation.from_text(invited["code"])  # type: ignore[index]
    with pytest.raises(LinkDown, match="has asked to join"):
        await city.node.dialler.enrol("http://440000", invitation)

    fingerprint = city.context.post.key.public.fingerprint
    (asking,) = (await province.client.get("/operations/enrolments", headers=other)).json()
    assert (asking["child"], asking["fingerprint"], asking["move"]) == (
        "440100",
        fingerprint,
        False,
    )
    path = "enrolments/440100/admission"
    status, problem = await call(province, one, path, fingerprint=fingerprint)
    assert (status, problem["type"]) == (403, "urn:guanxi:problem:second-person-needed")  # type: ignore[index]
    status, problem = await call(province, other, path, fingerprint=fingerprint[::-1])
    assert (status, problem["type"]) == (409, "urn:guanxi:problem:fingerprint-differs")  # type: ignore[index]
    status, member = await call(province, other, path, fingerprint=fingerprint)
    assert (status, member["parent"], member["status"]) == (200, "440000", "active")  # type: ignore[index]
    assert await city.node.dialler.enrol("http://440000", invitation) == "440000"
    assert (await province.client.get("/operations/enrolments", headers=other)).json() == []


async def test_an_operator_revokes_a_node(line: Nation, sign_in: SignIn) -> None:
    province, city = line["440000"], line["440300"]
    operator = await sign_in(province, Role.OPERATOR)
    status, member = await call(province, operator, "nodes/440300/revocation", reason="stolen")
    assert (status, member["status"], member["reason"]) == (200, "revoked", "stolen")  # type: ignore[index]
    with pytest.raises(LinkDown, match="was revoked at 440000"):
        await city.node.dialler.poll(wait=0)
    keys = (await province.client.get("/operations/nodes", headers=operator)).json()
    assert {key["node"]: key["accepted"] for key in keys} == {
        "000000": True,
        "440000": True,
        "440300": False,
    }


async def test_two_operators_retire_a_node(line: Nation, sign_in: SignIn) -> None:
    province = line["440000"]
    one, other = [await sign_in(province, Role.OPERATOR) for _ in range(2)]
    status, proposal = await call(province, one, "nodes/440300/retirement", reason="merged")
    assert (status, proposal["approved_by"]) == (200, None)  # type: ignore[index]
    path = "nodes/440300/retirement/approval"
    assert (await call(province, one, path))[0] == 403
    status, proposal = await call(province, other, path)
    assert status == 200
    assert proposal["approved_by"] != proposal["proposed_by"]  # type: ignore[index]
    with pytest.raises(NodeRetired, match="merged"):
        await post_numbers(province, "440300", 1)


async def test_the_identity_page_says_what_an_operator_should_know(
    line: Nation, sign_in: SignIn
) -> None:
    city = line["440300"]
    operator = await sign_in(city, Role.OPERATOR)
    city.context.post.keys.make_next()
    await city.run_job("identity")
    page = (await city.client.get("/operations/identity", headers=operator)).json()
    assert page["fingerprint"] == city.context.post.key.public.fingerprint
    assert page["rotation"] == "made"
    assert page["warnings"] == ["The next key is announced; HQ has not published it yet."]


@pytest.mark.parametrize(
    "path",
    ["nodes/440300/revocation", "nodes/440300/retirement", "enrolments/440300/admission"],
)
async def test_a_clerk_may_do_none_of_it(line: Nation, sign_in: SignIn, path: str) -> None:
    city = line["440300"]
    clerk = await sign_in(city, Role.CLERK)
    assert (await call(city, clerk, path, reason="x"))[0] == 403
