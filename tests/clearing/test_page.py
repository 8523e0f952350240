"""The examples of the page on payments are run as they stand there."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from string import Template

import httpx

from shared.capability import Role
from tests.clearing.trade import SHENZHEN, Trade

PAGE = Path(__file__).parents[2] / "docs" / "payment.md"
CURL = re.compile(
    r"^(?:(?P<name>\w+)=\$\()?curl -s (?P<words>.*?)(?: \| jq -r \.(?P<field>\w+)\))?$"
)


def commands() -> Iterator[re.Match[str]]:
    """Give each command of the page's examples; what is no curl is a mistake of the page."""
    for block in re.findall(
        r"^```sh\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL
    ):
        for line in block.splitlines():
            found = CURL.match(line)
            assert found, line
            yield found


async def run(client: httpx.AsyncClient, words: list[str]) -> httpx.Response:
    """Send what a curl command would."""
    method, headers, content, url = None, {}, None, ""
    remaining = iter(words)
    for word in remaining:
        if word == "-X":
            method = next(remaining)
        elif word == "-H":
            name, _, value = next(remaining).partition(": ")
            headers[name] = value
        elif word == "--json":
            content = next(remaining)
            headers["Content-Type"] = "application/json"
        else:
            url = word
    method = method or ("GET" if content is None else "POST")
    return await client.request(method, url, headers=headers, content=content)


async def test_every_example_of_the_page_works(trade: Trade) -> None:
    client = trade.nation[SHENZHEN].client
    people = {
        "TOKEN": await trade.sign_in(trade.nation[SHENZHEN], Role.CLERK),
        "SUPERVISOR": await trade.sign_in(trade.nation[SHENZHEN], Role.SUPERVISOR),
    }
    known = {name: who["Authorization"].removeprefix("Bearer ") for name, who in people.items()}
    known["CITY"] = f"http://{SHENZHEN}"
    answers: list[httpx.Response] = []
    for command in commands():
        words = shlex.split(Template(command["words"]).substitute(known))
        answers.append(await run(client, words))
        assert answers[-1].is_success, (command[0], answers[-1].text)
        if command["name"]:
            known[command["name"]] = str(answers[-1].json()[command["field"]])
        await trade.nation.settle()
    closed = answers[-1].json()
    assert (closed["state"], closed["difference_fen"]) == ("closed", 0), "nothing is owed any more"
    assert {answer.status_code for answer in answers} == {200, 201}
    assert len(answers) >= 15
