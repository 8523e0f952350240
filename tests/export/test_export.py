"""Exports: what is in the files, who gets them, and what becomes of them."""

import csv
import hashlib
import io
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow.parquet
import pytest
from sqlalchemy import text

from services.city_node import customer as customers
from services.city_node import customer_import, export, query, segment
from services.city_node.export import files
from services.city_node.export.service import KIND, MOST_OPEN, directory
from shared import organisation, staff, work
from shared.capability import Role
from shared.kernel import tabular
from tests.city.drafts import CITY, TEAM, Headers, SignIn, _team, settle
from tests.conftest import MakeNode, TestNode

CAPABILITIES = (
    *(organisation.capability, staff.capability, customers.capability, work.capability),
    *(customer_import.capability, query.capability, segment.capability, export.capability),
)
NAMES = ["张伟", '=cmd|" /C calc"!A0', "@李,雷", "line\nbreak", '"quoted"', "＋1", "平 安 😀"]


@pytest.fixture
async def city(make_node: MakeNode) -> TestNode:
    node = await make_node(CITY, CAPABILITIES)
    async with node.database.transaction() as session:
        session.add(_team(TEAM, node.clock.now()))
    return node


@pytest.fixture
async def supervisor(city: TestNode, sign_in: SignIn) -> Headers:
    return await sign_in(city, Role.SUPERVISOR)


@pytest.fixture
async def people(city: TestNode, supervisor: Headers) -> list[dict[str, Any]]:
    made = []
    for at, name in enumerate(NAMES):
        body = {
            "name": name.replace("\n", " "),
            "level": "gold" if at % 2 else "diamond",
            "payment_method": "=1+1" if at == 2 else None,
            "unit_code": TEAM if at < 2 else CITY,
        }
        made.append(await settle(city, supervisor, at, **body))
    async with (
        city.database.transaction() as session
    ):  # no desk takes such a name; a table may hold it
        await session.execute(
            text("UPDATE customer SET name = :name WHERE id = :id"),
            {"name": NAMES[3], "id": made[3]["id"]},
        )
    phone = {"kind": "phone", "value": "+86 13800000000", "preferred": True}
    path = f"/customers/{made[0]['id']}/contacts"
    tag = {**supervisor, "If-Match": '"1"'}
    answer = await city.client.post(path, json=phone, headers=tag)
    assert answer.status_code == 201, answer.text
    return made


