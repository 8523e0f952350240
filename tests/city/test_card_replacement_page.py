"""The examples of ``docs/card-replacement.md``, run in order against a nation."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from services.city_node import card_order
from shared.capability import Role
from tests.city.drafts import SignIn
from tests.city.outside import Outside
from tests.city.two_cities import HOME, MSISDN, VISITED, City, add_line
from tests.conftest import Nation
from tests.curl import Shell, commands

PAGE = Path(__file__).parents[2] / "docs" / "card-replacement.md"


async def test_every_example_works(
    joined: Callable[..., Awaitable[Nation]], sign_in: SignIn
) -> None:
    codes = ("000000", "440000", "110000", VISITED, HOME)
    nation = await joined(codes, port_card_supplier_url="http://card-supplier")
    outside = Outside(nation.clock, card_order.capability.offers)
    visited, home = nation[VISITED], nation[HOME]
    await add_line(City(home.context, home.clock), MSISDN)
    people = {"TOKEN": Role.CLERK, "SUPERVISOR": Role.SUPERVISOR, "OTHER": Role.SUPERVISOR}
    shell = Shell(
        {"CITY": visited.client},
        {},
        {
            name: (await sign_in(visited, role))["Authorization"].removeprefix("Bearer ")
            for name, role in people.items()
        },
    )
    answers = []
    for command in commands(PAGE):
        answer = await shell.run(command)
        assert answer.is_success, (command, answer.status_code, answer.text)
        answers.append(answer.json())
        await nation.settle()
        await outside.work(City(visited.context, visited.clock), "card-supplier")
    loaded, stock, asked, approved, written, completed = answers[:6]
    assert loaded["loaded"] == len(stock["items"]) == 1
    assert [each["state"] for each in (asked, approved, written, completed)] == [
        "asked",
        "approved",
        "written",
        "completed",
    ]
    assert completed["card"]["state"] == "issued"
    before, _, listed, order, cards, part = answers[6:12]
    assert (before["in_stock"], before["level"]) == (0, 0)
    assert [each["id"] for each in listed["items"]] == [order["id"]]
    assert (order["state"], order["quantity"], order["in_transit"]) == ("shipped", 100, 100)
    assert len(cards["items"]) == 1
    assert (part["state"], part["received"], part["in_transit"]) == ("shipped", 1, 99)
    mistake, rejected, proposed, waiting, approved, whole, found = answers[12:]
    assert (mistake["id"], len(mistake["cards"])) == (rejected["id"], 2)
    assert [each["id"] for each in waiting["items"]] == [proposed["id"]] == [approved["id"]]
    assert [(each["state"], each["lost"]) for each in (rejected, proposed, approved)] == [
        ("rejected", None),
        ("proposed", None),
        ("written_off", 1),
    ]
    assert [(each["state"], each["received"], each["lost"]) for each in (whole, found)] == [
        ("received", 99, 1),
        ("received", 100, 0),
    ]
