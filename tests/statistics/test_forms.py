"""An answer in every form holds the same, says what it is made of, and costs nothing when it is asked for again."""

import csv
import io
from collections.abc import Mapping
from typing import Any

import openpyxl
import orjson
import pyarrow as pa
import pyarrow.parquet
import pytest

from shared.kernel.listing import QueryInvalid
from shared.statistics.forms import MEDIA_TYPES, Form, form_of
from shared.statistics.indicators import CATALOGUE
from shared.statistics.problems import FormatNotOffered
from tests.conftest import TestNode
from tests.statistics.registered_cities import Headers, ask, get, keep
from tests.statistics.slices_by_hand import GOLD_MAN, STANDARD_MAN, slice_of

ASKED = {
    "indicator": "customers,arpu_fen,lost_customers",
    "by": "region,level,period",
    "from": "2026-10",
    "to": "2026-11",
}
FILES = [form for form in Form if form is not Form.JSON]


@pytest.fixture
async def known(hq: TestNode) -> TestNode:
    await keep(
        hq,
        slice_of("440300", {GOLD_MAN: {"customers": 3, "monthly_charge_fen": 100}}),
        slice_of("110100", {STANDARD_MAN: {"customers": 7}, GOLD_MAN: {"lost_customers": 2}}),
        slice_of("110100", {STANDARD_MAN: {"customers": 9}}, period="2026-10"),
    )
    return hq


def of_csv(content: bytes) -> list[dict[str, Any]]:
    rows = list(csv.DictReader(io.StringIO(content.decode(), newline="")))
    keys = {"period", "region_code", "region_name", "level"}
    return [
        {
            name: value if name in keys else float(value) if value else None
            for name, value in row.items()
        }
        for row in rows
    ]


def of_xlsx(content: bytes) -> list[dict[str, Any]]:
    sheet = openpyxl.load_workbook(io.BytesIO(content))["values"]
    header, *rows = sheet.iter_rows(values_only=True)
    return [dict(zip(map(str, header), row, strict=True)) for row in rows]


def of_parquet(content: bytes) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pyarrow.parquet.read_table(io.BytesIO(content)).to_pylist()
    return rows


def of_arrow(content: bytes) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pa.ipc.open_stream(content).read_all().to_pylist()
    return rows


READERS = {Form.CSV: of_csv, Form.XLSX: of_xlsx, Form.PARQUET: of_parquet, Form.ARROW: of_arrow}


def flat(document: Mapping[str, Any], *dimensions: str) -> list[dict[str, Any]]:
    return [
        {
            "period": row["period"],
            "region_code": row["region"]["code"],
            "region_name": row["region"]["name"],
            **{name: row[name] for name in dimensions},
            **row["values"],
        }
        for row in document["rows"]
    ]


@pytest.mark.parametrize("form", FILES)
async def test_every_form_holds_what_json_holds(
    known: TestNode, analyst: Headers, form: Form
) -> None:
    document = await ask(known, analyst, **ASKED)

    by_name = await get(known, analyst, **ASKED, format=form.value)
    by_type = await get(known, analyst | {"Accept": MEDIA_TYPES[form]}, **ASKED)

    assert by_name.headers["content-type"].partition(";")[0] == MEDIA_TYPES[form]
    assert by_name.headers["content-disposition"] == f'attachment; filename="statistics.{form}"'
    expected = flat(document, "level")
    assert len(expected) == 4
    found = READERS[form](by_name.content)
    assert found == READERS[form](by_type.content) == expected
    assert list(found[0]) == list(expected[0])
    assert any(row["arpu_fen"] is None for row in found)
    described = by_name.headers["link"]
    assert described.endswith('; rel="describedby"; type="application/json"')
    whole = await known.client.get(described[1:].partition(">")[0], headers=analyst)
    assert whole.json()["rows"] == document["rows"]


@pytest.mark.parametrize("form", FILES)
async def test_a_pivot_has_a_column_for_each_indicator_and_value(
    known: TestNode, analyst: Headers, form: Form
) -> None:
    asked = {**ASKED, "pivot": "level", "top": 1}

    document = await ask(known, analyst, **asked)
    found = READERS[form]((await get(known, analyst, **asked, format=form.value)).content)

    assert list(found[0])[:6] == [
        *("period", "region_code", "region_name", "others"),
        *("customers.gold", "customers.standard"),
    ]
    assert [row["customers.standard"] for row in found] == [
        row["values"]["customers"]["standard"] for row in document["rows"]
    ]
    assert [row["others"] for row in found] == [None, None, 1]
    assert found[2]["region_name"] == "Others"


