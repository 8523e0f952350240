"""The examples of ``docs/requests.md``, run in order against a nation."""

from pathlib import Path

from services.city_node.attachment.content import SIGNATURES
from shared.capability import Role
from shared.staff.service import add_staff_member
from tests.city.drafts import SignIn
from tests.city.two_cities import HOME, MSISDN, VISITED, City, add_line, load_cards
from tests.conftest import PASSWORD, Nation, TestNode
from tests.curl import Shell, commands
from tests.number_segment.test_number_segments import change

PAGE = Path(__file__).parents[2] / "docs" / "requests.md"
HQ = "000000"


async def add_clerk(node: TestNode) -> None:
    async with node.context.database.transaction() as session:
        await add_staff_member(
            session,
            username="li.na",
            password=PASSWORD,
            role=Role.CLERK,
            unit_code=node.code,
            by="test",
            now=node.clock.now(),
            tier=node.node.settings.tier,
        )


async def test_every_example_works(nation: Nation, sign_in: SignIn) -> None:
    visited, home = nation[VISITED], nation[HOME]
    await add_line(City(home.context, home.clock), MSISDN)
    await load_cards(City(visited.context, visited.clock), 1, unit=VISITED)
    await change(nation[HQ], ("138", HOME))
    await nation.settle()
    await add_clerk(visited)
    analyst = await sign_in(nation[HQ], Role.HQ_ANALYST)
    shell = Shell(
        {"CITY": visited.client, "HQ": nation[HQ].client},
        {"photo.jpg": SIGNATURES["image/jpeg"] + b"of a document"},
        {"ANALYST": analyst["Authorization"].removeprefix("Bearer ")},
    )
    answers = []
    for command in commands(PAGE):
        answer = await shell.run(command)
        assert answer.is_success, (command, answer.status_code, answer.text)
        answers.append((command, answer))
        await nation.settle()
    assert len(answers) == 16
    by = {command.split("$CITY")[-1]: answer for command, answer in answers}
    assert by["/number-segments/13800005678"].json()["home"] == HOME
    assert (
        by["/service-requests/$REQUEST/attachments/$ATTACHMENT/content"].content
        == (shell.files["photo.jpg"])
    )
    assert (
        by["/service-requests/$REQUEST/trail/stream"]
        .text.rstrip()
        .endswith('data: {"state":"cancelled"}')
    )
    assert by["/card-replacements/$REQUEST/cancel"].json()["state"] == "cancelled"
