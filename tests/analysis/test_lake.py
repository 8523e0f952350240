"""The lake holds what the node answers, is written where something has changed, and survives being ended anywhere."""
# ruff: noqa: S608 - the statements are this file's own

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pyarrow as pa
import pytest
from pyarrow import dataset as arrow
from pyarrow import parquet

from shared.analysis import exporting
from shared.analysis.exporting import Exported, export_lake
from shared.analysis.lake import Lake
from shared.analysis.parquet import Layout, columns_of
from shared.analysis.problems import LakeBusy, LakeForeign
from shared.capability import Role
from shared.statistics.catalogue import Catalogue
from shared.statistics.indicators import CATALOGUE
from tests.analysis.conftest import CAPABILITIES, SignIn, groups_of
from tests.conftest import MakeNode, TestNode
from tests.statistics.registered_cities import Headers, ask, keep, table
from tests.statistics.slices_by_hand import GOLD_MAN, GOLD_WOMAN, slice_of

CUSTOMER = "facts/dataset=customer"


def lake_of(node: TestNode) -> Path:
    return node.node.settings.directory / "lake"


async def export(node: TestNode) -> Exported:
    node.clock.advance(timedelta(seconds=1))
    return await export_lake(node.context, now=node.clock.now())


def rows(node: TestNode, dataset: str, tree: str = "facts") -> list[dict[str, Any]]:
    """What a reader finds who knows of nothing but the directory."""
    found = arrow.dataset(lake_of(node) / tree / f"dataset={dataset}", partitioning="hive")
    listed: list[dict[str, Any]] = found.to_table().to_pylist()
    return listed


def files(node: TestNode) -> dict[str, tuple[int, int]]:
    """Every file of the lake but the manifests, by path: which one it is, and when it was written."""
    root = lake_of(node)
    return {
        str(path.relative_to(root)): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in root.rglob("*.parquet")
    }


async def test_it_holds_what_the_node_answers(hq: TestNode, reader: Headers) -> None:
    exported = await export(hq)
    assert (exported.partitions, exported.written, exported.removed) == (5, 5, 0)
    codes = ("customers", "new_customers", "monthly_charge_fen")
    question = {"indicator": ",".join(codes), "period": "2026-11", "by": "region,level,sex"}
    answer = await ask(hq, reader, **question, region_level="city")
    for code in codes:
        found: dict[Any, int] = {}
        for row in rows(hq, "customer"):
            if row["period"] == "2026-11":
                key = (row["city"], row["level"], row["sex"])
                found[key] = found.get(key, 0) + row[code]
        assert found == table(answer, code, "region", "level", "sex")
        assert len(found) == 5
    days = [row for row in rows(hq, "customer") if row["period_kind"] == "day"]
    assert [(x["period"], x["first_day"], x["customers"]) for x in days] == [
        ("2026-11-22", date(2026, 11, 22), 6)
    ]


async def test_a_row_says_where_and_what(hq: TestNode) -> None:
    await export(hq)
    of_software, unknown = sorted(rows(hq, "group"), key=lambda row: row["groups"])
    assert of_software["industry_section"] == "I"
    assert unknown["industry_section"] == "unknown"
    first = next(row for row in rows(hq, "customer") if row["city"] == "110100")
    assert (first["province"], first["revision"], first["first_day"]) == (
        "110000",
        1,
        date(2026, 11, 1),
    )


async def test_zero_is_told_from_what_a_city_does_not_count(hq: TestNode) -> None:
    await keep(hq, groups_of("110100", {("65", "large", "gold"): 9}))
    await export(hq)
    measures = [each.code for each in CATALOGUE.measures_of("group")]
    assert measures[0] == "groups"
    (row,) = [row for row in rows(hq, "group") if row["city"] == "110100"]
    assert [row[code] for code in measures] == [9, *[None] * (len(measures) - 1)]
    row = next(row for row in rows(hq, "customer") if row["city"] == "440100")
    assert row["monthly_charge_fen"] == 0
    (row,) = rows(hq, "revenue")
    assert (row["highest_bill_fen"], row["bills"]) == (800, 0)


