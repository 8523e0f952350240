"""Moving a city to another parent while messages are under way."""

import pytest

from shared.federation import enrolment, membership
from shared.federation.models import Lane, PeerStatus
from shared.federation.problems import (
    EnrolmentRefused,
)
from tests.conftest import Nation, enrol
from tests.federation.conftest import (
    ECHOED,
    ask,
    entry_at,
    numbers_at,
    parked_at,
    peer_status,
    post_numbers,
)
from tests.federation.test_refusals import assert_refused, batch, signed


async def test_a_city_moves_to_another_province_and_nothing_is_lost_or_doubled(
    two: Nation,
) -> None:
    city, old, new = two["440300"], two["440000"], two["110000"]
    await post_numbers(city, "110100", 1)
    await city.node.dialler.push(Lane.REQUEST)  # under way at the old parent
    await post_numbers(city, "110100", 2)  # not sent yet
    await post_numbers(two["110100"], "440300", 7)
    await post_numbers(old, "440300", 8, key="from the old parent")
    await two["110100"].node.dialler.push(Lane.REQUEST)
    await new.node.dialler.push(Lane.REQUEST)  # now at HQ
    await old.node.dialler.poll(wait=0)  # now at the old parent
    await enrol(city, new, moving=True)
    await post_numbers(city, "000000", 3, key="after")
    await two.settle()
    await old.run_job("identity")
    await two.settle()

    for node in two.nodes.values():
        entry = await entry_at(node, "440300")
        assert (entry.parent, entry.former_parents) == ("110000", ["440000"]), node.code
        assert entry.is_confirmed
        assert await parked_at(node) == [], node.code
    assert sorted(await numbers_at(two["110100"])) == [1, 2]
    assert await numbers_at(two["000000"]) == [3]
    assert sorted(await numbers_at(city)) == [7, 8]
    assert await numbers_at(two["110100"], ECHOED) == [7]
    assert sorted(await numbers_at(city, ECHOED)) == [1, 2, 3]
    assert await peer_status(old, "440300") == PeerStatus.CLOSED
    assert await peer_status(city, "440000") == PeerStatus.CLOSED
    request = signed(city, batch(city, first=1))
    await assert_refused(old, request, 403, "peer-unknown")

    await post_numbers(old, "440300", 9, key="later")
    await two.settle()
    assert (await numbers_at(city))[-1] == 9


async def test_what_overtakes_the_news_of_a_move_is_redirected(two: Nation) -> None:
    """It left HQ before HQ heard, and arrives at the old parent after that has heard."""
    city, old, new = two["440300"], two["440000"], two["110000"]
    await post_numbers(two["110100"], "440300", 1, 2)
    await two["110100"].node.dialler.push(Lane.REQUEST)
    await new.node.dialler.push(Lane.REQUEST)
    await enrol(city, new, moving=True)
    await new.node.dialler.push(Lane.CONTROL)
    await old.node.dialler.poll(wait=0)  # control comes first
    await two.settle()
    assert await numbers_at(city) == []
    await old.run_job("identity")
    await two.settle()
    assert await numbers_at(city) == [1, 2]
    assert await numbers_at(two["110100"], ECHOED) == [1, 2]
    assert [row for node in two.nodes.values() for row in await parked_at(node)] == []


async def test_a_city_moves_and_comes_back(two: Nation) -> None:
    city = two["440300"]
    await post_numbers(city, "000000", 1)
    await two.settle()
    await enrol(city, two["110000"], moving=True)
    await post_numbers(city, "000000", 2)
    await two.settle()
    await enrol(city, two["440000"], moving=True)
    await post_numbers(city, "000000", 3)
    await post_numbers(two["110100"], "440300", 7)
    await two.settle()
    assert await numbers_at(two["000000"]) == [1, 2, 3]
    assert await numbers_at(city) == [7]
    assert await peer_status(two["110000"], "440300") == PeerStatus.CLOSED
    assert (await entry_at(two["000000"], "440300")).parent == "440000"


async def test_a_city_is_not_moved_without_its_own_word(two: Nation) -> None:
    city, new = two["440300"], two["110000"]
    own = await entry_at(city, "440300")
    consent = membership.consent_to_move(city.context.post, own, "110000")
    for forged in (
        None,
        {**consent, "to": "440000"},
        {**consent, "version": 9},
        membership.consent_to_move(new.context.post, own, "110000"),
    ):
        async with new.database.transaction() as session:
            await new.context.post.post(
                session,
                membership.ENROLLED,
                "000000",
                {"code": "440300", "public_key": own.public_key, "consent": forged},
                lane=Lane.CONTROL,
                partition_key=f"registry/{forged}"[:100],
                now=new.clock.now(),
            )
    await two.settle()
    assert (await entry_at(two["000000"], "440300")).parent == "440000"
    reasons = [row.reason or "" for row in await parked_at(two["000000"])]
    assert len(reasons) == 4
    assert all("does not say itself that it moves" in reason for reason in reasons)


async def test_an_old_consent_does_not_move_a_city_again(two: Nation) -> None:
    city, new = two["440300"], two["110000"]
    consent = membership.consent_to_move(
        city.context.post, await entry_at(city, "440300"), "110000"
    )
    await enrol(city, new, moving=True)
    await two.settle()
    await enrol(city, two["440000"], moving=True)
    await two.settle()
    async with new.database.transaction() as session:
        with pytest.raises(membership.RegistrationRefused, match="let it ask anew"):
            await membership.register(
                session,
                new.context.post,
                code="440300",
                parent="110000",
                public_key=city.context.post.key.public.to_text(),
                consent=consent,
                now=new.clock.now(),
            )


async def test_a_foreign_city_joins_only_when_it_is_invited_to_move(two: Nation) -> None:
    city, new = two["440300"], two["110000"]
    with pytest.raises(EnrolmentRefused, match="directly below"):
        await ask(city, new)
    async with new.database.transaction() as session:
        with pytest.raises(EnrolmentRefused, match="only an active node"):
            await enrolment.invite(
                session,
                new.context.post,
                "310100",
                by="one",
                now=new.clock.now(),
                moving=True,
            )
