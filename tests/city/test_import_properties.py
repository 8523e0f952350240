"""However a file is cut, in whatever portions it is loaded, wherever that stops: the same state; and undone, none."""

import contextlib
import gzip
import io
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from services.city_node.customer_import import service
from services.city_node.customer_import.mapping import ImportMapping, read_mapping
from services.city_node.customer_import.models import ImportState
from services.city_node.customer_import.problems import FileDiffers, FileUnusable, ImportStateUnfit
from services.city_node.customer_import.undoing import undo
from tests.city.drafts import Headers, id_card
from tests.city.extracts import HEADER, MAPPING, begin, counts, desk, extract, load, row
from tests.city.record_extracts import BILLS, BILLS_TEXT, bill, empty, everything, table
from tests.conftest import TestNode
from tests.examples import examples

SLOWLY = settings(
    max_examples=examples(8),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
# Few people, documents and numbers, so that the rows of a file get in one another's way.
FEW = some.integers(1, 4)
CUSTOMERS = some.lists(
    some.builds(
        lambda who, document, number, gone, charge: row(
            who, document=id_card(document), msisdn=f"139{number:08d}", gone=gone, charge=charge
        ),
        some.integers(1, 9),
        FEW,
        FEW,
        some.sampled_from("nny"),
        some.sampled_from(["88.50", "90", "-1", "x", "=1"]),
    ),
    min_size=2,
    max_size=10,
    unique_by=lambda one: one["id"],
)
BILL_ROWS = some.lists(
    some.builds(
        bill, some.integers(1, 4), some.integers(8, 11), some.sampled_from(["1.00", "2.00"])
    ),
    min_size=2,
    max_size=12,
)


class Stopped(Exception):
    """Stands for whatever ends a program."""


def stopping_after(portions: int) -> Callable[[int], None]:
    left = portions

    def count(_: int) -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            raise Stopped

    return count


async def load_interrupted(
    city: TestNode, content: bytes, mapping: ImportMapping, portions: list[int], stops: list[int]
) -> tuple[int, int, int, int]:
    """Load a file that is stopped again and again, and taken up again with portions of another size."""
    begun = await begin(city, content, mapping)
    for portion, stop in zip(portions, stops, strict=False):
        with contextlib.suppress(Stopped):
            done = await service.load(
                desk(city, portion), begun.id, io.BytesIO(content), stopping_after(stop)
            )
            return counts(done)
    return counts(await service.load(desk(city, 4), begun.id, io.BytesIO(content)))


@SLOWLY
@given(
    people=CUSTOMERS,
    portions=some.lists(some.integers(1, 6), min_size=2, max_size=4),
    stops=some.lists(some.integers(1, 3), min_size=2, max_size=4),
    cut=some.integers(0, 10),
)
async def test_customers_end_in_the_same_state(
    city: TestNode, people: list[dict[str, Any]], portions: list[int], stops: list[int], cut: int
) -> None:
    await empty(city)
    await load(city, [row(2), row(3)])
    start = await everything(city)
    whole = await load(city, people, portion=100)
    expected = await everything(city)
    await undo(desk(city), whole.id, "importer")
    assert await everything(city) == start
    assert await load_interrupted(city, extract(people), MAPPING, portions, stops) == counts(whole)
    assert await everything(city) == expected
    await empty(city)
    await load(city, [row(2), row(3)])
    for part in (people[:cut], people[cut:]):
        if part:
            await load(city, part, portion=portions[0])
    assert await everything(city) == expected


@SLOWLY
@given(
    bills=BILL_ROWS,
    portions=some.lists(some.integers(1, 6), min_size=2, max_size=4),
    stops=some.lists(some.integers(1, 3), min_size=2, max_size=4),
)
async def test_bills_end_in_the_same_state(
    city: TestNode, bills: list[dict[str, Any]], portions: list[int], stops: list[int]
) -> None:
    await empty(city)
    await load(city, [row(1), row(2), row(3, gone="y")])
    await load(city, table([bill(1, 9, "2.00")]), BILLS)
    start = await everything(city)
    whole = await load(city, table(bills), BILLS, portion=100)
    expected = await everything(city)
    await undo(desk(city), whole.id, "importer")
    assert await everything(city) == start
    assert await load_interrupted(city, table(bills), BILLS, portions, stops) == counts(whole)
    assert await everything(city) == expected


@SLOWLY
@given(
    texts=some.lists(
        some.text(
            some.characters(exclude_categories=["Cs"])
            | some.sampled_from("\x00\u202e😀=+-@'\",\r\n"),
            max_size=12,
        ),
        min_size=4,
        max_size=4,
    ),
    number=some.integers(-(10**30), 10**30),
)
async def test_hostile_cells_are_loaded_as_they_are_or_rejected(
    city: TestNode, texts: list[str], number: int
) -> None:
    await empty(city)
    given_ = {"name": texts[0], "hobby": texts[1], "charge": str(number), "plan": texts[2]}
    people = [row(1), row(2, **given_), row(3, id=texts[3])]
    loaded = await load(city, people, portion=2)
    assert loaded.rows == 3
    assert loaded.created >= 1
    profiles = {one[0]: one for one in (await everything(city))[0]}
    if "C2" in profiles:
        assert (profiles["C2"][3], profiles["C2"][13]) == (texts[0].strip(), number * 100)


HOSTILE = [
    (extract([row(1)])[:-40] + b',"', "CSV"),
    (b"\xff\xfe" + extract([row(1)]), "not utf-8"),
    (extract([row(1)]).decode().encode("utf-16"), "not utf-8"),
    (b"PAR1" + b"\x00" * 100, "Parquet"),
    (gzip.compress(extract([row(n) for n in range(1, 9)]))[:-30], "breaks off"),
    (b"\x1f\x8b\x08\x00" + b"\x00" * 30, "compressed"),
    (b"\x28\xb5\x2f\xfd" + b"\xff" * 30, "compressed"),
    (b'"' + b"x" * 3_000_000, "CSV"),
]


@pytest.mark.parametrize(("content", "reason"), HOSTILE)
async def test_a_file_that_is_damaged_is_told_so(
    city: TestNode, content: bytes, reason: str
) -> None:
    with pytest.raises(FileUnusable, match=reason):
        await load(city, content)
    assert (await everything(city))[0] == []


def parquet(rows: list[dict[str, Any]], **schema: pa.DataType) -> bytes:
    columns = {name: [one[name] for one in rows] for name in rows[0]}
    arrays = {
        name: pa.array(values, schema[name]) if name in schema else pa.array(values)
        for name, values in columns.items()
    }
    written = io.BytesIO()
    pq.write_table(pa.table(arrays), written, row_group_size=2)
    return written.getvalue()


@pytest.mark.parametrize("form", ["gzip", "zstd", "parquet"])
async def test_the_form_of_a_file_makes_no_difference(city: TestNode, form: str) -> None:
    people = [row(running) for running in range(1, 6)]
    assert counts(await load(city, people)) == (5, 0, 0, 0)
    plain = extract(people)
    content = {
        "gzip": gzip.compress(plain),
        "zstd": pa.compress(plain, "zstd", asbytes=True),
        "parquet": parquet(people),
    }[form]
    assert counts(await load(city, content)) == (0, 0, 5, 0)


async def test_typed_columns_are_read_as_a_csv_would_have_them(city: TestNode) -> None:
    await load(city, [row(1)])
    bills = [
        {"msisdn": 13900000001, "month": date(2026, 9, 1), "yuan": Decimal("12.30"), "paid": None}
    ]
    mapping = read_mapping(BILLS_TEXT.replace('\nformat = "%Y-%m"', ""))
    content = parquet(bills, yuan=pa.decimal128(10, 2), paid=pa.date32())
    assert counts(await load(city, content, mapping)) == (1, 0, 0, 0)
    assert ("13900000001", date(2026, 9, 1), 1230, None, True) in (await everything(city))[3]


async def test_a_damaged_parquet_file_is_loaded_up_to_there(city: TestNode) -> None:
    content = bytearray(parquet([row(running) for running in range(1, 9)]))
    content[len(content) // 2 : len(content) // 2 + 60] = b"\xff" * 60
    with pytest.raises(FileUnusable, match="Parquet"):
        await load(city, bytes(content))


async def test_an_import_goes_on_with_the_same_file_only(city: TestNode) -> None:
    people = [row(running) for running in range(1, 9)]
    begun = await begin(city, people)
    with pytest.raises(Stopped):
        await service.load(desk(city), begun.id, io.BytesIO(extract(people)), stopping_after(2))
    other: BinaryIO = io.BytesIO(extract(people[::-1]))
    with pytest.raises(FileDiffers):
        await service.load(desk(city), begun.id, other)
    done = await service.load(desk(city), begun.id, io.BytesIO(extract(people)))
    assert counts(done) == (8, 0, 0, 0)
    with pytest.raises(ImportStateUnfit, match="completed"):
        await service.load(desk(city), begun.id, io.BytesIO(extract(people)))


async def test_an_import_is_cancelled_and_resumed_over_rest(
    city: TestNode, supervisor: Headers
) -> None:
    files: Any = {
        "file": ("bills.csv", extract([row(1), row(2)], HEADER), "text/csv"),
        "mapping": ("crm.toml", MAPPING.text.encode()),
    }
    sent = await city.client.post("/customer-imports", files=files, headers=supervisor)
    path = sent.headers["location"]
    cancelled = await city.client.post(f"{path}/cancellation", headers=supervisor)
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, ImportState.CANCELLED)
    await city.run_job("customer-import")
    assert (await everything(city))[0] == []
    again = await city.client.post(f"{path}/cancellation", headers=supervisor)
    assert again.status_code == 409
    resumed = await city.client.post(f"{path}/resumption", headers=supervisor)
    assert (resumed.status_code, resumed.json()["state"]) == (202, ImportState.QUEUED)
    await city.run_job("customer-import")
    read = (await city.client.get(path, headers=supervisor)).json()
    assert (read["state"], read["created"]) == (ImportState.COMPLETED, 2)
    assert (await city.client.post(f"{path}/resumption", headers=supervisor)).status_code == 409
