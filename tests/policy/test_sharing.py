"""Policies between nodes: down to all below, up to HQ, late, twice, out of order, forged, and after a restore."""

from datetime import date

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from shared.federation.delivery import Delivery
from shared.federation.envelope import unpack
from shared.federation.models import Lane
from shared.policy import repository, sharing
from shared.policy.models import PolicyVersion
from shared.policy.statement import Published, Statement
from tests.conftest import Nation
from tests.examples import examples
from tests.policy.conftest import LATER, Office
from tests.policy.holding import forget, held_at, parked_at, statements_from
from tests.policy.thresholds import THRESHOLDS, gold, national

HQ, PROVINCE, CITY, OTHER = "000000", "440000", "440300", "440100"


async def test_a_national_policy_is_in_force_everywhere_and_overrides_below_their_publisher(
    line: Nation, offices: dict[str, Office]
) -> None:
    await offices[HQ].publish(national(window_months=12))
    await line.settle()
    await offices[PROVINCE].publish(gold(60_000))
    await offices[CITY].publish({"silver": {"from_fen": 25_000}})
    await line.settle()

    both = "thresholds 1 + 440000:1 + 440300:1"
    assert [await offices[code].in_force() for code in (HQ, PROVINCE, CITY, OTHER)] == [
        "thresholds 1",
        "thresholds 1 + 440000:1",
        both,
        "thresholds 1 + 440000:1",
    ]
    assert await offices[HQ].in_force(at=CITY) == both
    assert await offices[PROVINCE].in_force(at=CITY) == both
    assert await offices[CITY].in_force(at=PROVINCE) == "thresholds 1 + 440000:1"
    assert not any([await parked_at(node) for node in line.nodes.values()])


async def test_hq_says_what_is_in_force_where_since_when_and_by_whom(
    line: Nation, offices: dict[str, Office]
) -> None:
    await offices[HQ].publish(national(window_months=12))
    await line.settle()
    await offices[CITY].publish(gold(60_000), "2026-12-05")
    await line.settle()
    found = await offices[HQ].get("/places", on="2026-12-05")
    assert {each["node"]: each["reference"] for each in found["items"]} == {
        HQ: "thresholds 1",
        PROVINCE: "thresholds 1",
        CITY: "thresholds 1 + 440300:1",
        OTHER: "thresholds 1",
    }
    city = next(each for each in found["items"] if each["node"] == CITY)
    assert city["effective_from"] == "2026-12-05"
    assert [layer["published_by"].split("-")[0] for layer in city["layers"]] == [
        "hq_analyst",
        "supervisor",
    ]
    below = await offices[PROVINCE].get("/places", on="2026-12-05")
    assert [each["node"] for each in below["items"]] == [PROVINCE, OTHER, CITY]


async def test_a_node_knows_nothing_of_its_neighbours(
    line: Nation, offices: dict[str, Office]
) -> None:
    await offices[CITY].publish(gold(60_000))
    await line.settle()
    assert await held_at(line[OTHER]) == set()
    answer = await line[OTHER].client.get(
        "/policies/thresholds", params={"at": CITY}, headers=offices[OTHER].one
    )
    assert (answer.status_code, answer.json()["type"]) == (
        404,
        "urn:guanxi:problem:place-unknown",
    )


async def test_narrower_bounds_set_an_override_aside_visibly_at_every_tier(
    line: Nation, offices: dict[str, Office]
) -> None:
    await offices[CITY].publish(gold(55_000))
    await line.settle()
    draft = await offices[HQ].draft(
        national(), bounds=[{"pointer": "/gold/from_fen", "minimum": 60_000}]
    )
    preview = await offices[HQ].get(f"/drafts/{draft.json()['id']}/preview")
    assert [each["node"] for each in preview["sets_aside"]] == [CITY]
    assert (await offices[HQ].approve(draft)).status_code == 201
    await line.settle()
    for code in (HQ, PROVINCE, CITY):
        found = await offices[code].get("", on=LATER, at=CITY)
        assert found["reference"] == "thresholds 1"
        (aside,) = [each for each in found["layers"] if each["status"] == "set_aside"]
        assert (aside["publisher"], aside["errors"]) == (
            CITY,
            [
                {
                    "pointer": "/gold/from_fen",
                    "detail": "must be at least 60000, given is 55000",
                }
            ],
        )
    again = await offices[CITY].draft(gold(56_000))
    assert again.json()["type"] == "urn:guanxi:problem:policy-outside-bounds"
    assert "thresholds 1" in again.json()["detail"]


