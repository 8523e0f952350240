"""Reports: kept, changed, run by hand and by the clock, delivered as files, and asked as their owner may."""

import csv
import hashlib
import io
import os
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from shared.capability import Role
from shared.kernel.clock import business_day
from shared.statistics_report.models import Schedule
from shared.statistics_report.service import KIND, next_night
from tests.conftest import MakeNode, TestNode
from tests.permissions.asking import token
from tests.statistics.disclosure_policy import set_threshold
from tests.statistics.registered_cities import CITIES, Headers, ask, enter, keep
from tests.statistics.slices_by_hand import GOLD_MAN, STANDARD_MAN, slice_of
from tests.statistics_report.kept import CAPABILITIES, PATH, QUESTION, make, runs_of

SignIn = Callable[..., Awaitable[Headers]]


async def ran(node: TestNode, headers: Headers, report: dict[str, Any]) -> dict[str, Any]:
    """A run by hand, to its end."""
    asked = await node.client.post(f"{PATH}/{report['id']}/runs", headers=headers)
    assert asked.status_code == 202, asked.text
    assert asked.json()["state"] == "queued"
    assert await node.run_work(KIND)
    found = await node.client.get(asked.headers["location"], headers=headers)
    run: dict[str, Any] = found.json()
    return run


def content(run: dict[str, Any], part: str = "content") -> str:
    return f"{PATH}/{run['report_id']}/runs/{run['id']}/{part}"


async def test_a_run_delivers_a_file_and_what_it_is_made_of(
    hq: TestNode, analyst: Headers, tmp_path: Path
) -> None:
    report = await make(hq, analyst)

    run = await ran(hq, analyst, report)
    file = await hq.client.get(content(run), headers=analyst)
    made_of = await hq.client.get(content(run, "provenance"), headers=analyst)
    plain = await ask(
        hq,
        analyst | {"Accept-Language": "zh"},
        indicator="customers",
        by="region",
        period="last_month",
    )

    assert (run["state"], run["row_count"], run["byte_count"]) == ("done", 2, len(file.content))
    assert hashlib.sha256(file.content).hexdigest() == run["sha256"]
    assert file.headers["etag"] == f'"{run["sha256"]}"'
    assert content(run, "provenance") in file.headers["link"]
    rows = list(csv.DictReader(io.StringIO(file.text, newline="")))
    assert [(row["period"], row["region_name"], row["customers"]) for row in rows] == [
        ("2026-10", "北京市", "7"),
        ("2026-10", "广东省", "3"),
    ]
    assert made_of.json() == {name: plain[name] for name in ("indicators", "provenance")}
    delivered = tmp_path / "nodes" / "000000" / "reports" / report["id"]
    names = sorted(os.listdir(delivered))  # noqa: PTH208 - a directory of the test's own
    assert names == [f"2026-11-23-{run['id']}.csv", f"2026-11-23-{run['id']}.provenance.json"]
    assert (delivered / names[0]).stat().st_mode & 0o777 == 0o600


async def test_a_file_withholds_what_the_answer_withholds(
    hq: TestNode, analyst: Headers, sign_in: SignIn
) -> None:
    """By the threshold of when it runs, not of when it was kept."""
    cells = {GOLD_MAN: {"customers": 2}, STANDARD_MAN: {"customers": 40}}
    await keep(hq, slice_of("440100", cells, period="2026-10"))
    question = QUESTION | {"by": ["region", "level"], "region_level": "city"}
    report = await make(hq, analyst, question=question)

    async def delivered() -> list[tuple[str, ...]]:
        run = await ran(hq, analyst, report)
        file = await hq.client.get(content(run), headers=analyst)
        rows = csv.DictReader(io.StringIO(file.text, newline=""))
        return [(x["region_code"], x["level"], x["customers"], x.get("withheld", "")) for x in rows]

    whole = await delivered()
    assert all(value for _, _, value, _ in whole)
    await set_threshold(hq, sign_in, 5)
    answer = await ask(
        hq,
        analyst,
        indicator="customers",
        by="region,level",
        region_level="city",
        period="last_month",
    )
    expected = [
        (
            row["region"]["code"],
            row["level"],
            "" if row["values"]["customers"] is None else str(row["values"]["customers"]),
            " ".join(row["withheld"]),
        )
        for row in answer["rows"]
    ]
    found = await delivered()

    assert found == expected
    assert {bool(value) for _, _, value, _ in found} == {True, False}


