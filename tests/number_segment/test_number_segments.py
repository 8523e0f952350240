"""Number segments: changed at HQ, with a second look at conflicts; known at every node, in one version."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from services.city_node.card_replacement.schemas import CardReplacementIn
from services.hq_node.number_segment import service
from services.hq_node.number_segment.problems import SegmentsInvalid
from shared import audit
from shared.capability import Role
from shared.federation.delivery import Delivery, MessageRefused
from shared.federation.envelope import Message
from shared.kernel.ids import new_id
from shared.node.command import app
from shared.number_segment import repository, sharing
from shared.number_segment.edition import MOST_SEGMENTS, Edition, Said
from tests.city.drafts import Headers, SignIn
from tests.conftest import NOON, MakeNode, Nation, TestNode

HQ, PROVINCE, CITY, BEIJING = "000000", "440000", "440300", "110100"


@pytest.fixture
async def hq(make_node: MakeNode) -> TestNode:
    return await make_node(HQ)


def person(name: str = "zhao.lei") -> service.Person:
    return service.Person(name, None, audit.Actor.command(name))


async def change(node: TestNode, *segments: tuple[str, str | None], note: str = "new") -> Any:
    async with node.context.database.transaction() as session:
        return await service.change(
            node.context, session, person(), segments, note, now=node.clock.now()
        )


async def home(node: TestNode, msisdn: str) -> tuple[str | None, int]:
    async with node.context.database.transaction() as session:
        return await repository.home_of(session, msisdn), await repository.version(session)


async def test_the_longest_segment_counts(hq: TestNode) -> None:
    await change(hq, ("199", BEIJING))
    assert (await change(hq, ("1993", CITY))).state == "waiting"
    assert await home(hq, "19930000000") == (BEIJING, 1)
    assert await home(hq, "19830000000") == (None, 1)
    await change(hq, ("13800138000", CITY), ("1380013", CITY))
    assert await home(hq, "13800138000") == (CITY, 2)


async def test_a_large_change_is_several_editions_and_one_transaction(hq: TestNode) -> None:
    many = [(f"13{number:05d}", CITY) for number in range(MOST_SEGMENTS * 2 + 1)]
    made = await change(hq, *many)
    assert (made.state, made.first_edition, made.last_edition) == ("published", 1, 3)
    assert await home(hq, "13020000000") == (CITY, 3)
    with pytest.raises(SegmentsInvalid) as refused:
        await change(hq, ("1999", BEIJING), ("1999", CITY), ("1998", "440000"), ("1997", "990100"))
    assert len(refused.value.faults) == 3
    assert await home(hq, "19990000000") == (None, 3)


@pytest.mark.parametrize(
    ("asked", "kind", "other"),
    [
        (("1380", CITY), "moved", "1380"),
        (("1380", None), "withdrawn", "1380"),
        (("13805", CITY), "within", "1380"),
        (("138", CITY), "around", "1380"),
    ],
)
async def test_what_contradicts_the_table_waits_for_a_second_look(
    hq: TestNode, asked: tuple[str, str | None], kind: str, other: str
) -> None:
    await change(hq, ("1380", BEIJING), ("1370", BEIJING))
    made = await change(hq, asked)
    assert made.state == "waiting"
    assert [(c["kind"], c["other"], c["present"]) for c in made.conflicts] == [
        (kind, other, BEIJING)
    ]
    assert await home(hq, "13801234567") == (BEIJING, 1)


async def test_what_a_change_says_itself_is_no_conflict(hq: TestNode) -> None:
    await change(hq, ("1380", BEIJING), ("13805", BEIJING))
    made = await change(hq, ("1380", CITY), ("13805", CITY))
    assert [(c["prefix"], c["kind"]) for c in made.conflicts] == [
        ("1380", "moved"),
        ("13805", "moved"),
    ]


class Desk:
    """Somebody who works at HQ over REST."""

    def __init__(self, node: TestNode, headers: Headers) -> None:
        self.node = node
        self.headers = headers

    async def post(self, path: str, body: Any = None, version: int | None = None) -> Any:
        match = {} if version is None else {"If-Match": f'"{version}"'}
        return await self.node.client.post(
            path,
            json=body,
            headers={**self.headers, **match, "Idempotency-Key": str(new_id())},
        )

    async def get(self, path: str) -> Any:
        return await self.node.client.get(path, headers=self.headers)


async def test_another_person_publishes_what_conflicts(hq: TestNode, sign_in: SignIn) -> None:
    maker = Desk(hq, await sign_in(hq, Role.HQ_ANALYST))
    other = Desk(hq, await sign_in(hq, Role.OPERATOR))
    auditor = Desk(hq, await sign_in(hq, Role.AUDITOR))
    path = "/number-segment-changes"
    body = {"note": "2026", "segments": [{"prefix": "1380", "home": BEIJING}]}
    assert (await auditor.post(path, body)).status_code == 403
    first = await maker.post(path, body)
    assert (first.status_code, first.json()["state"]) == (201, "published"), first.text
    moved = {"note": "moved", "segments": [{"prefix": "1380", "home": CITY}]}
    waiting = (await maker.post(path, moved)).json()
    assert (waiting["state"], waiting["conflict_count"]) == ("waiting", 1)
    one = f"{path}/{waiting['id']}"
    own = await maker.post(f"{one}/publish", version=1)
    assert (own.status_code, own.json()["type"]) == (403, "urn:guanxi:problem:second-person-needed")
    assert (await other.post(f"{one}/publish", version=7)).status_code == 412
    done = await other.post(f"{one}/publish", version=1)
    assert (done.status_code, done.json()["state"], done.json()["first_edition"]) == (
        200,
        "published",
        2,
    ), done.text
    assert (await other.post(f"{one}/reject", {"reason": "no"}, version=2)).status_code == 409
    found = await auditor.get("/number-segments/13801234567")
    assert found.json()["home"] == CITY
    assert (found.json()["home_name"]["zh"], found.json()["version"]) == ("深圳市", 2)
    unknown = await auditor.get("/number-segments/17000000000")
    assert (unknown.status_code, unknown.json()["type"]) == (
        404,
        "urn:guanxi:problem:number-unknown",
    )
    assert "version 2" in unknown.json()["detail"]
    history = (await auditor.get("/number-segment-editions?prefix=1380&sort=-number")).json()
    assert [(each["number"], each["note"]) for each in history["items"]] == [
        (2, "moved"),
        (1, "2026"),
    ]
    listed = (await auditor.get(f"/number-segments?home={CITY}")).json()["items"]
    assert listed == [{"prefix": "1380", "home": CITY, "edition": 2}]


async def test_conflicts_that_were_not_shown_are_not_published_over(
    hq: TestNode, sign_in: SignIn
) -> None:
    desk = Desk(hq, await sign_in(hq, Role.OPERATOR))
    await change(hq, ("1380", BEIJING))
    made = await change(hq, ("138", CITY))
    await change(hq, ("1381", BEIJING))
    one = f"/number-segment-changes/{made.id}"
    refused = await desk.post(f"{one}/publish", version=1)
    assert (refused.status_code, refused.json()["type"]) == (
        409,
        "urn:guanxi:problem:conflicts-changed",
    )
    looked = (await desk.post(f"{one}/look-again", version=1)).json()
    assert (looked["conflict_count"], looked["version"]) == (2, 2)
    dropped = await desk.post(f"{one}/reject", {"reason": "stays"}, version=2)
    assert (dropped.json()["state"], dropped.json()["reason"]) == ("rejected", "stays")
    assert await home(hq, "13890000000") == (None, 2)


async def test_every_node_has_the_table_and_a_city_finds_home_by_it(
    nation: Nation, sign_in: SignIn
) -> None:
    await change(nation[HQ], ("138", BEIJING), ("199", CITY))
    await nation.settle()
    for code in (HQ, PROVINCE, CITY, "110000", BEIJING):
        assert await home(nation[code], "13800005678") == (BEIJING, 1), code
    desk = Desk(nation[CITY], await sign_in(nation[CITY], Role.SUPERVISOR))
    await desk.post(
        "/sim-cards", {"cards": [{"iccid": "89860099990000000001", "imsi": "460090000000001"}]}
    )
    asked = {
        "msisdn": "13800005678",
        "document_type": "id_card",
        "document_number": "11010519491231002X",
        "reason": "lost",
    }
    made = await desk.post("/card-replacements", asked)
    assert (made.status_code, made.json()["home"]) == (201, BEIJING), made.text
    own = await desk.post("/card-replacements", asked | {"msisdn": "19900005678"})
    assert (own.status_code, own.json()["type"]) == (422, "urn:guanxi:problem:home-is-here")
    unknown = await desk.post("/card-replacements", asked | {"msisdn": "17000005678"})
    assert (unknown.status_code, unknown.json()["type"]) == (
        422,
        "urn:guanxi:problem:home-not-found",
    )
    assert "version 1" in unknown.json()["detail"]
    assert "17000005678" not in unknown.text
    assert CardReplacementIn.model_validate(asked).home is None


async def forget(node: TestNode, after: int) -> None:
    """Take a node back to a version, as a restored backup would."""
    pool = await node.database.pool()
    await pool.execute("DELETE FROM number_segment_edition WHERE number > $1", after)
    await pool.execute("DELETE FROM number_segment WHERE edition > $1", after)


async def test_who_lacks_editions_is_given_them_in_bounded_portions(
    nation: Nation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "MOST_AT_ONCE", 2)
    for number in range(5):
        await change(nation[HQ], (f"138{number}", BEIJING))
    await nation.settle()
    await forget(nation[PROVINCE], 0)
    await forget(nation[CITY], 1)
    for code in (PROVINCE, CITY):
        await nation[code].run_job("number-segment-compare")
        await nation[code].run_job("number-segment-compare")
        await nation.settle()
    for code in (PROVINCE, CITY):
        assert await home(nation[code], "13840000000") == (BEIJING, 5), code


async def test_hq_learns_from_its_children_what_it_has_forgotten(nation: Nation) -> None:
    for number in range(3):
        await change(nation[HQ], (f"138{number}", BEIJING))
    await nation.settle()
    await forget(nation[HQ], 1)
    await nation["110000"].run_job("number-segment-compare")
    await nation.settle()
    assert await home(nation[HQ], "13820000000") == (BEIJING, 3)
    await change(nation[HQ], ("1389", CITY))
    await nation.settle()
    assert await home(nation[BEIJING], "13890000000") == (CITY, 4)


async def edition(hq: TestNode, number: int, segment: str, city: str) -> Edition:
    said = Said(
        number=number,
        segments={segment: city},
        published_at=NOON,
        published_by="zhao.lei",
        note="x",
    )
    return Edition.made(said, hq.context.post.key, HQ)


async def hear(node: TestNode, made: Edition) -> None:
    async with node.context.database.transaction() as session:
        message = Message(
            id=new_id(),
            source=PROVINCE,
            type=sharing.PUBLISHED,
            time=NOON,
            destination=node.code,
            partitionkey="x",
            data=made.as_data(),
        )
        delivery = Delivery(message, (), session, node.clock.now())
        await sharing.take_in(node.context.post, delivery)


async def test_only_what_hq_signed_is_taken_in_order_and_once(nation: Nation) -> None:
    city, hq = nation[CITY], nation[HQ]
    first = await edition(hq, 1, "1380", BEIJING)
    with pytest.raises(MessageRefused, match="not signed by 000000"):
        await hear(city, await edition(nation[PROVINCE], 1, "1380", CITY))
    with pytest.raises(MessageRefused, match="malformed"):
        await hear(city, Edition('{"number": 1}', first.signature))
    altered = Edition(first.content.replace(BEIJING, CITY), first.signature)
    with pytest.raises(MessageRefused, match="not signed by 000000"):
        await hear(city, altered)
    await hear(city, await edition(hq, 2, "1381", BEIJING))
    assert await home(city, "13810000000") == (None, 0)
    for _ in range(2):
        await hear(city, first)
    assert await home(city, "13800000000") == (BEIJING, 1)
    with pytest.raises(MessageRefused, match="known here as something else"):
        await hear(city, await edition(hq, 1, "1380", CITY))
    assert await home(city, "13800000000") == (BEIJING, 1)


@pytest.fixture
def command(hq: TestNode, monkeypatch: pytest.MonkeyPatch) -> Any:
    settings = hq.node.settings
    monkeypatch.setenv("GUANXI_HOME", str(settings.home))
    monkeypatch.setenv("GUANXI_DATABASE_URL", str(settings.database_url))
    monkeypatch.setenv("GUANXI_DATABASE_OWNER_URL", str(settings.database_owner_url))

    def invoke(*arguments: str, node: str = HQ) -> Any:
        return CliRunner().invoke(app, ["number-segment", *arguments, "--node", node, "--json"])

    return invoke


def test_the_table_comes_from_a_file(command: Any, tmp_path: Path) -> None:
    file = tmp_path / "segments.csv"
    file.write_text(f"prefix,home\n1380,{BEIJING}\n1990,{CITY}\n", encoding="utf-8")
    loaded = command("import", str(file), "--note", "first")
    assert loaded.exit_code == 0, loaded.output
    assert orjson.loads(loaded.output)["state"] == "published"
    found = command("find", "19901234567")
    assert orjson.loads(found.output) == {"msisdn": "19901234567", "home": CITY, "version": 1}
    assert command("find", "17001234567").exit_code == 1
    listed = orjson.loads(command("list", "--home", BEIJING).output)
    assert [each["prefix"] for each in listed] == ["1380"]
    file.write_text("prefix,home\n1380,\n", encoding="utf-8")
    waiting = orjson.loads(command("import", str(file), "--note", "gone").output)
    assert (waiting["state"], waiting["conflicts"][0]["kind"]) == ("waiting", "withdrawn")
    own = command("publish", waiting["id"])
    assert own.exit_code == 1
    assert command("publish", str(new_id())).exit_code == 1
    for wrong in ("prefix,city\n1380,110100\n", "prefix,home\n13x,110100\n"):
        file.write_text(wrong, encoding="utf-8")
        assert command("import", str(file), "--note", "x").exit_code == 1
