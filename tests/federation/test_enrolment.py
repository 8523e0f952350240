"""Joining: the right child, the right parent, once."""

from datetime import timedelta

import pytest

from shared.federation.enrolment import Invitation, InvitationInvalid, admit, invite
from shared.federation.keys import NodeKey
from shared.federation.link import LinkDown
from shared.federation.problems import (
    EnrolmentNotPending,
    EnrolmentRefused,
    FingerprintDiffers,
)
from shared.federation.repository import parent, peers, registry
from shared.kernel.second_person import SecondPersonNeeded
from tests.conftest import MakeNode, TestNode, enrol
from tests.federation.conftest import COUNTING


@pytest.fixture
async def hq(make_node: MakeNode) -> TestNode:
    return await make_node("000000", [COUNTING])


@pytest.fixture
async def province(make_node: MakeNode) -> TestNode:
    return await make_node("440000", [COUNTING])


async def invited(above: TestNode, child: str, *, moving: bool = False) -> Invitation:
    async with above.database.transaction() as session:
        return await invite(
            session,
            above.context.post,
            child,
            by="inviter",
            now=above.clock.now(),
            moving=moving,
        )


async def asked(child: TestNode, above: TestNode, invitation: Invitation) -> None:
    """Ask, and be told that somebody has yet to admit."""
    with pytest.raises(LinkDown, match="has asked to join") as waiting:
        await child.node.dialler.enrol(f"http://{above.code}", invitation)
    assert waiting.value.problem == "urn:guanxi:problem:enrolment-pending"


async def admitted(
    above: TestNode, child: TestNode, *, by: str = "admitter", fingerprint: str | None = None
) -> None:
    async with above.database.transaction() as session:
        await admit(
            session,
            above.context.post,
            child.code,
            fingerprint or child.context.post.key.public.fingerprint,
            by=by,
            now=above.clock.now(),
        )


async def children_of(node: TestNode) -> list[str]:
    async with node.database.transaction() as session:
        return [peer.code for peer in await peers(session)]


async def test_each_knows_the_others_key_afterwards(hq: TestNode, province: TestNode) -> None:
    invitation = await invited(hq, "440000")
    await asked(province, hq, invitation)
    await admitted(hq, province)
    assert await province.node.dialler.enrol("http://000000", invitation) == "000000"
    now = hq.clock.now()
    async with hq.database.transaction() as at_hq, province.database.transaction() as at_province:
        (child,) = await peers(at_hq)
        above = await parent(at_province)
        assert above is not None
        assert child.keys_at(now) == (province.context.post.key.public,)
        assert above.keys_at(now) == (hq.context.post.key.public,)
        assert [entry.code for entry in await registry(at_province)] == ["000000", "440000"]


async def test_nobody_is_a_peer_before_a_second_person_has_compared_the_fingerprint(
    hq: TestNode, province: TestNode
) -> None:
    invitation = await invited(hq, "440000")
    await asked(province, hq, invitation)
    with pytest.raises(FingerprintDiffers, match=province.context.post.key.public.fingerprint):
        await admitted(hq, province, fingerprint=NodeKey.generate().public.fingerprint)
    with pytest.raises(SecondPersonNeeded, match="inviter"):
        await admitted(hq, province, by="inviter")
    assert await children_of(hq) == []
    await asked(province, hq, invitation)
    read_out = province.context.post.key.public.fingerprint.replace("-", " ").upper()
    await admitted(hq, province, fingerprint=read_out)
    assert await children_of(hq) == ["440000"]


async def test_who_has_not_asked_cannot_be_admitted(hq: TestNode, province: TestNode) -> None:
    with pytest.raises(EnrolmentNotPending):
        await admitted(hq, province)
    invitation = await invited(hq, "440000")
    with pytest.raises(EnrolmentNotPending):
        await admitted(hq, province)
    await asked(province, hq, invitation)
    await admitted(hq, province)
    with pytest.raises(EnrolmentNotPending):
        await admitted(hq, province)


async def test_asking_again_after_a_lost_answer_joins_once(
    hq: TestNode, province: TestNode
) -> None:
    invitation = await invited(hq, "440000")
    for _ in range(2):
        await asked(province, hq, invitation)
    await admitted(hq, province)
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
    await asked(province, hq, invitation)
    await admitted(hq, province)
    province.context.post.keys.replace()
    with pytest.raises(LinkDown, match="has been used"):
        await province.node.dialler.enrol("http://000000", invitation)


async def test_a_node_that_is_known_with_another_key_is_not_even_pending(
    hq: TestNode, province: TestNode
) -> None:
    await enrol(province, hq)
    province.context.post.keys.replace()
    invitation = await invited(hq, "440000")
    with pytest.raises(LinkDown, match="registered with another key"):
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
    await asked(province, hq, forged)
    await admitted(hq, province)
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