async def test_extremes_that_no_cell_has_are_empty(hq: TestNode) -> None:
    await keep(hq, slice_of("110100", {GOLD_MAN: {"bills": 2}}, dataset="revenue"))
    await export(hq)
    row = next(row for row in rows(hq, "revenue") if row["city"] == "110100")
    assert (row["bills"], row["highest_bill_fen"]) == (2, None)


async def test_slices_say_which_cities_a_partition_is_of(hq: TestNode) -> None:
    await export(hq)
    listed = {row["city"]: row for row in rows(hq, "revenue", "slices")}
    assert {city: row["row_count"] for city, row in listed.items()} == {"440100": 0, "440300": 1}
    assert listed["440300"]["computed_at"] == datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
    assert listed["440300"]["received_at"] <= hq.clock.now()


async def test_only_what_has_changed_is_written_again(hq: TestNode) -> None:
    await export(hq)
    before = files(hq)
    again = await export(hq)
    assert (again.partitions, again.written) == (5, 0)
    assert {p: x for p, x in files(hq).items() if "dimensions" not in p} == {
        p: x for p, x in before.items() if "dimensions" not in p
    }

    await keep(hq, slice_of("110100", {GOLD_WOMAN: {"customers": 50}}, revision=2))
    third = await export(hq)

    assert third.written == 1
    changed = {p for p, x in files(hq).items() if x != before[p] and "dimensions" not in p}
    november = "dataset=customer/period_kind=month/period=2026-11/part-0.parquet"
    assert changed == {f"facts/{november}", f"slices/{november}"}
    counted = {(r["city"], r["revision"]): r["customers"] for r in rows(hq, "customer")}
    assert counted["110100", 2] == 50
    assert ("110100", 1) not in counted


async def test_the_same_figures_are_the_same_file(hq: TestNode) -> None:
    await export(hq)
    lake = Lake.of(hq.node.settings)
    first = lake.manifest("customer", Layout.of(CATALOGUE, "customer").digest).partitions
    for path in lake.root.rglob("part-0.parquet"):
        path.unlink()
    assert (await export(hq)).written == 5
    second = lake.manifest("customer", Layout.of(CATALOGUE, "customer").digest).partitions
    assert {p: x.facts for p, x in first.items()} == {p: x.facts for p, x in second.items()}


async def test_what_is_withdrawn_goes(hq: TestNode, owner: asyncpg.Connection) -> None:
    await export(hq)
    stray = lake_of(hq) / CUSTOMER / "period_kind=day/period=2025-01-01"
    stray.mkdir(parents=True)
    (stray / "part-0.parquet").write_bytes(b"left by an export that was ended")
    old = lake_of(hq) / "facts/dataset=no_longer/period_kind=month/period=2020-01"
    old.mkdir(parents=True)
    gone = "SELECT id FROM statistics_slice WHERE period = '2026-10'"
    await owner.execute(f"DELETE FROM statistics_fact WHERE slice_id IN ({gone})")
    await owner.execute(f"DELETE FROM statistics_slice WHERE id IN ({gone})")

    exported = await export(hq)

    assert (exported.partitions, exported.written, exported.removed) == (4, 0, 2)
    assert {row["period"] for row in rows(hq, "customer")} == {"2026-11", "2026-11-22"}
    assert not list(lake_of(hq).rglob("*no_longer*"))
    assert len(list(lake_of(hq).glob("slices/dataset=customer/*/*"))) == 2


class Killed(BaseException):
    """What a process does not survive."""


