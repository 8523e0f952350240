"""What cities count is what the nation has: over HTTP, by the clock, by command, and through the federation."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import select, text
from typer import Typer
from typer.testing import CliRunner

from services.city_node import rollup
from services.city_node.rollup.service import roll_up
from shared import organisation, staff, statistics
from shared.capability import Role
from shared.federation.models import InboxMessage, InboxState
from shared.statistics.indicators import CATALOGUE
from shared.statistics.models import StatisticsSlice
from shared.statistics.period import Period, PeriodKind
from tests.city.random_customers import (
    Person,
    count_bills,
    count_customers,
    random_people,
    settle_in,
)
from tests.conftest import MakeNode, Nation, TestNode
from tests.statistics.registered_cities import Headers, ask, table

CAPABILITIES = (
    organisation.capability,
    staff.capability,
    statistics.capability,
    rollup.capability,
)
NOVEMBER = Period.parse("2026-11")
DATASETS = ("customer", "revenue")
CITIES = ("110100", "440100", "440300")
SignIn = Callable[..., Awaitable[Headers]]


async def inhabit(node: TestNode, number: int) -> list[Person]:
    people = random_people(node.code, number)
    async with node.database.transaction() as session:
        await settle_in(session, node.code, people)
    return people


async def count(node: TestNode, **how: Any) -> None:
    given: dict[str, Any] = {"datasets": DATASETS, "now": node.clock.now()} | how
    await roll_up(node.database, node.context.post, [NOVEMBER], **given)


def total(people: list[Person], measure: str) -> int:
    cells = [*count_customers(people, NOVEMBER).values(), *count_bills(people, NOVEMBER).values()]
    return sum(cell.get(measure, 0) for cell in cells)


async def test_a_supervisor_counts_over_http_and_an_account_manager_may_not(
    make_node: MakeNode, sign_in: SignIn
) -> None:
    node = await make_node("440300", CAPABILITIES)
    supervisor = await sign_in(node, Role.SUPERVISOR)
    manager = await sign_in(node, Role.ACCOUNT_MANAGER)
    people = await inhabit(node, 80)

    async def order(who: dict[str, str], **body: Any) -> Any:
        return await node.client.post("/statistics/rollups", json=body, headers=who)

    counted = await order(supervisor, period="2026-11", reason="first")
    assert counted.status_code == 200, counted.text
    items = counted.json()["items"]
    assert [x["dataset"] for x in items] == list(CATALOGUE.datasets)
    assert {x["changed"] for x in items} == {True}
    due = await order(supervisor)
    assert {(x["period"], x["changed"]) for x in due.json()["items"]} == {
        ("2026-11", False),
        ("2026-11-22", True),
    }
    assert (await order(manager, period="2026-11")).status_code == 403
    ahead = await order(supervisor, period="2026-12")
    assert (ahead.status_code, ahead.json()["type"]) == (422, "urn:guanxi:problem:period-not-begun")
    assert (await order(supervisor, period="soon")).status_code == 422
    assert (await order(supervisor, month="2026-11")).status_code == 422

    answer = await node.client.get(
        "/statistics/values", params={"indicator": "customers"}, headers=manager
    )
    assert answer.json()["rows"][0]["values"] == {"customers": total(people, "customers")}


async def test_the_nightly_job_counts(make_node: MakeNode) -> None:
    node = await make_node("440300", CAPABILITIES)

    await node.run_job("rollup")

    async with node.database.transaction() as session:
        rows = await session.execute(select(StatisticsSlice.dataset, StatisticsSlice.period))
        assert {tuple(row) for row in rows} == {
            *((dataset.code, "2026-11") for dataset in CATALOGUE.dataset_list),
            *(
                (dataset.code, "2026-11-22")
                for dataset in CATALOGUE.dataset_list
                if PeriodKind.DAY in dataset.periods
            ),
        }


async def test_hq_has_the_sum_of_the_cities_and_a_correction_restates_it(
    nation: Nation, sign_in: SignIn
) -> None:
    people = {code: await inhabit(nation[code], 60) for code in CITIES}
    for code in CITIES:
        await count(nation[code])
    await nation.settle()

    measures = ("customers", "lost_customers", "monthly_charge_fen", "billed_revenue_fen")
    readers = {
        "000000": (Role.HQ_ANALYST, CITIES),
        "440000": (Role.PROVINCE_COORDINATOR, ("440100", "440300")),
        "440300": (Role.SUPERVISOR, ("440300",)),
    }
    analysts = {code: await sign_in(nation[code], role) for code, (role, _) in readers.items()}
    for code, (_, below) in readers.items():
        whole = await ask(nation[code], analysts[code], indicator=",".join(measures))
        for measure in measures:
            by_hand = sum(total(people[city], measure) for city in below)
            assert whole["rows"][0]["values"][measure] == by_hand
        for made_of in whole["provenance"]:
            assert [each["node"] for each in made_of["cities"]] == list(below)
            assert made_of["missing"] == []

    async with nation["440300"].database.transaction() as session:
        leave = text("UPDATE customer SET library = 'retained', left_on = :day WHERE id = :id")
        leaver = next(x for x in people["440300"] if x.left is None and x.entry < NOVEMBER.start)
        await session.execute(leave, {"day": date(2026, 11, 20), "id": leaver.id})
    leaver.left = date(2026, 11, 20)
    nation.clock.advance(timedelta(minutes=5))
    await count(nation["440300"], reason="told late")
    await nation.settle()

    restated = await ask(
        nation["000000"],
        analysts["000000"],
        indicator=",".join(measures),
        by="region",
        region_level="city",
    )
    for measure in measures:
        expected = {code: total(people[code], measure) for code in CITIES}
        assert table(restated, measure, "region") == expected
    revisions = {
        (made_of["dataset"], each["node"]): each["revision"]
        for made_of in restated["provenance"]
        for each in made_of["cities"]
    }
    assert revisions["customer", "440300"] == 2
    assert revisions["customer", "440100"] == 1


async def test_a_city_cut_off_is_missing_until_it_is_back(nation: Nation, sign_in: SignIn) -> None:
    nation.network.cut.add("110000")  # what Beijing's city node dials
    for code in CITIES:
        await count(nation[code])
    await nation.settle()
    analyst = await sign_in(nation["000000"], Role.HQ_ANALYST)

    without = await ask(nation["000000"], analyst, indicator="customers")
    nation.network.cut.clear()
    await nation.settle()
    with_it = await ask(nation["000000"], analyst, indicator="customers")

    assert without["provenance"][0]["missing"] == ["110100"]
    assert (with_it["provenance"][0]["expected"], with_it["provenance"][0]["included"]) == (3, 3)


async def test_what_a_city_said_otherwise_before_is_parked_at_its_province(nation: Nation) -> None:
    city = nation["440300"]
    await count(city)
    await nation.settle()
    async with city.database.transaction() as session:
        # As after restoring an old backup: the city has forgotten what it said.
        await session.execute(text("DELETE FROM statistics_fact"))
        await session.execute(text("DELETE FROM statistics_slice"))
    await inhabit(city, 10)
    await count(city)
    await nation.settle()

    for code in ("440000", "000000"):
        async with nation[code].database.transaction() as session:
            revisions = await session.execute(
                select(StatisticsSlice.revision, StatisticsSlice.row_count)
            )
            assert {tuple(row) for row in revisions} == {(1, 0)}
    async with nation["440000"].database.transaction() as session:
        parked = await session.scalars(select(InboxMessage).filter_by(state=InboxState.PARKED))
        reasons = [each.reason or "" for each in parked]
    assert len(reasons) == 2
    assert all("revision 1 is known with the hash" in reason for reason in reasons)


async def test_a_restored_city_goes_on_after_the_revision_it_had_told(nation: Nation) -> None:
    """Its parent gives back what it had said, so that its next count restates that and contradicts nothing."""
    city = nation["440300"]
    lanes = "SELECT * FROM federation_lane WHERE lane = 'rollup'"
    async with city.database.transaction() as session:
        await session.execute(text(f"CREATE TABLE lanes_of_the_backup AS {lanes}"))
    await count(city)
    await nation.settle()
    async with city.database.transaction() as session:
        for statement in (
            "DELETE FROM statistics_fact",
            "DELETE FROM statistics_slice",
            "DELETE FROM federation_outbox WHERE lane = 'rollup'",
            "DELETE FROM federation_lane WHERE lane = 'rollup'",
            "INSERT INTO federation_lane SELECT * FROM lanes_of_the_backup",
        ):
            await session.execute(text(statement))
    await city.node.dialler.reconcile()
    await inhabit(city, 10)
    await count(city)
    await nation.settle()
    async with nation["000000"].database.transaction() as session:
        revisions = await session.scalars(select(StatisticsSlice.revision))
        assert sorted(revisions) == [1, 1, 2, 2]


@pytest.fixture
async def commanded(make_node: MakeNode, monkeypatch: pytest.MonkeyPatch) -> TestNode:
    """A city that the command line finds by its settings, as an operator's would."""
    node = await make_node("440300", CAPABILITIES)
    monkeypatch.setenv("GUANXI_HOME", str(node.node.settings.home))
    monkeypatch.setenv("GUANXI_DATABASE_URL", str(node.node.settings.database_url))
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    return node