@pytest.mark.parametrize("form", Form)
async def test_a_repeated_question_is_answered_with_304_in_every_form(
    known: TestNode, analyst: Headers, form: Form
) -> None:
    tags = {
        each: (await get(known, analyst, **ASKED, format=each.value)).headers["etag"]
        for each in Form
    }
    assert len(set(tags.values())) == len(Form)

    again = await get(known, analyst | {"If-None-Match": tags[form]}, **ASKED, format=form.value)
    others = [each for each in Form if each is not form]
    other = await get(
        known, analyst | {"If-None-Match": tags[form]}, **ASKED, format=others[0].value
    )

    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tags[form])
    assert other.status_code == 200


async def test_what_it_is_made_of_goes_with_the_file(known: TestNode, analyst: Headers) -> None:
    document = await ask(known, analyst, **ASKED)

    parquet = await get(known, analyst, **ASKED, format="parquet")
    arrow = await get(known, analyst, **ASKED, format="arrow")
    book = openpyxl.load_workbook(
        io.BytesIO((await get(known, analyst, **ASKED, format="xlsx")).content)
    )

    for schema in (
        pyarrow.parquet.read_schema(io.BytesIO(parquet.content)),
        pa.ipc.open_stream(arrow.content).schema,
    ):
        for name in ("indicators", "provenance"):
            assert orjson.loads(schema.metadata[f"guanxi.{name}".encode()]) == document[name]
        assert [str(field.type) for field in schema][-3:] == ["int64", "double", "int64"]
    assert book.sheetnames == ["values", "provenance", "indicators"]
    made_of = [tuple(row[1:5]) for row in book["provenance"].iter_rows(values_only=True, min_row=2)]
    revision = document["provenance"][0]["cities"][0]
    assert ("2026-10", "110100", 1, revision["hash"]) in made_of
    assert ("2026-10", "440300", None, "missing") in made_of
    codes = [row[0] for row in book["indicators"].iter_rows(values_only=True, min_row=2)]
    assert codes == ["customers", "arpu_fen", "lost_customers"]


async def test_no_text_of_a_city_becomes_a_formula(hq: TestNode, analyst: Headers) -> None:
    brand = '=cmd|" /C calc"!A0'
    codes = [each.code for each in CATALOGUE.measures_of("subscription")]
    key: Any = (brand, "gold", "monthly")
    await keep(hq, slice_of("440300", {key: {codes[0]: 3}}, dataset="subscription"))
    asked = {"indicator": codes[0], "by": "brand"}

    as_csv = await get(hq, analyst, **asked, format="csv", bom="true")
    as_xlsx = await get(hq, analyst, **asked, format="xlsx")

    assert as_csv.content.startswith(b"\xef\xbb\xbfperiod,")
    (row,) = csv.DictReader(io.StringIO(as_csv.content.decode("utf-8-sig"), newline=""))
    assert row["brand"] == f"'{brand}"
    cells = {
        cell.value: cell.data_type
        for cell in openpyxl.load_workbook(io.BytesIO(as_xlsx.content))["values"][2]
    }
    assert cells[brand] == "s"


async def test_an_empty_answer_has_its_columns_in_every_form(
    hq: TestNode, analyst: Headers
) -> None:
    asked = {"indicator": "customers", "period": "2031-01"}

    as_csv = await get(hq, analyst, **asked, format="csv")
    parquet = await get(hq, analyst, **asked, format="parquet")

    assert as_csv.content == b"period,region_code,region_name,customers\n"
    schema = pyarrow.parquet.read_schema(io.BytesIO(parquet.content))
    assert schema.names == ["period", "region_code", "region_name", "customers"]


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, Form.JSON),
        ("*/*", Form.JSON),
        ("text/html,application/xhtml+xml,*/*;q=0.8", Form.JSON),
        ("text/csv", Form.CSV),
        ("text/*;q=0.5, application/json;q=0.4", Form.CSV),
        ("application/vnd.apache.arrow.stream;q=1.0, text/csv;q=0.9", Form.ARROW),
        ("application/json;q=0, application/*", Form.XLSX),
        ("TEXT/CSV", Form.CSV),
    ],
)
def test_accept_chooses_the_form(accept: str | None, form: Form) -> None:
    assert form_of(None, accept) is form


def test_a_name_stands_above_accept_and_must_be_known() -> None:
    assert form_of("csv", "application/json") is Form.CSV
    with pytest.raises(QueryInvalid, match="json, csv, xlsx, parquet, arrow"):
        form_of("pdf", None)


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", "application/pdf;q=x"])
def test_what_takes_no_form_is_told_what_there_is(accept: str) -> None:
    with pytest.raises(FormatNotOffered, match="text/csv") as refused:
        form_of(None, accept)
    assert refused.value.status == 406


async def test_406_over_http(hq: TestNode, analyst: Headers) -> None:
    refused = await get(hq, analyst | {"Accept": "text/html"}, indicator="customers")

    assert (refused.status_code, refused.json()["type"]) == (
        406,
        "urn:guanxi:problem:format-not-offered",
    )