@pytest.mark.parametrize("form", ["json", "xlsx", "parquet", "arrow"])
async def test_every_form_is_delivered(hq: TestNode, analyst: Headers, form: str) -> None:
    run = await ran(hq, analyst, await make(hq, analyst, format=form))
    file = await hq.client.get(content(run), headers=analyst)

    assert (run["state"], len(file.content)) == ("done", run["byte_count"])
    assert file.headers["content-disposition"].endswith(f'{run["id"]}.{form}"')
    begins = {"json": b"{", "xlsx": b"PK", "parquet": b"PAR1", "arrow": b"\xff\xff\xff\xff"}
    assert file.content.startswith(begins[form])


async def test_the_clock_runs_what_is_due_once(
    hq: TestNode, analyst: Headers, sign_in: SignIn
) -> None:
    nightly = await make(hq, analyst, name="nightly", schedule="nightly")
    monthly = await make(hq, analyst, name="monthly", schedule="monthly")
    manual = await make(hq, analyst, name="manual")
    assert [x["next_on"] for x in (nightly, monthly, manual)] == ["2026-11-24", "2026-12-04", None]

    await hq.run_job("run-reports")
    assert not await hq.run_work(KIND), "nothing is due today"
    hq.clock.advance(timedelta(days=3))  # three nights are missed
    await hq.run_job("run-reports")
    await hq.run_job("run-reports")
    assert await hq.run_work(KIND)
    assert not await hq.run_work(KIND)
    analyst = await sign_in(hq, Role.HQ_ANALYST)

    (run,) = await runs_of(hq, analyst, nightly)
    assert (run["state"], run["requested_by"]) == ("done", None)
    read = await hq.client.get(f"{PATH}/{nightly['id']}", headers=analyst)
    assert read.json()["next_on"] == "2026-11-27"
    assert await runs_of(hq, analyst, monthly) == await runs_of(hq, analyst, manual) == []
    listed = await hq.client.get(f"{PATH}?schedule=monthly", headers=analyst)
    assert [each["name"] for each in listed.json()["items"]] == ["monthly"]


@pytest.mark.parametrize(
    ("schedule", "after", "expected"),
    [
        (Schedule.MANUAL, date(2026, 11, 23), None),
        (Schedule.NIGHTLY, date(2026, 12, 31), date(2027, 1, 1)),
        (Schedule.MONTHLY, date(2026, 11, 3), date(2026, 11, 4)),
        (Schedule.MONTHLY, date(2026, 11, 4), date(2026, 12, 4)),
        (Schedule.MONTHLY, date(2027, 1, 31), date(2027, 2, 4)),
        (Schedule.MONTHLY, date(2027, 2, 28), date(2027, 3, 4)),
    ],
)
def test_the_next_night(schedule: Schedule, after: date, expected: date | None) -> None:
    assert next_night(schedule, after) == expected


async def test_a_question_that_makes_no_sense_is_not_kept(hq: TestNode, analyst: Headers) -> None:
    async def refused(**question: Any) -> Any:
        body = {"name": "x", "question": QUESTION | question}
        answer = await hq.client.post(PATH, json=body, headers=analyst)
        assert answer.status_code in {400, 403, 422}, answer.text
        return answer.json()["errors"][0]["pointer"]

    assert await refused(indicator=["custmers"]) == "/question/indicator"
    assert await refused(filters={"level": ["golden"]}) == "/question/filters/level"
    assert await refused(period="2026-13") == "/question/period"
    assert await refused(**{"from": "2026-01", "period": None}) == "/question/from"
    assert await refused(pivot="level") == "/question/pivot"
    assert (await refused(top=True)).startswith("/question/top")
    assert await refused(indicator=[]) == "/question/indicator"
    assert await refused(colour="red") == "/question/colour"