async def killed_at(node: TestNode, step: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Export, and end it just before a file is put in its place; tells whether there were so many."""
    steps = 0
    replace = Path.replace

    def place(path: Path, target: Path) -> Path:
        nonlocal steps
        steps += 1
        if steps == step:
            raise Killed
        return replace(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", place)
        try:
            await export(node)
        except Killed:
            return True
    return False


async def test_an_export_that_was_ended_anywhere_is_completed_by_the_next(
    hq: TestNode, reader: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = {"indicator": "customers", "from": "2026-09", "to": "2026-11", "by": "period"}
    step, is_over = 0, False
    while not is_over:
        step += 1
        await keep(
            hq,
            slice_of("110100", {GOLD_WOMAN: {"customers": 50 + step}}, revision=1 + step),
            slice_of("310100", {GOLD_MAN: {"customers": step}}, revision=step, period="2026-09"),
        )
        is_over = not await killed_at(hq, step, monkeypatch)
        for path in lake_of(hq).rglob("*=*/part-0.parquet"):
            parquet.read_table(path)  # whatever a reader finds is whole
        await export(hq)

        answer = await ask(hq, reader, **question)
        found: dict[str, int] = {}
        for row in rows(hq, "customer"):
            if row["period_kind"] == "month":
                found[row["period"]] = found.get(row["period"], 0) + row["customers"]
        assert found == table(answer, "customers", "period")
        assert (await export(hq)).written == 0
        assert list((lake_of(hq) / "_unfinished").iterdir()) == []
    assert step > 30, (
        "files of partitions, manifests of datasets, dimensions, and what there is in short"
    )


async def test_a_lake_that_was_deleted_or_damaged_is_mended(hq: TestNode) -> None:
    await export(hq)
    (lake_of(hq) / CUSTOMER / "period_kind=month/period=2026-10/part-0.parquet").unlink()
    (lake_of(hq) / CUSTOMER / "period_kind=day/period=2026-11-22/part-0.parquet").write_bytes(b"")
    assert (await export(hq)).written == 2
    (lake_of(hq) / "_manifest/customer.json").unlink()
    assert (await export(hq)).written == 3


async def test_a_measure_more_gives_all_files_of_its_dataset_a_column_more(
    hq: TestNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fewer(catalogue: Catalogue, dataset: str) -> Layout:
        whole = Layout.of(catalogue, dataset)
        return Layout(whole.dataset, whole.dimensions, whole.coarser, whole.measures[:-1])

    before = type("Fewer", (), {"of": staticmethod(fewer)})
    monkeypatch.setattr(exporting, "Layout", before)
    await export(hq)
    monkeypatch.undo()
    assert (await export(hq)).written == 5
    for dataset in ("customer", "group", "revenue"):
        schemas = {
            parquet.read_schema(path)
            for path in lake_of(hq).glob(f"facts/dataset={dataset}/*/*/*.parquet")
        }
        assert len(schemas) == 1
        measures = [each.code for each in CATALOGUE.measures_of(dataset)]
        assert schemas.pop().names[-len(measures) :] == measures


async def test_the_layout_is_what_partition_discovery_reads(hq: TestNode) -> None:
    """As Spark does it: directories of the form key=value, in one order, above files of one schema and plain types."""
    await export(hq)
    plain = {pa.string(), pa.int64(), pa.date32(), pa.timestamp("us", tz="UTC"), pa.bool_()}
    for tree in ("facts", "slices"):
        schemas: dict[str, set[Any]] = {}
        for path in (lake_of(hq) / tree).rglob("*"):
            if path.is_dir():
                continue
            *keys, name = path.relative_to(lake_of(hq) / tree).parts
            pairs = dict(key.split("=") for key in keys)
            assert list(pairs) == ["dataset", "period_kind", "period"]
            assert name == "part-0.parquet"
            schema = parquet.read_schema(path)
            schemas.setdefault(pairs["dataset"], set()).add(schema)
            assert set(schema.types) <= plain
            assert not set(pairs) & set(schema.names), "a reader would not know which one holds"
        assert {len(each) for each in schemas.values()} == {1}
    for path in (lake_of(hq) / "dimensions").iterdir():
        types = parquet.read_schema(path).types
        assert all(each in plain or str(each) == "list<element: string>" for each in types)


async def test_the_dimensions_are_the_stars(hq: TestNode, sql: asyncpg.Connection) -> None:
    await export(hq)
    for name in ("region", "dataset", "dimension", "member", "indicator"):
        in_lake = parquet.read_table(lake_of(hq) / f"dimensions/{name}.parquet").to_pylist()
        in_star = [dict(row) for row in await sql.fetch(f"SELECT * FROM dim_{name}")]

        def key(row: dict[str, Any]) -> tuple[str, str]:
            return row.get("dimension", ""), row["code"]

        assert sorted(in_lake, key=key) == sorted(in_star, key=key)


async def test_a_city_that_has_counted_nothing(make_node: MakeNode, sign_in: SignIn) -> None:
    node = await make_node("440300", CAPABILITIES)
    operator = await sign_in(node, Role.OPERATOR)
    before = await node.client.get("/analysis/lake", headers=operator)
    assert (before.status_code, before.json()["type"]) == (
        404,
        "urn:guanxi:problem:lake-not-exported",
    )

    await node.run_job("export-lake")

    shown = (await node.client.get("/analysis/lake", headers=operator)).json()
    assert {each["partitions"] for each in shown["datasets"]} == {0}
    assert {each["dataset"] for each in shown["datasets"]} == set(CATALOGUE.datasets)
    regions = parquet.read_table(lake_of(node) / "dimensions/region.parquet")["code"].to_pylist()
    assert regions == ["000000", "440000", "440300"]


async def test_the_manifest_over_http(hq: TestNode, reader: Headers) -> None:
    await keep(hq, slice_of("110100", {GOLD_WOMAN: {"customers": 50}}, revision=2))
    await export(hq)
    shown = (await hq.client.get("/analysis/lake", headers=reader)).json()
    assert datetime.fromisoformat(shown["exported_at"]) == hq.clock.now()
    customer = next(each for each in shown["datasets"] if each["dataset"] == "customer")
    assert (customer["first_period"], customer["last_period"], customer["partitions"]) == (
        "2026-10",
        "2026-11-22",
        3,
    )
    assert shown == orjson.loads((lake_of(hq) / "_manifest.json").read_bytes())

    answer = await hq.client.get("/analysis/lake/customer", headers=reader)
    partitions = {each["period"]: each for each in answer.json()["partitions"]}
    november = partitions["2026-11"]
    assert (november["cities"], november["restated"]) == (3, {"110100": 2})
    assert november["facts"]["rows"] == 5
    for each in partitions.values():
        for file in (each["facts"], each["slices"]):
            assert (lake_of(hq) / file["file"]).stat().st_size == file["bytes"]
    for unknown in ("no_such", "../../node"):
        answer = await hq.client.get(f"/analysis/lake/{unknown}", headers=reader)
        assert answer.status_code == 404


async def test_metrics_tell_of_it(make_node: MakeNode) -> None:
    node = await make_node("440300", CAPABILITIES, metrics_public=True)
    metric = "guanxi_lake_exported_timestamp_seconds"
    assert f"{metric} 0.0" in (await node.client.get("/metrics")).text
    await keep(node, slice_of("440300", {GOLD_MAN: {"customers": 1}}))
    await export(node)
    shown = (await node.client.get("/metrics")).text
    assert f"{metric} 0.0" not in shown
    assert 'guanxi_lake_partitions{dataset="customer"} 1.0' in shown
    assert 'guanxi_lake_bytes{dataset="customer"} ' in shown


async def test_two_exports_at_once_are_refused(hq: TestNode) -> None:
    async with exporting._alone(hq.context):
        with pytest.raises(LakeBusy):
            await export(hq)
    await export(hq)


async def test_somebody_elses_directory_is_left_alone(
    make_node: MakeNode, tmp_path: Path, hq: TestNode
) -> None:
    await export(hq)
    other = await make_node("440300", CAPABILITIES, lake_path=lake_of(hq))
    before = files(hq)
    with pytest.raises(LakeForeign):
        await export(other)
    assert files(hq) == before
    mine = tmp_path / "mine"
    (mine / "facts").mkdir(parents=True)
    stranger = await make_node("110100", CAPABILITIES, lake_path=mine)
    with pytest.raises(LakeForeign):
        await export(stranger)
    assert [path.name for path in mine.iterdir()] == ["facts"]


async def test_memory_does_not_grow_with_the_rows(
    hq: TestNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows are held a few at a time: with tiny portions the file is the same, in more groups."""
    await export(hq)
    path = lake_of(hq) / CUSTOMER / "period_kind=month/period=2026-11/part-0.parquet"
    whole = parquet.read_table(path)
    monkeypatch.setattr("shared.analysis.repository.ROWS_AT_ONCE", 2)
    monkeypatch.setattr("shared.analysis.parquet.ROWS_OF_A_GROUP", 2)
    path.unlink()
    await export(hq)
    assert parquet.ParquetFile(path).num_row_groups == 3
    assert parquet.read_table(path) == whole


def test_every_column_of_the_reference_has_a_type() -> None:
    for table_ in exporting._FILES.values():
        assert columns_of(table_)
