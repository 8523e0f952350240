"""The stock of cards and the lists of requests, at one node: over REST and by command."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from services.city_node.card_replacement import commands as card_commands
from services.city_node.customer.models import Sim
from services.city_node.service_request import commands as request_commands
from services.city_node.service_request import service
from services.city_node.service_request.kind import Kind, Move, Party, State
from services.city_node.service_request.models import ServiceRequest
from services.city_node.service_request.service import Step
from shared.capability import Role
from shared.kernel.ids import new_id
from shared.kernel.language import Text
from shared.organisation.models import OrganisationUnit
from tests.city.two_cities import DOCUMENT, HALL, HOME, NOON, OTHER_HALL, VISITED, City, add_line
from tests.conftest import MakeNode, TestNode

Headers = dict[str, str]
SignIn = Callable[..., Awaitable[Headers]]

ERRAND = Kind(
    "errand",
    Text("Errand", "跑腿"),
    (
        State("open", Text("Open", "在办"), awaits=Party.HOME),
        State("done", Text("Done", "办结"), final=True),
    ),
    (
        Move(Party.VISITED, "sent", ("start",), "open", by=Party.VISITED),
        Move(Party.VISITED, "done", ("open",), "done", by=Party.VISITED),
    ),
    NOON - NOON,
    NOON - NOON,
    {},
)


def box(count: int, first: int = 1) -> list[dict[str, str]]:
    """Return the cards of a box, with consecutive numbers."""
    return [
        {"iccid": f"8986009999{n:010d}", "imsi": f"46009{n:010d}"}
        for n in range(first, first + count)
    ]


@pytest.fixture
async def node(make_node: MakeNode) -> TestNode:
    """Shenzhen, with two halls."""
    made = await make_node(VISITED)
    async with made.database.transaction() as session:
        for hall in (HALL, OTHER_HALL):
            session.add(
                OrganisationUnit(
                    code=hall,
                    parent_code=VISITED,
                    path=f"000000/440000/{VISITED}/{hall}/",
                    kind="hall",
                    name_zh=hall,
                    name_en=hall,
                    created_at=NOON,
                    updated_at=NOON,
                )
            )
    return made


@pytest.fixture
async def supervisor(node: TestNode, sign_in: SignIn) -> Headers:
    """The supervisor of the first hall."""
    return await sign_in(node, Role.SUPERVISOR, HALL)


async def load(
    node: TestNode, headers: Headers, status: int = 201, *, key: str = "", **body: Any
) -> Any:
    answer = await node.client.post(
        "/sim-cards", json=body, headers={**headers, "Idempotency-Key": key or str(new_id())}
    )
    assert answer.status_code == status, answer.text
    return answer.json()


async def listed(node: TestNode, headers: Headers, path: str) -> list[dict[str, Any]]:
    answer = await node.client.get(path, headers=headers)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_cards_come_into_stock_once(node: TestNode, supervisor: Headers) -> None:
    assert await load(node, supervisor, cards=box(3), key="k") == {
        "unit": HALL,
        "loaded": 3,
        "known": 0,
    }
    assert await load(node, supervisor, cards=box(3), key="k") == {
        "unit": HALL,
        "loaded": 3,
        "known": 0,
    }
    assert await load(node, supervisor, cards=box(4)) == {"unit": HALL, "loaded": 1, "known": 3}
    cards = await listed(node, supervisor, "/sim-cards?state=in_stock")
    assert [card["iccid"] for card in cards] == [card["iccid"] for card in box(4)]
    assert {card["unit"] for card in cards} == {HALL}


@pytest.mark.parametrize(
    ("cards", "pointer"),
    [
        ([*box(2), *box(1)], "/cards/2"),
        (
            [*box(1), {"iccid": box(1, 9)[0]["iccid"], "imsi": box(1, 50)[0]["imsi"]}],
            "/cards/1/imsi",
        ),
        ([{"iccid": box(1, 50)[0]["iccid"], "imsi": box(1, 9)[0]["imsi"]}], "/cards/0/imsi"),
        (box(3, 49), "/cards/1/iccid"),
        ([{"iccid": "89860000000000000001", "imsi": "460019999999999"}], "/cards/0/iccid"),
        ([{"iccid": "89860000000000000009", "imsi": "460000000000001"}], "/cards/0/iccid"),
    ],
    ids=[
        "twice",
        "another's IMSI",
        "another IMSI",
        "of another hall",
        "a line's ICCID",
        "a line's IMSI",
    ],
)
async def test_a_card_in_conflict_is_named_and_none_is_loaded(
    node: TestNode, supervisor: Headers, sign_in: SignIn, cards: list[dict[str, str]], pointer: str
) -> None:
    await add_line(City(node.context, node.clock), "13800005678", document=DOCUMENT)
    async with node.database.transaction() as session:
        sim = await session.get(Sim, "89860000000000000001")
        assert sim is not None
        assert sim.imsi == "460000000000001"
    await load(node, await sign_in(node, Role.SUPERVISOR, OTHER_HALL), cards=box(1, 50))
    problem = await load(node, supervisor, 409, cards=cards)
    assert problem["type"] == "urn:guanxi:problem:cards-in-conflict"
    assert pointer in [fault["pointer"] for fault in problem["errors"]]
    assert await listed(node, supervisor, "/sim-cards") == []


async def test_a_hall_loads_and_sees_its_own_stock_alone(
    node: TestNode, supervisor: Headers, sign_in: SignIn
) -> None:
    problem = await load(node, supervisor, 422, unit=OTHER_HALL, cards=box(1))
    assert problem["errors"][0]["pointer"] == "/unit"
    city = await sign_in(node, Role.SUPERVISOR)
    await load(node, city, unit=OTHER_HALL, cards=box(1))
    await load(node, city, unit=HALL, cards=box(2, 5))
    assert len(await listed(node, city, "/sim-cards")) == 3
    assert len(await listed(node, city, f"/sim-cards?unit={OTHER_HALL}")) == 1
    assert len(await listed(node, supervisor, "/sim-cards")) == 2


async def test_a_clerk_asks_and_a_supervisor_loads(node: TestNode, sign_in: SignIn) -> None:
    clerk, manager = await sign_in(node, Role.CLERK), await sign_in(node, Role.ACCOUNT_MANAGER)
    await load(node, clerk, 403, cards=box(1))
    some = f"/card-replacements/{new_id()}"
    for headers, path, status in (
        (clerk, f"{some}/write-card", 404),
        (manager, f"{some}/write-card", 403),
        (manager, some, 405),
    ):
        answer = await node.client.post(path, headers={**headers, "Idempotency-Key": "k"})
        assert answer.status_code == status, answer.text
    for path in (some, f"/service-requests/{new_id()}"):
        assert (await node.client.get(path, headers=clerk)).status_code == 404
        assert (await node.client.get(path)).status_code == 401


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"msisdn": "138"}, "/msisdn"),
        ({"document_number": "110105194912310021"}, "/document_number"),
        ({"reason": "bored"}, "/reason"),
        ({"home": VISITED}, "/home"),
        ({"home": HOME}, "/home"),
        ({"colour": "red"}, "/colour"),
    ],
)
async def test_a_wrong_question_is_refused_by_place_and_keeps_no_card(
    node: TestNode, sign_in: SignIn, wrong: dict[str, str], pointer: str
) -> None:
    await load(node, await sign_in(node, Role.SUPERVISOR), cards=box(1))
    asked = {
        "msisdn": "13800005678",
        "home": HOME,
        "document_type": "id_card",
        "document_number": DOCUMENT,
        "reason": "lost",
    }
    clerk = await sign_in(node, Role.CLERK)
    answer = await node.client.post(
        "/card-replacements", json=asked | wrong, headers={**clerk, "Idempotency-Key": "k"}
    )
    assert answer.status_code == 422, answer.text
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]
    assert [card["state"] for card in await listed(node, clerk, "/sim-cards")] == ["in_stock"]


async def begin_errands(node: TestNode) -> list[str]:
    """Begin an errand in each hall, and end the second one."""
    made = []
    for hall in (HALL, OTHER_HALL):
        errand = ServiceRequest(
            id=new_id(),
            role=Party.VISITED,
            home=HOME,
            visited=VISITED,
            subject="a letter",
            deadline=NOON,
            data={},
            unit_code=hall,
            created_by="li.na",
        )
        async with node.database.transaction() as session:
            words = Text("Sent", "已发")
            await service.begin(
                session, ERRAND, errand, Step("sent", Party.VISITED, NOON, VISITED, "li.na", words)
            )
            if hall == OTHER_HALL:
                await service.advance(
                    session,
                    ERRAND,
                    errand,
                    Step("done", Party.VISITED, NOON, VISITED, "li.na", words),
                )
        made.append(str(errand.id))
    return made


async def test_requests_are_listed_by_what_they_are_and_whose(
    node: TestNode, sign_in: SignIn
) -> None:
    ongoing, ended = await begin_errands(node)
    city, hall = await sign_in(node, Role.CLERK), await sign_in(node, Role.CLERK, HALL)
    expected = {
        "": [ongoing, ended],
        "?sort=-created_at": [ended, ongoing],
        "?open=true": [ongoing],
        "?open=false&state=done": [ended],
        "?awaiting=home": [ongoing],
        "?kind=errand&role=visited&home=110100&visited=440300": [ongoing, ended],
        "?kind=card-replacement": [],
        "?home=440100": [],
        "?deadline_before=2026-11-23T04:00:00Z": [],
        "?deadline_before=2026-11-23T04:00:01Z": [ongoing, ended],
    }
    for query, ids in expected.items():
        items = await listed(node, city, f"/service-requests{query}")
        assert [item["id"] for item in items] == ids, query
    assert [item["id"] for item in await listed(node, hall, "/service-requests")] == [ongoing]
    assert (await node.client.get(f"/service-requests/{ended}", headers=hall)).status_code == 404
    answer = await node.client.get(f"/service-requests/{ended}", headers=city)
    assert (answer.status_code, answer.headers["etag"]) == (200, '"2"')
    assert [line["event"] for line in answer.json()["trail"]] == ["sent", "done"]
    assert answer.json()["deadline"] == "2026-11-23T04:00:00+00:00"
    assert (await node.client.get(f"/card-replacements/{ended}", headers=city)).status_code == 404


async def test_every_operation_is_documented_with_an_example(node: TestNode) -> None:
    document = (await node.client.get("/openapi.json")).json()
    schemas = document["components"]["schemas"]
    for name in (
        "CardReplacementIn",
        "CardReplacementOut",
        "CancelIn",
        "CardsIn",
        "CardsLoaded",
        "StockCard",
        "ServiceRequestOut",
    ):
        assert schemas[name]["examples"], name
    for path in ("/card-replacements", "/sim-cards", "/service-requests"):
        assert path in document["paths"]


@pytest.fixture
def run(
    node: TestNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Awaitable[tuple[int, str, str]]]:
    """Run a command on the node's machine; gives exit code, output and complaints."""
    monkeypatch.setenv("DATABASE_URL", node.database.url)
    monkeypatch.setenv("GUANXI_HOME", str(tmp_path))
    monkeypatch.setenv("GUANXI_NODE", VISITED)
    monkeypatch.setenv("LANG", "en_US.UTF-8")

    async def run(app: Any, *arguments: str) -> tuple[int, str, str]:
        result = await asyncio.to_thread(CliRunner().invoke, app, list(arguments))
        return result.exit_code, result.stdout, result.stderr

    return run


