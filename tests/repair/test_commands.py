"""Repairs and loan handsets from the command line."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from services.city_node.loan_handset.commands import app as handsets
from services.city_node.repair.commands import app as repairs
from shared.kernel.ids import new_id
from tests.city.two_cities import HOME, VISITED
from tests.repair.workshop import HALL, LOANED, NEW_IMEI, OTHER_IMEI, Workshops

Run = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
def run(shop: Workshops, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Give commands of a city, as its operator runs them."""
    monkeypatch.setenv("LANG", "en_US.UTF-8")

    async def act(app: Any, *arguments: str, at: str = VISITED) -> tuple[int, str, str]:
        settings = shop.cities[at].context.settings
        monkeypatch.setenv("GUANXI_NODE", at)
        monkeypatch.setenv("GUANXI_HOME", str(settings.home))
        monkeypatch.setenv("DATABASE_URL", str(settings.database_url))
        result = await asyncio.to_thread(CliRunner().invoke, app, list(arguments))
        return result.exit_code, result.stdout, result.stderr

    return act


async def test_repairs_are_shown(shop: Workshops, run: Run) -> None:
    done = await shop.agreed()
    await shop.lend(done)
    await shop.end_loan(done)
    await shop.repaired(done)
    await shop.hand_back(done)
    await shop.settle()
    await shop.rate(done, 4)
    ongoing = await shop.confirmed(imei=NEW_IMEI)
    code, output, complaints = await run(repairs, "list", "--json")
    assert code == 0, complaints
    assert {item["id"] for item in orjson.loads(output)} == {str(done), str(ongoing)}
    _, output, _ = await run(repairs, "list", "--open", "--json")
    assert [item["id"] for item in orjson.loads(output)] == [str(ongoing)]
    _, output, _ = await run(repairs, "list", "--differing", "--json")
    assert orjson.loads(output) == []
    _, output, _ = await run(repairs, "show", str(done), "--json")
    assert orjson.loads(output)["state"] == "completed"
    code, output, complaints = await run(repairs, "show", str(done))
    assert code == 0, complaints
    for word in ("outcome.home_fen", "Estimates", "Enjoy 70", "lent", "recorded"):
        assert word in output
    _, output, _ = await run(repairs, "satisfaction", "--json")
    assert {line["mean"] for line in orjson.loads(output)} == {4.0}
    _, output, _ = await run(repairs, "list", "--json", at=HOME)
    assert {item["state"] for item in orjson.loads(output)} == {"completed", "confirmed"}
    code, _, complaints = await run(repairs, "show", str(new_id()))
    assert (code, "There is no request" in complaints) == (1, True)


async def test_handsets_are_loaded_and_listed(shop: Workshops, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "handsets.csv"
    file.write_text(f"model,imei,make\nEnjoy 70,{OTHER_IMEI},Huawei\nEnjoy 70,{LOANED[0]},Huawei\n")
    code, output, complaints = await run(handsets, "load", str(file), "--unit", HALL, "--json")
    assert code == 0, complaints
    assert orjson.loads(output) == {"unit": HALL, "loaded": 1, "known": 1}
    request_id = await shop.agreed()
    await shop.lend(request_id)
    _, output, _ = await run(handsets, "list", "--state", "lent", "--json")
    assert [item["request_id"] for item in orjson.loads(output)] == [str(request_id)]
    _, output, _ = await run(handsets, "list", "--json")
    assert len(orjson.loads(output)) == 3


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("imei\n1\n", "columns imei, make and model"),
        (f"imei,make,model\n{OTHER_IMEI},a,b\n123,a,b\n", "line 3: imei"),
    ],
)
async def test_a_wrong_file_is_refused_with_a_sentence(
    shop: Workshops, run: Run, tmp_path: Path, content: str, complaint: str
) -> None:
    file = tmp_path / "handsets.csv"
    file.write_text(content)
    code, _, complaints = await run(handsets, "load", str(file), "--unit", HALL)
    assert (code, complaint in complaints) == (1, True), complaints
    assert await shop.stock() == {"in_stock": 2}