async def ask(city: TestNode, headers: Headers, **body: Any) -> dict[str, Any]:
    answer = await city.client.post("/exports", json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/exports/{answer.json()['id']}"
    asked: dict[str, Any] = answer.json()
    return asked


async def made(city: TestNode, headers: Headers, **body: Any) -> tuple[dict[str, Any], bytes]:
    """An export that was made, and its content, checked against what is told of it."""
    asked = await ask(city, headers, **body)
    assert asked["state"] == "queued"
    assert await city.run_work(KIND)
    told = (await city.client.get(f"/exports/{asked['id']}", headers=headers)).json()
    assert told["state"] == "done", (
        await city.client.get(f"/works/{asked['id']}", headers=headers)
    ).text
    content = await city.client.get(f"/exports/{asked['id']}/content", headers=headers)
    assert content.status_code == 200
    assert int(content.headers["content-length"]) == told["byte_count"] == len(content.content)
    assert told["sha256"] == hashlib.sha256(content.content).hexdigest()
    assert content.headers["etag"] == f'"{told["sha256"]}"'
    return told, content.content


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


async def test_csv_holds_everybody_and_no_formula(
    city: TestNode, supervisor: Headers, people: list[dict[str, Any]]
) -> None:
    told, content = await made(city, supervisor)
    rows = rows_of(content)
    assert told["row_count"] == len(rows) == len(NAMES)
    harmless = {"=": "'=", "@": "'@", "＋": "'＋"}
    expected = [harmless.get(name[0], name[0]) + name[1:] for name in NAMES]
    assert sorted(row["name"] for row in rows) == sorted(expected)
    assert max(row["payment_method"] for row in rows) == "'=1+1"
    by_id = {row["id"]: row for row in rows}
    for person in people:
        row = by_id[person["id"]]
        assert row["customer_number"] == person["customer_number"]
        assert row["document_masked"] == person["document_masked"]
        assert "document_number" not in row


async def test_the_three_formats_hold_the_same(
    city: TestNode, supervisor: Headers, people: list[dict[str, Any]]
) -> None:
    asked = {"condition": "level = diamond", "columns": ["id", "name", "entry_date", "version"]}
    _, as_csv = await made(city, supervisor, **asked)
    _, as_xlsx = await made(city, supervisor, format="xlsx", **asked)
    _, as_parquet = await made(city, supervisor, format="parquet", **asked)
    plain = {
        row["id"]: (row["name"].removeprefix("'"), row["entry_date"], int(row["version"]))
        for row in rows_of(as_csv)
    }
    sheet = openpyxl.load_workbook(io.BytesIO(as_xlsx)).active
    assert sheet is not None
    cells = list(sheet.iter_rows(values_only=True))
    assert cells[0] == ("id", "name", "entry_date", "version")
    assert {r[0]: (r[1], r[2].date().isoformat(), r[3]) for r in cells[1:]} == plain
    table = pyarrow.parquet.read_table(io.BytesIO(as_parquet)).to_pylist()
    assert {r["id"]: (r["name"], r["entry_date"].isoformat(), r["version"]) for r in table} == plain
    assert len(plain) == 4


async def test_xlsx_keeps_formulas_as_texts(
    city: TestNode, supervisor: Headers, people: list[dict[str, Any]]
) -> None:
    _, content = await made(city, supervisor, format="xlsx", columns=["name"])
    sheet = openpyxl.load_workbook(io.BytesIO(content)).active
    assert sheet is not None
    cells = [cell for (cell,) in sheet.iter_rows(min_row=2)]
    assert sorted(str(cell.value) for cell in cells) == sorted(NAMES)
    assert {cell.data_type for cell in cells} == {"s"}


async def test_rows_beyond_a_sheet_go_to_the_next(
    city: TestNode,
    supervisor: Headers,
    people: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tabular, "ROWS_OF_A_SHEET", 4)
    _, content = await made(city, supervisor, format="xlsx", columns=["name"])
    book = openpyxl.load_workbook(io.BytesIO(content))
    sheets = [list(sheet.iter_rows(values_only=True)) for sheet in book.worksheets]
    assert [len(rows) for rows in sheets] == [4, 4, 2]
    assert all(rows[0] == ("name",) for rows in sheets)
    assert sorted(str(row[0]) for rows in sheets for row in rows[1:]) == sorted(NAMES)


async def test_parquet_is_typed_and_tells_nothing_from_empty(
    city: TestNode, supervisor: Headers, people: list[dict[str, Any]]
) -> None:
    _, content = await made(city, supervisor, format="parquet")
    table = pyarrow.parquet.read_table(io.BytesIO(content))
    types = {field.name: str(field.type) for field in table.schema}
    assert types["monthly_charge_fen"] == "int64"
    assert types["birth_date"] == "date32[day]"
    assert types["updated_at"] == "timestamp[us, tz=UTC]"
    rows = table.to_pylist()
    assert {row["updated_at"] for row in rows} == {city.clock.now()}
    assert {row["payment_method"] for row in rows} == {None, "=1+1"}


@pytest.mark.parametrize("form", ["csv", "xlsx", "parquet"])
async def test_nobody_is_a_file_too(city: TestNode, supervisor: Headers, form: str) -> None:
    told, content = await made(city, supervisor, format=form, with_bom=form == "csv")
    assert told["row_count"] == 0
    if form == "csv":
        assert content.startswith(b"\xef\xbb\xbfid,")
    elif form == "parquet":
        assert pyarrow.parquet.read_table(io.BytesIO(content)).num_rows == 0


async def test_a_team_gets_its_own_and_contacts_are_masked_for_a_program(
    city: TestNode, supervisor: Headers, people: list[dict[str, Any]], sign_in: SignIn
) -> None:
    columns = ["name", "phone"]
    team = await sign_in(city, Role.SUPERVISOR, TEAM)
    _, content = await made(city, team, columns=columns)
    assert {(row["name"], row["phone"]) for row in rows_of(content)} == {
        ("张伟", "'+86 13800000000"),
        ("'" + NAMES[1], ""),
    }
    program = await sign_in(city, Role.INTEGRATION)
    _, content = await made(city, program, columns=columns)
    phones = {row["phone"] for row in rows_of(content)}
    assert len(phones) == 2
    assert "13800000000" not in "".join(phones)


async def test_what_the_requester_holds_counts_when_the_file_is_made(
    city: TestNode, supervisor: Headers, people: list[dict[str, Any]], sign_in: SignIn
) -> None:
    team = await sign_in(city, Role.SUPERVISOR, TEAM)
    asked = await ask(city, team)
    me = (await city.client.get("/staff/me", headers=team)).json()
    operator = await sign_in(city, Role.OPERATOR)
    path = f"/staff/{me['id']}"
    tag = (await city.client.get(path, headers=operator)).headers["etag"]
    off = await city.client.patch(
        path, json={"active": False}, headers={**operator, "If-Match": tag}
    )
    assert off.status_code == 200, off.text
    await city.run_work(KIND)
    told = (await city.client.get(f"/works/{asked['id']}", headers=supervisor)).json()
    assert told["state"] == "failed"
    assert told["error"]["type"] == "urn:guanxi:problem:requester-left"
    assert list(directory(city.node.settings).iterdir()) == []


async def test_a_file_is_for_who_asked_and_nobody_else(
    city: TestNode, supervisor: Headers, people: list[dict[str, Any]], sign_in: SignIn
) -> None:
    told, _ = await made(city, supervisor)
    colleague, clerk = await sign_in(city, Role.SUPERVISOR), await sign_in(city, Role.CLERK)
    for path in (f"/exports/{told['id']}", f"/exports/{told['id']}/content"):
        assert (await city.client.get(path, headers=colleague)).status_code == 404
        assert (await city.client.get(path, headers=clerk)).status_code == 403
    file = directory(city.node.settings) / f"{told['id']}.csv"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


async def test_a_file_is_read_in_parts(
    city: TestNode, supervisor: Headers, people: list[dict[str, Any]]
) -> None:
    told, content = await made(city, supervisor)
    path = f"/exports/{told['id']}/content"
    part = await city.client.get(path, headers={**supervisor, "Range": "bytes=3-9"})
    assert (part.status_code, part.content) == (206, content[3:10])


ODD = ("lines=0-1", "bytes=x", "bytes=", "bytes=5-4", "bytes", f"bytes={'9' * 5000}-", "bytes=-,-")


@pytest.mark.parametrize("odd", ODD)
async def test_a_part_that_makes_no_sense_is_the_whole(
    city: TestNode, supervisor: Headers, people: list[dict[str, Any]], odd: str
) -> None:
    told, content = await made(city, supervisor)
    path = f"/exports/{told['id']}/content"
    whole = await city.client.get(path, headers={**supervisor, "Range": odd})
    assert (whole.status_code, whole.content) == (200, content)
    far = await city.client.get(path, headers={**supervisor, "Range": "bytes=999999999-"})
    assert far.status_code == 416


async def test_a_file_that_the_caller_has_is_not_sent_again(
    city: TestNode, supervisor: Headers, people: list[dict[str, Any]]
) -> None:
    path = f"/exports/{(await made(city, supervisor))[0]['id']}/content"
    tag = (await city.client.get(path, headers=supervisor)).headers["etag"]
    again = await city.client.get(path, headers={**supervisor, "If-None-Match": f'"x", W/{tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)


async def test_a_cancelled_export_leaves_nothing(
    city: TestNode,
    supervisor: Headers,
    people: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for form, writer in (("csv", files.PlainCsv), ("parquet", files._InThread)):
        asked = await ask(city, supervisor, format=form)
        take: Callable[..., Any] = writer.take

        async def cancelled_meanwhile(
            self: Any, chunk: bytes, take: Any = take, asked: Any = asked
        ) -> None:
            path = f"/works/{asked['id']}/cancel"
            assert (await city.client.post(path, headers=supervisor)).status_code == 200
            city.clock.advance(timedelta(seconds=2))
            await take(self, chunk)

        with monkeypatch.context() as patched:
            patched.setattr(writer, "take", cancelled_meanwhile)
            await city.run_work(KIND)
        told = (await city.client.get(f"/exports/{asked['id']}", headers=supervisor)).json()
        assert (told["state"], told["sha256"]) == ("cancelled", None)
        assert list(directory(city.node.settings).iterdir()) == []
        content = await city.client.get(f"/exports/{asked['id']}/content", headers=supervisor)
        assert content.status_code == 409


async def test_a_writer_that_fails_fails_the_export(
    city: TestNode,
    supervisor: Headers,
    people: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(stream: Any, path: Path, columns: Any) -> None:
        stream.read(1)
        raise OSError("no space left on device")

    monkeypatch.setattr(files, "write_parquet", fail)
    asked = await ask(city, supervisor, format="parquet")
    with pytest.raises(OSError, match="no space"):  # tried again when its lease is over
        await city.run_work(KIND)
    assert list(directory(city.node.settings).iterdir()) == []
    assert (await city.client.get(f"/exports/{asked['id']}", headers=supervisor)).json()[
        "sha256"
    ] is None


async def test_files_are_deleted_when_their_time_is_over(
    city: TestNode, supervisor: Headers, people: list[dict[str, Any]]
) -> None:
    told, _ = await made(city, supervisor)
    folder = directory(city.node.settings)
    stray = folder / f"{people[0]['id']}.1.part"
    stray.write_bytes(b"left by a process that was killed")
    waiting = await ask(city, supervisor)
    being_made = folder / f"{waiting['id']}.1.part"
    being_made.write_bytes(b"under way")
    await city.run_job("delete-exports")
    assert sorted(folder.iterdir()) == sorted([folder / f"{told['id']}.csv", being_made])
    city.clock.advance(timedelta(days=7))
    for _ in range(2):
        await city.run_job("delete-exports")
    assert list(folder.iterdir()) == [being_made]


async def test_a_file_is_deleted_on_request(
    city: TestNode, supervisor: Headers, people: list[dict[str, Any]]
) -> None:
    told, _ = await made(city, supervisor)
    path = f"/exports/{told['id']}/content"
    for _ in range(2):
        assert (await city.client.delete(path, headers=supervisor)).status_code == 204
    gone = await city.client.get(path, headers=supervisor)
    assert (gone.status_code, gone.json()["type"]) == (410, "urn:guanxi:problem:export-gone")


async def test_what_cannot_be_exported_is_refused(
    city: TestNode, supervisor: Headers, sign_in: SignIn
) -> None:
    refused = [
        ({"columns": ["document_number"]}, 400),
        ({"condition": "level = platin"}, 422),
        ({"condition": 'document = "P1"'}, 403),
        ({"segment_id": "0192d5c1-7e1a-7cc3-a5b0-5f3f3a1b9c01"}, 404),
        (
            {
                "segment_id": "0192d5c1-7e1a-7cc3-a5b0-5f3f3a1b9c01",
                "condition": "level = gold",
            },
            422,
        ),
    ]
    for body, status in refused:
        answer = await city.client.post("/exports", json=body, headers=supervisor)
        assert answer.status_code == status, answer.text
    clerk = await sign_in(city, Role.CLERK)
    assert (await city.client.post("/exports", json={}, headers=clerk)).status_code == 403
    for _ in range(MOST_OPEN):
        await ask(city, supervisor)
    answer = await city.client.post("/exports", json={}, headers=supervisor)
    assert answer.status_code == 429


async def test_a_locked_segment_is_exported_as_listed(
    city: TestNode, supervisor: Headers, people: list[dict[str, Any]]
) -> None:
    body = {"name": "Gold", "condition": "level = gold"}
    kept = (await city.client.post("/segments", json=body, headers=supervisor)).json()
    tag = {**supervisor, "If-Match": '"1"'}
    locked = await city.client.post(f"/segments/{kept['id']}/lock", headers=tag)
    assert locked.json()["member_count"] == 3
    other = people[0]
    change = await city.client.patch(
        f"/customers/{other['id']}",
        json={"level": "gold"},
        headers={**supervisor, "If-Match": '"2"'},
    )
    assert change.status_code == 200, change.text
    _, content = await made(city, supervisor, segment_id=kept["id"], columns=["id"])
    assert {row["id"] for row in rows_of(content)} == {each["id"] for each in people[1::2]}