Run = Callable[..., Awaitable[tuple[int, str, str]]]


async def test_cards_are_loaded_by_command_from_a_file_or_a_box(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "cards.csv"
    file.write_text(
        "imsi,iccid\n" + "".join(f"{card['imsi']},{card['iccid']}\n" for card in box(3))
    )
    code, output, _ = await run(card_commands.app, "load", str(file), "--unit", HALL, "--json")
    assert (code, orjson.loads(output)) == (0, {"unit": HALL, "loaded": 3, "known": 0})
    first = box(1)[0]
    from_box = ["--from", first["iccid"], "--imsi", first["imsi"], "--count", "5", "--unit", HALL]
    code, output, _ = await run(card_commands.app, "load", *from_box, "--json")
    assert (code, orjson.loads(output)) == (0, {"unit": HALL, "loaded": 2, "known": 3})


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("iccid\n1\n", "columns iccid and imsi"),
        (
            "iccid,imsi\n89860099990000000001,460090000000001\n123,460090000000002\n",
            "line 3: iccid",
        ),
        (None, "--from, --imsi and --count"),
    ],
)
async def test_a_wrong_file_is_refused_with_a_sentence(
    run: Run, tmp_path: Path, content: str | None, complaint: str
) -> None:
    file = tmp_path / "cards.csv"
    file.write_text(content or "")
    arguments = [str(file)] if content else []
    code, _, complaints = await run(card_commands.app, "load", *arguments, "--unit", HALL)
    assert code == 1
    assert complaint in complaints


async def test_requests_are_shown_by_command(run: Run, node: TestNode) -> None:
    ongoing, ended = await begin_errands(node)
    code, output, _ = await run(request_commands.app, "list", "--json")
    assert code == 0
    assert [item["id"] for item in orjson.loads(output)] == [ended, ongoing]
    code, output, _ = await run(
        request_commands.app, "list", "--open", "--kind", "errand", "--json"
    )
    assert [item["id"] for item in orjson.loads(output)] == [ongoing]
    code, output, _ = await run(request_commands.app, "show", ended, "--json")
    assert (code, [line["event"] for line in orjson.loads(output)["trail"]]) == (
        0,
        ["sent", "done"],
    )
    code, output, _ = await run(request_commands.app, "show", ended)
    assert code == 0
    assert "已发" in output
    code, _, complaints = await run(request_commands.app, "show", str(new_id()))
    assert code == 1
    assert "There is no request" in complaints
