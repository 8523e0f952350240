"""``guanxi offer``."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from services.city_node.offer import commands
from tests.conftest import NOON, TestNode
from tests.offer.city import add_customer, draft, require_right, run

Guanxi = Callable[..., Result]


@pytest.fixture
def guanxi(city: TestNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Guanxi:
    """Run a command on the city, in a thread of its own since it has an event loop of its own."""
    monkeypatch.setenv("DATABASE_URL", city.database.url)
    monkeypatch.setenv("GUANXI_HOME", str(tmp_path))
    monkeypatch.setenv("GUANXI_NODE", "440300")
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    return lambda *words: CliRunner().invoke(commands.app, list(words))


async def test_from_the_catalogue_to_the_report(city: TestNode, guanxi: Guanxi) -> None:
    customer = await add_customer(city.database, NOON, level="diamond")
    rows = await run(city.database, "SELECT customer_number FROM customer")
    number = rows[0].customer_number

    def told(*words: str) -> Any:
        done = guanxi(*words, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def act() -> None:
        # The command works by the machine's clock.
        body = json.dumps(draft(valid_from="2020-01-01"))
        made = told("create", body)
        assert (made["code"], made["units"], made["updated_by"][:8]) == ("lounge", ["440300"], "command:")  # fmt: skip
        assert [each["code"] for each in told("list")] == ["lounge"]
        granted = told("grant", number, "lounge", "--uses", "2")
        assert (granted["state"], granted["customer_id"]) == ("granted", str(customer))
        used = told("use", granted["id"], "--channel", "web")
        assert (used["channel"], used["place_code"]) == ("web", "440300")
        back = told("reverse", used["id"], "--reason", "not_delivered")
        assert (back["reverses_id"], back["cost_fen"]) == (used["id"], -8_000)
        (cost,) = told("report")
        assert (cost["uses"], cost["reversals"], cost["cost_fen"]) == (1, 1, 0)
        assert told("report", "--until", cost["month"]) == []
        for words, said in (
            (("create", "{}"), "This is no offer"),
            (("create", body), "已存在"),
            (("grant", number, "lounge", "--uses", "3"), "不能发放优惠"),
            (("grant", "nobody", "lounge"), "has no customer"),
            (("reverse", used["id"]), "已冲正"),
        ):
            failed = guanxi(*words)
            assert failed.exit_code == 1
            assert said in failed.output.replace("\n", ""), failed.output

    await asyncio.to_thread(act)
    await require_right(city.database)
