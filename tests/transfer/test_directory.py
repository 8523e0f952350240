"""The directory at HQ under real concurrency, and what the command line says of transfers."""

import asyncio
import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from typer.testing import CliRunner

from services.hq_node.ownership import repository
from shared.kernel.ids import new_id
from shared.node.command import app
from shared.ownership import MoveAsked
from tests.transfer.nation import HQ, NEW, OLD, OTHER, Place, SmallNation
from tests.transfer.people import id_card, msisdn, settle

CUSTOMER = UUID("019abf6e-0000-7000-8000-000000000001")


async def swap(hq: Place, owner: str, epoch: int, to: str) -> bool:
    asked = MoveAsked(customer_id=CUSTOMER, transfer_id=new_id(), epoch=epoch, to=to)
    async with hq.transaction() as session:
        return await repository.compare_and_swap(session, asked, owner, at=hq.clock.now())


@pytest.mark.parametrize("epoch", [1, 2])
async def test_of_many_at_once_one_moves_the_customer(nation: SmallNation, epoch: int) -> None:
    hq, owner = nation[HQ], OTHER
    if epoch > 1:
        assert await swap(hq, OLD, 1, OTHER)
    moved = await asyncio.gather(*(swap(hq, owner, epoch, to) for to in (OLD, NEW) * 4))
    assert moved.count(True) == 1
    rows = await hq.fetch("SELECT owner, epoch FROM ownership")
    history = await hq.fetch("SELECT owner, epoch FROM ownership_change ORDER BY epoch DESC")
    assert [row["epoch"] for row in rows] == [epoch + 1]
    assert rows[0] == history[0]
    assert len(history) == epoch


@pytest.mark.parametrize(("owner", "epoch"), [(OLD, 2), (OLD, 1), (OTHER, 1), (OTHER, 3)])
async def test_an_epoch_or_owner_that_is_not_so_moves_nothing(
    nation: SmallNation, owner: str, epoch: int
) -> None:
    hq = nation[HQ]
    assert not await swap(hq, OLD, 5, NEW), "nobody who is not in the directory is in epoch 5"
    assert await swap(hq, OLD, 1, OTHER)
    assert not await swap(hq, owner, epoch, NEW)
    assert await hq.fetch("SELECT owner, epoch FROM ownership") == [{"owner": OTHER, "epoch": 2}]


async def test_the_commands_tell_where_everybody_is(
    nation: SmallNation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer = await settle(nation[OLD], running=7)
    monkeypatch.setenv("GUANXI_HOME", str(tmp_path))

    async def guanxi(code: str, *arguments: str, exits: int = 0) -> Any:
        monkeypatch.setenv("GUANXI_NODE", code)
        monkeypatch.setenv("GUANXI_DATABASE_URL", nation[code].context.database.url)
        words = [*arguments, "--json"]
        result = await asyncio.to_thread(CliRunner().invoke, app, words)
        assert result.exit_code == exits, result.output
        return json.loads(result.stdout) if exits == 0 else result.output

    assert (await guanxi(OLD, "transfer", "whose", str(customer)))["state"] == "live"
    await nation.ask(msisdn(70), document=id_card(7))
    ((asked,),) = [await guanxi(NEW, "transfer", "list")]
    assert (asked["state"], asked["awaiting"]) == ("asked", "home")
    await nation.settle()
    assert await guanxi(NEW, "transfer", "list") == []
    assert len(await guanxi(NEW, "transfer", "list", "--ended")) == 1
    whose = [
        (await guanxi(city, "transfer", "whose", str(customer)))["state"] for city in (OLD, NEW)
    ]
    assert whose == ["left", "live"]
    assert await guanxi(OLD, "transfer", "count") == [{"state": "left", "customers": 1}]
    (move,) = await guanxi(HQ, "ownership", "show", str(customer))
    assert (move["owner"], move["former_owner"]) == (NEW, OLD)
    await guanxi(OTHER, "transfer", "whose", str(customer), exits=1)
    await guanxi(OLD, "ownership", "show", str(customer), exits=1)
