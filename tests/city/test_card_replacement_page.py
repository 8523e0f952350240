"""The examples of ``docs/card-replacement.md``, run in order against a nation."""

from pathlib import Path

from shared.capability import Role
from tests.city.drafts import SignIn
from tests.city.two_cities import HOME, MSISDN, VISITED, City, add_line
from tests.conftest import Nation
from tests.curl import Shell, commands

PAGE = Path(__file__).parents[2] / "docs" / "card-replacement.md"


async def test_every_example_works(nation: Nation, sign_in: SignIn) -> None:
    visited, home = nation[VISITED], nation[HOME]
    await add_line(City(home.context, home.clock), MSISDN)
    people = {"TOKEN": Role.CLERK, "SUPERVISOR": Role.SUPERVISOR}
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
    loaded, stock, asked, approved, written, completed = answers
    assert loaded["loaded"] == len(stock["items"]) == 1
    assert [each["state"] for each in (asked, approved, written, completed)] == [
        "asked",
        "approved",
        "written",
        "completed",
    ]
    assert completed["card"]["state"] == "issued"