async def test_a_draft_is_told_when_what_is_published_already_will_set_it_aside(
    line: Nation, offices: dict[str, Office]
) -> None:
    await offices[HQ].publish(national(), "2027-01-01", bounds=[])
    await line.settle()
    draft = await offices[CITY].draft(gold(55_000))
    found = await offices[CITY].get(f"/drafts/{draft.json()['id']}/preview")
    assert found["set_aside_from"] == "2027-01-01"


async def test_a_withdrawal_goes_where_the_version_went(
    line: Nation, offices: dict[str, Office]
) -> None:
    await offices[PROVINCE].publish(gold(60_000))
    await line.settle()
    assert (await offices[PROVINCE].withdraw(1)).status_code == 200
    other = await line[CITY].client.post(
        "/policies/thresholds/versions/440000/1/withdraw",
        json={"reason": "not ours"},
        headers=offices[CITY].once(offices[CITY].one),
    )
    assert other.json()["type"] == "urn:guanxi:problem:not-the-publisher"
    await line.settle()
    for code in line.nodes:
        assert await offices[code].in_force() == "thresholds default"
    assert await offices[HQ].in_force(at=CITY) == "thresholds default"


@given(st.data())
@settings(
    max_examples=examples(5),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
async def test_statements_may_come_late_twice_and_in_any_order(
    line: Nation, offices: dict[str, Office], data: st.DataObject
) -> None:
    hq, city = offices[HQ], line[CITY]
    if not await statements_from(line[PROVINCE]):
        await hq.publish(national(window_months=11))
        await hq.publish(national(window_months=12), "2026-12-02")
        await hq.publish(national(window_months=13), "2026-12-03")
        await hq.withdraw(2)
        await line.settle()
        await offices[PROVINCE].publish(gold(60_000))
        await line.settle()
    days = ["2026-11-30", "2026-12-01", "2026-12-02", "2026-12-03"]
    expected = [await hq.in_force(at=CITY, on=day) for day in days]
    to_city = [
        message
        for message in map(unpack, await statements_from(line[PROVINCE]))
        if message.destination == CITY
    ]
    assert len(to_city) == 5
    order = data.draw(st.permutations([*to_city, *to_city[:2]]))

    await forget(city)
    for message in order:
        async with city.database.transaction() as session:
            await sharing.take_in(
                city.context.post, Delivery(message, (), session, line.clock.now())
            )

    assert [await offices[CITY].in_force(on=day) for day in days] == expected


async def test_a_statement_that_its_publisher_did_not_sign_is_refused(
    line: Nation, offices: dict[str, Office]
) -> None:
    await offices[HQ].publish(national(window_months=12))
    async with line[HQ].database.transaction() as session:
        (row,) = await session.scalars(select(PolicyVersion))
    altered = Statement(
        row.content.replace('"window_months":12', '"window_months":1'), row.statement
    )
    said = altered.said()
    assert isinstance(said, Published)
    assert said.document["window_months"] == 1
    own = Statement.made(said, line[PROVINCE].context.post.key, HQ)
    unknown = Statement.made(
        said.model_copy(update={"publisher": "650100"}),
        line[PROVINCE].context.post.key,
        "650100",
    )
    refused = (altered, own, unknown, Statement("{}", "x..y"), Statement("[", "x..y"))
    for nth, statement in enumerate(refused):
        async with line[PROVINCE].database.transaction() as session:
            await line[PROVINCE].context.post.post(
                session,
                sharing.PUBLISHED,
                CITY,
                statement.as_data(),
                lane=Lane.CONTROL,
                partition_key=f"policy/{nth}",
                now=line.clock.now(),
            )
    await line[CITY].node.dialler.poll(wait=0)
    reasons = await parked_at(line[CITY])
    assert len(reasons) == 5
    assert all("is refused" in reason for reason in reasons)
    assert await held_at(line[CITY]) == set()


async def test_a_kind_that_this_release_does_not_know_is_kept_and_passed_on(
    line: Nation, offices: dict[str, Office]
) -> None:
    said = Published(
        kind="astrology",
        publisher=HQ,
        number=1,
        effective_from=date(2026, 12, 1),
        document={"sign": "ox"},
        drafted_by="one",
        published_at=line.clock.now(),
        published_by="two",
    )
    post = line[HQ].context.post
    statement = Statement.made(said, post.key, HQ)
    async with line[HQ].database.transaction() as session:
        await repository.add_published(session, statement, said, now=line.clock.now())
        await sharing.pass_on(session, post, statement, said, now=line.clock.now())
    await line.settle()
    for code in (PROVINCE, CITY, OTHER):
        assert await held_at(line[code]) == {statement.digest}
    assert THRESHOLDS.name in [
        each["name"]
        for each in (await line[CITY].client.get("/policies", headers=offices[CITY].one)).json()[
            "items"
        ]
    ]