async def test_reports_are_changed_and_deleted_against_the_version_that_was_read(
    hq: TestNode, analyst: Headers, tmp_path: Path
) -> None:
    report = await make(hq, analyst)
    other = await make(hq, analyst, name="other")
    one = f"{PATH}/{report['id']}"
    tag = analyst | {"If-Match": '"1"'}
    again = await hq.client.post(
        PATH, json={"name": "other", "question": QUESTION}, headers=analyst
    )
    assert (again.status_code, again.json()["errors"][0]["pointer"]) == (409, "/name")

    change = {"schedule": "nightly", "question": QUESTION | {"top": 1}}
    changed = await hq.client.patch(one, json=change, headers=tag)
    assert changed.status_code == 200, changed.text
    assert changed.json()["next_on"] == "2026-11-24"
    assert changed.json()["question"] == QUESTION | {"top": 1, "region": "000000"}
    assert changed.headers["etag"] == '"2"'
    assert (await hq.client.patch(one, json={"name": "z"}, headers=tag)).status_code == 412
    assert (await hq.client.patch(one, json={"name": "z"}, headers=analyst)).status_code == 428
    tag = analyst | {"If-Match": '"2"'}
    taken = await hq.client.patch(one, json={"name": "other"}, headers=tag)
    assert taken.status_code == 409
    emptied = await hq.client.patch(one, json={"question": None}, headers=tag)
    assert emptied.status_code == 422

    run = await ran(hq, analyst, report)
    assert (run["report_version"], run["row_count"]) == (2, 2)
    assert (await hq.client.delete(one, headers=tag)).status_code == 204
    assert (await hq.client.get(one, headers=analyst)).status_code == 404
    assert (await hq.client.get(content(run), headers=analyst)).status_code == 404
    await hq.run_job("delete-reports")
    assert not (tmp_path / "nodes" / "000000" / "reports" / report["id"]).exists()
    assert (await hq.client.get(f"{PATH}/{other['id']}", headers=analyst)).status_code == 200
    async with hq.database.transaction() as session:
        acts = await session.execute(
            text("SELECT action FROM audit_record WHERE action LIKE 'report.%' ORDER BY at, id")
        )
        assert [row[0].partition(".")[2] for row in acts] == [
            *("created", "created", "changed", "run", "deleted"),
        ]


async def test_a_run_that_fails_says_why(hq: TestNode, analyst: Headers, tmp_path: Path) -> None:
    report = await make(hq, analyst)
    async with hq.database.transaction() as session:
        await session.execute(
            text('UPDATE statistics_report SET question = question || \'{"by": ["leval"]}\'')
        )

    run = await ran(hq, analyst, report)
    refused = await hq.client.get(content(run), headers=analyst)

    assert run["state"] == "failed"
    assert "'leval'" in run["error"]["en"]["detail"]
    assert "不受支持" in run["error"]["zh"]["detail"]
    assert (refused.status_code, refused.json()["type"]) == (
        409,
        "urn:guanxi:problem:report-not-ready",
    )
    reports = tmp_path / "nodes" / "000000" / "reports"
    assert not reports.exists() or os.listdir(reports) == []  # noqa: PTH208 - as above


async def test_a_report_is_asked_as_its_owner_may_when_it_runs(
    make_node: MakeNode, sign_in: SignIn
) -> None:
    province = await make_node("440000", CAPABILITIES)
    await enter(province, *CITIES)
    await keep(province, slice_of("440300", {GOLD_MAN: {"customers": 3}}, period="2026-10"))
    coordinator = await sign_in(province, Role.PROVINCE_COORDINATOR)
    colleague = await sign_in(province, Role.PROVINCE_COORDINATOR)
    outside = {"name": "x", "question": QUESTION | {"region": "110000"}}
    beyond = await province.client.post(PATH, json=outside, headers=coordinator)
    report = await make(province, coordinator)
    assert (beyond.status_code, beyond.json()["errors"][0]["pointer"]) == (403, "/question/region")
    assert report["question"]["region"] == "440000"
    assert (await ran(province, coordinator, report))["state"] == "done"

    async def owner(**values: str) -> dict[str, Any]:
        assigned = ", ".join(f"{name} = '{value}'" for name, value in values.items())
        async with province.database.transaction() as session:
            await session.execute(
                text(f"UPDATE staff_member SET {assigned} WHERE username = :owner"),  # noqa: S608 - words of the test
                {"owner": report["owner"]},
            )
        return await ran(province, colleague, report)

    async with province.database.transaction() as session:
        await session.execute(
            text(
                "INSERT INTO organisation_unit SELECT (jsonb_populate_record(u, "
                '\'{"code": "440300-99", "path": "000000/440000/440300/440300-99/"}\')).* '
                "FROM organisation_unit u WHERE code = '440000'"
            )
        )
    moved = await owner(unit_code="440300-99")
    assert moved["error"]["en"]["type"] == "urn:guanxi:problem:region-out-of-scope"
    demoted = await owner(unit_code="440000", role="account_manager")
    assert demoted["error"]["en"]["type"] == "urn:guanxi:problem:report-owner-unfit"
    back = await owner(role="province_coordinator")
    assert back["state"] == "done"
    gone = await owner(active="false")
    assert gone["error"]["en"]["type"] == "urn:guanxi:problem:report-owner-unfit"