async def guanxi(*words: str) -> Any:
    """Run a command on a thread, where it has a loop of its own as in a program of its own."""
    app = Typer()
    for capability in CAPABILITIES:
        for name, group in capability.commands:
            app.add_typer(group, name=name)
    return await asyncio.to_thread(CliRunner().invoke, app, [*words, "--node", "440300"])


async def test_an_operator_counts_and_asks_by_command(commanded: TestNode) -> None:
    people = await inhabit(commanded, 60)

    counted = await guanxi("rollup", "run", "--period", "2026-11", "--json")
    again = await guanxi("rollup", "run", "--period", "2026-11")
    listed = await guanxi("rollup", "list", "--json", "--current")
    asked = await guanxi(
        *(
            "stats",
            "query",
            "customers",
            "arpu_fen",
            "--period",
            "2026-11",
            "--by",
            "level",
            "--json",
        ),
    )

    assert counted.exit_code == 0, counted.output
    assert {each["changed"] for each in orjson.loads(counted.stdout)} == {True}
    assert again.exit_code == 0, again.output
    assert {each["dataset"] for each in orjson.loads(listed.stdout)} == set(CATALOGUE.datasets)
    for reason in ("", "x" * 501):  # what HQ would not take
        refused = await guanxi("rollup", "run", "--period", "2026-11", "--reason", reason)
        assert (refused.exit_code, "/reason" in refused.stderr) == (1, True)
    nonsense = await guanxi("rollup", "list", "--period", "2026-13")
    assert (nonsense.exit_code, "is no period" in nonsense.stderr) == (1, True)
    rows = orjson.loads(asked.stdout)["rows"]
    assert [row["level"] for row in rows] == ["diamond", "gold", "silver", "standard"]
    assert sum(row["values"]["customers"] for row in rows) == total(people, "customers")


async def test_the_terminal_says_what_figures_are_made_of(commanded: TestNode) -> None:
    before = await guanxi("stats", "query", "customers", "--period", "2026-11")
    await count(commanded)
    after = await guanxi(
        *("stats", "query", "customers", "--period", "2026-11", "--where", "level=gold"),
    )
    mistaken = await guanxi("stats", "query", "custmers")
    unfinished = await guanxi("stats", "query", "customers", "--where", "level")

    assert "customer 2026-11: 0 of 1 cities, as of -, missing 440300" in before.stdout
    assert "customer 2026-11: 1 of 1 cities, as of 2026-11-23 12:00\n" in after.stdout
    assert "Customers in the network" in after.stdout
    assert mistaken.exit_code == 1
    assert "query:indicator" in mistaken.stderr
    assert unfinished.exit_code == 1
    assert "write it as level=gold" in unfinished.stderr
