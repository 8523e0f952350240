"""Joining: the right child, the right parent, once."""

from datetime import timedelta

import pytest

from shared.federation.enrolment import Invitation, InvitationInvalid, invite
from shared.federation.keys import NodeKey
from shared.federation.link import LinkDown
from shared.federation.problems import EnrolmentRefused
from shared.federation.repository import parent, peers, registry
from tests.conftest import MakeNode, TestNode
from tests.federation.conftest import COUNTING


@pytest.fixture
async def hq(make_node: MakeNode) -> TestNode:
    return await make_node("000000", [COUNTING])


@pytest.fixture
async def province(make_node: MakeNode) -> TestNode:
    return await make_node("440000", [COUNTING])


async def invited(above: TestNode, child: str) -> Invitation:
    async with above.database.transaction() as session:
        return await invite(session, above.context.post, child, by="test", now=above.clock.now())


async def children_of(node: TestNode) -> list[str]:
    async with node.database.transaction() as session:
        return [peer.code for peer in await peers(session)]


async def test_each_knows_the_others_key_afterwards(hq: TestNode, province: TestNode) -> None:
    assert (
        await province.node.dialler.enrol("http://000000", await invited(hq, "440000")) == "000000"
    )
    async with hq.database.transaction() as at_hq, province.database.transaction() as at_province:
        (child,) = await peers(at_hq)
        above = await parent(at_province)
        assert above is not None
        assert child.public_key == province.context.post.key.public.to_text()
        assert above.public_key == hq.context.post.key.public.to_text()
        assert [entry.code for entry in await registry(at_province)] == ["000000", "440000"]


async def test_asking_again_after_a_lost_answer_joins_once(
    hq: TestNode, province: TestNode
) -> None:
    invitation = await invited(hq, "440000")
    for _ in range(2):
        assert await province.node.dialler.enrol("http://000000", invitation) == "000000"
    assert await children_of(hq) == ["440000"]
    assert await children_of(province) == ["000000"]


async def test_a_code_lets_nobody_else_in(
    hq: TestNode, province: TestNode, make_node: MakeNode
) -> None:
    other = await make_node("110000", [COUNTING])
    invitation = await invited(hq, "440000")
    with pytest.raises(LinkDown, match="not known for this node"):
        await other.node.dialler.enrol("http://000000", invitation)
    assert await children_of(hq) == []


async def test_a_used_code_does_not_admit_another_key(hq: TestNode, province: TestNode) -> None:
    invitation = await invited(hq, "440000")
    await province.node.dialler.enrol("http://000000", invitation)
    province.context.post.key = NodeKey.generate()
    with pytest.raises(LinkDown, match="has been used"):
        await province.node.dialler.enrol("http://000000", invitation)


async def test_a_code_expires(hq: TestNode, province: TestNode) -> None:
    invitation = await invited(hq, "440000")
    hq.clock.advance(timedelta(hours=25))
    with pytest.raises(LinkDown, match="expired"):
        await province.node.dialler.enrol("http://000000", invitation)


async def test_a_node_that_is_not_the_one_of_the_fingerprint_is_not_joined(
    hq: TestNode, province: TestNode
) -> None:
    invitation = await invited(hq, "440000")
    forged = Invitation(invitation.secret, NodeKey.generate().public.fingerprint)
    with pytest.raises(InvitationInvalid, match="fingerprint"):
        await province.node.dialler.enrol("http://000000", forged)
    assert await children_of(province) == []


@pytest.mark.parametrize("child", ["440300", "000000"])
async def test_hq_invites_provinces_only(hq: TestNode, child: str) -> None:
    with pytest.raises(EnrolmentRefused, match="directly below"):
        await invited(hq, child)


async def test_a_province_invites_its_own_cities_only(province: TestNode) -> None:
    with pytest.raises(EnrolmentRefused):
        await invited(province, "110100")


@pytest.mark.parametrize("text", ["", "secret", ".fingerprint", "secret."])
def test_what_is_not_a_code_is_said_to_be_none(text: str) -> None:
    with pytest.raises(InvitationInvalid, match="not a one-time code"):
        Invitation.from_text(text)