async def test_what_is_of_another_unit_is_not_there(hq: TestNode, analyst: Headers) -> None:
    report = await make(hq, analyst)
    run = await ran(hq, analyst, report)
    elsewhere = token(hq, Role.HQ_ANALYST, "440000", "000000/440000/")

    listed = await hq.client.get(PATH, headers=elsewhere)
    for path in (f"{PATH}/{report['id']}", f"{PATH}/{report['id']}/runs", content(run)):
        assert (await hq.client.get(path, headers=elsewhere)).status_code == 404, path
    tag = elsewhere | {"If-Match": '"1"'}
    assert (await hq.client.delete(f"{PATH}/{report['id']}", headers=tag)).status_code == 404
    assert listed.json()["items"] == []
    own = await make(hq, elsewhere)
    assert own["question"]["region"] == "440000"
    assert (await hq.client.get(f"{PATH}/{own['id']}", headers=analyst)).status_code == 200


async def test_there_is_no_second_run_beside_one(
    hq: TestNode, analyst: Headers, sign_in: SignIn
) -> None:
    report = await make(hq, analyst, schedule="nightly")
    first = await hq.client.post(f"{PATH}/{report['id']}/runs", headers=analyst)
    second = await hq.client.post(f"{PATH}/{report['id']}/runs", headers=analyst)
    hq.clock.advance(timedelta(days=1))
    await hq.run_job("run-reports")
    analyst = await sign_in(hq, Role.HQ_ANALYST)

    assert (second.status_code, second.json()["type"]) == (
        409,
        "urn:guanxi:problem:report-under-way",
    )
    assert [run["id"] for run in await runs_of(hq, analyst, report)] == [first.json()["id"]]


async def test_what_a_killed_attempt_left_behind_goes_with_the_next_one(
    hq: TestNode, analyst: Headers, tmp_path: Path
) -> None:
    report = await make(hq, analyst)
    run = (await hq.client.post(f"{PATH}/{report['id']}/runs", headers=analyst)).json()
    delivered = tmp_path / "nodes" / "000000" / "reports" / report["id"]
    delivered.mkdir(parents=True)
    left = delivered / f"{business_day(hq.clock.now())}-{run['id']}.7.part"
    left.write_text("half a file")

    assert await hq.run_work(KIND)

    file = await hq.client.get(content(run), headers=analyst)
    assert (file.status_code, left.exists(), len(list(delivered.iterdir()))) == (200, False, 2)


async def test_files_are_deleted_when_their_time_is_over(
    hq: TestNode, analyst: Headers, sign_in: SignIn, tmp_path: Path
) -> None:
    report = await make(hq, analyst)
    old = await ran(hq, analyst, report)
    hq.clock.advance(timedelta(days=50))
    analyst = await sign_in(hq, Role.HQ_ANALYST)
    young = await ran(hq, analyst, report)
    delivered = tmp_path / "nodes" / "000000" / "reports" / report["id"]
    foreign = delivered / "notes.txt"
    foreign.write_text("not ours")
    (delivered / f"2026-11-23-{old['id']}.1.part").write_text("left behind")

    hq.clock.advance(timedelta(days=45))
    await hq.run_job("delete-reports")

    left = {path.name for path in delivered.iterdir()}
    assert {name[11:47] for name in left - {"notes.txt"}} == {young["id"]}
    assert "notes.txt" in left
