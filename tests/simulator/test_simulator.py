"""The simulated ports: they keep the contract, make the faults they are told to, and outlive their process."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.simulator.app import HANG_SECONDS, Simulator
from services.simulator.faults import Dice, Faults
from services.simulator.journal import Journal
from shared.kernel.clock import HandClock
from shared.port.contracts import OPERATIONS, billing, card_supplier, network
from shared.port.declaration import Operation, Port
from tests.conftest import NOON

PATIENCE = 60.0
OLD, NEW, NEWER = (f"8986000000000000000{n}" for n in (1, 2, 3))
NUMBER, OTHER = "13800005678", "13911112222"
EXAMPLES: dict[str, dict[str, Any]] = {
    "sim-switches": {"msisdn": NUMBER, "iccid": NEW, "imsi": "4" * 15, "replaces": OLD},
    "suspensions": {"msisdn": NUMBER},
    "resumptions": {"msisdn": NUMBER},
    "moves": {
        "msisdn": NUMBER,
        "iccid": NEW,
        "imsi": "4" * 15,
        "from_city": "110100",
        "to_city": "440300",
    },
    "messages": {"to": NUMBER, "text": "hello"},
    "credits": {
        "msisdn": NUMBER,
        "amount_fen": 5000,
        "payment": "P-1",
        "taken_at": "2026-11-23T04:00:00Z",
    },
    "credit-reversals": {"payment": "P-1"},
    "orders": {"order": "O-1", "hall": "440300-01", "cards": 250},
    "dispatch-advices": {"order": "O-1", "consignment": 1},
    "order-cancellations": {"order": "O-1"},
    "receipts": {"hall": "440300-01", "number": "R-1", "title": "回执", "lines": ["a", "b"]},
}
NEEDS: dict[Operation[Any, Any], Operation[Any, Any]] = {
    billing.REVERSE: billing.CREDIT,
    card_supplier.ADVISE: card_supplier.ORDER,
    card_supplier.CANCEL: card_supplier.ORDER,
}
"""What has to be done before."""


class Waited(Exception):
    """The simulator waited so long."""


async def wait(seconds: float) -> None:
    if seconds == HANG_SECONDS:
        raise Waited


def simulator(port: Port, journal: Journal | None = None) -> Simulator:
    return Simulator(port, journal, clock=HandClock(NOON), pause=wait, dice=Dice(seed=1))


async def ask(
    simulated: Simulator, operation: Operation[Any, Any], key: str | None = "key-1", **content: Any
) -> httpx.Response:
    transport = httpx.ASGITransport(app=simulated.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://port") as client:
        return await client.post(
            operation.path,
            json=EXAMPLES[operation.name] | content,
            headers={} if key is None else {"Idempotency-Key": key},
        )


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
async def test_each_operation_is_done_once_and_answered_in_its_form(
    operation: Operation[Any, Any],
) -> None:
    simulated = simulator(operation.port)
    if operation in NEEDS:
        await ask(simulated, NEEDS[operation], "before")
    before = len(simulated.journal)
    first = await ask(simulated, operation)
    assert first.status_code == 200, first.text
    operation.answer.model_validate_json(first.content)
    assert (await ask(simulated, operation)).content == first.content
    assert len(simulated.journal) == before + 1


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
async def test_what_is_not_in_the_form_or_has_no_key_is_refused(
    operation: Operation[Any, Any],
) -> None:
    simulated = simulator(operation.port)
    field = next(iter(EXAMPLES[operation.name]))
    for answer in (
        await ask(simulated, operation, None),
        await ask(simulated, operation, **{field: ""}),
    ):
        assert answer.is_client_error
        assert answer.headers["content-type"] == "application/problem+json"
        assert NUMBER not in answer.text
    assert len(simulated.journal) == 0


async def test_a_key_that_comes_with_other_content_is_refused() -> None:
    simulated = simulator(network.PORT)
    await ask(simulated, network.SWITCH_SIM)
    answer = await ask(simulated, network.SWITCH_SIM, imsi="5" * 15)
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:guanxi:simulator:key-reused")
    assert (await ask(simulated, network.SUSPEND)).status_code == 422


async def test_a_card_never_answers_for_two_numbers_nor_a_number_on_two_cards() -> None:
    simulated = simulator(network.PORT)
    await ask(simulated, network.SWITCH_SIM, "1")
    taken = await ask(simulated, network.SWITCH_SIM, "2", msisdn=OTHER)
    assert taken.json()["type"] == "urn:guanxi:simulator:card-in-use"
    late = await ask(simulated, network.SWITCH_SIM, "3", iccid=NEWER)
    assert late.json()["type"] == "urn:guanxi:simulator:card-not-present"
    following = await ask(simulated, network.SWITCH_SIM, "4", iccid=NEWER, replaces=NEW)
    assert following.status_code == 200
    assert (await ask(simulated, network.SWITCH_SIM, "2", msisdn=OTHER)).status_code == 200


async def test_a_payment_is_credited_once_whatever_its_key_and_reversed_once() -> None:
    simulated = simulator(billing.PORT)
    assert (await ask(simulated, billing.REVERSE, "0")).status_code == 422
    assert (await ask(simulated, billing.CREDIT, "1")).status_code == 200
    assert (await ask(simulated, billing.CREDIT, "2")).status_code == 422
    assert (await ask(simulated, billing.REVERSE, "3")).status_code == 200
    assert (await ask(simulated, billing.REVERSE, "4")).status_code == 422


async def advised(simulated: Simulator, key: str, **content: Any) -> tuple[list[str], bool]:
    """Return the cards of a consignment, and whether it is the last."""
    answer = (await ask(simulated, card_supplier.ADVISE, key, **content)).json()
    consignment = answer["consignment"]
    cards = [] if consignment is None else [card["iccid"] for card in consignment["cards"]]
    return cards, answer["complete"]


async def test_an_order_of_cards_is_shipped_box_by_box_with_numbers_of_its_own(
    tmp_path: Path,
) -> None:
    with Journal(tmp_path / "card-supplier.jsonl") as journal:
        simulated = simulator(card_supplier.PORT, journal)
        for number in ("1", "2"):
            placed = await ask(simulated, card_supplier.ORDER, number, order=f"O-{number}")
            assert placed.status_code == 200
        assert (await ask(simulated, card_supplier.ORDER, "3")).status_code == 422
        one = await advised(simulated, "4")
    with Journal(tmp_path / "card-supplier.jsonl") as journal:
        simulated = simulator(card_supplier.PORT, journal)
        two = await advised(simulated, "5", consignment=2)
        three = await advised(simulated, "6", consignment=3)
        other = await advised(simulated, "7", order="O-2")
        assert await advised(simulated, "4") == one
    assert [len(cards) for cards, _ in (one, two, three, other)] == [100, 100, 50, 100]
    assert [complete for _, complete in (one, two, three, other)] == [False, False, True, False]
    cards = [card for cards, _ in (one, two, three, other) for card in cards]
    assert len(set(cards)) == len(cards)


async def test_of_a_cancelled_order_of_cards_no_more_is_shipped() -> None:
    simulated = simulator(card_supplier.PORT)
    assert (await ask(simulated, card_supplier.CANCEL, "0")).status_code == 422
    assert (await ask(simulated, card_supplier.ADVISE, "0")).status_code == 422
    await ask(simulated, card_supplier.ORDER, "1")
    first = await advised(simulated, "2")
    assert (await ask(simulated, card_supplier.CANCEL, "3")).status_code == 200
    assert await advised(simulated, "4", consignment=2) == ([], True)
    assert await advised(simulated, "5", consignment=1) == (first[0], True)


async def test_a_refusal_is_not_kept() -> None:
    simulated = simulator(network.PORT)
    simulated.faults = Faults(refusal_rate=1)
    assert (await ask(simulated, network.SUSPEND)).status_code == 422
    simulated.faults = Faults()
    assert (await ask(simulated, network.SUSPEND)).status_code == 200
    simulated.faults = Faults(refusal_rate=1)
    assert (await ask(simulated, network.SUSPEND)).status_code == 200, "it was done"


@pytest.mark.parametrize(
    ("faults", "status", "done"),
    [
        ({"down": True}, 503, 0),
        ({"busy_rate": 1}, 429, 0),
        ({"error_rate": 1}, 500, 0),
        ({"lost_answer_rate": 1}, 500, 1),
        ({"latency_ms": 50}, 200, 1),
    ],
)
async def test_each_fault_does_what_it_says(faults: dict[str, Any], status: int, done: int) -> None:
    simulated = simulator(network.PORT)
    simulated.faults = Faults(retry_after=7, **faults)
    answer = await ask(simulated, network.SUSPEND)
    assert (answer.status_code, len(simulated.journal)) == (status, done)
    assert answer.headers.get("retry-after") == ("7" if status in (503, 429) else None)


async def test_every_other_hang_is_after_it_was_done() -> None:
    simulated = simulator(network.PORT)
    simulated.faults = Faults(hang_rate=1)
    for key, done in (("1", 0), ("2", 1), ("3", 1)):
        with pytest.raises(Waited):
            await ask(simulated, network.SUSPEND, key)
        assert len(simulated.journal) == done


async def test_a_port_that_forgets_its_keys_shows_in_its_own_list() -> None:
    simulated = simulator(network.PORT)
    transport = httpx.ASGITransport(app=simulated.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://port") as client:
        await ask(simulated, network.SUSPEND)
        await client.put("/faults", json={"forgets_keys": True})
        assert (await client.get("/faults")).json()["forgets_keys"] is True
        await ask(simulated, network.SUSPEND)
        listed = (await client.get("/calls")).json()
        wrong = await client.put("/faults", json={"error_rate": 2})
    assert listed["effects"] == {"key-1": 2}
    assert [call["outcome"] for call in listed["calls"]] == ["done", "done"]
    assert wrong.status_code == 422


async def test_what_was_done_is_listed_in_order_and_in_pages() -> None:
    simulated = simulator(network.PORT)
    for key in ("1", "2", "1", "3"):
        await ask(simulated, network.SUSPEND, key)
    transport = httpx.ASGITransport(app=simulated.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://port") as client:
        first = (await client.get("/effects", params={"limit": 2})).json()
        rest = (await client.get("/effects", params={"after": first["next"]})).json()
    listed = [*first["effects"], *rest["effects"]]
    assert [(each["number"], each["key"]) for each in listed] == [(1, "1"), (2, "2"), (3, "3")]
    assert [each["content"] for each in listed] == [{"msisdn": NUMBER}] * 3
    assert (first["next"], rest["next"]) == (2, None)


async def test_a_journal_that_was_cut_off_is_read_up_to_there(tmp_path: Path) -> None:
    file = tmp_path / "network.jsonl"
    with Journal(file) as journal:
        await ask(simulator(network.PORT, journal), network.SWITCH_SIM, "1")
    with file.open("ab") as handle:
        handle.write(b'{"key": "2", "opera')
    with Journal(file) as journal:
        again = simulator(network.PORT, journal)
        assert [entry.key for entry in journal] == ["1"]
        taken = await ask(again, network.SWITCH_SIM, "3", msisdn=OTHER)
        assert taken.json()["type"] == "urn:guanxi:simulator:card-in-use"
        await ask(again, network.SUSPEND, "4")
    with Journal(file) as journal:
        assert [entry.key for entry in journal] == ["1", "4"]


async def test_as_a_process_it_knows_its_keys_after_it_was_killed(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"

    async def start() -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.simulator.command", "network", "sms"),
            *("--port", str(port), "--data", str(tmp_path), "--attended"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )

    async def switch(client: httpx.AsyncClient) -> httpx.Response:
        while True:
            with contextlib.suppress(httpx.ConnectError):
                return await client.post(
                    "/network/sim-switches",
                    json=EXAMPLES["sim-switches"],
                    headers={"Idempotency-Key": "1"},
                )
            await asyncio.wait({asyncio.create_task(asyncio.Event().wait())}, timeout=0.05)

    process = await start()
    try:
        async with asyncio.timeout(PATIENCE), httpx.AsyncClient(base_url=url) as client:
            first = await switch(client)
            assert first.status_code == 200
            os.kill(process.pid, signal.SIGKILL)
            await process.wait()
            process = await start()
            assert (await switch(client)).content == first.content
            assert (await client.get("/network/calls")).json()["effects"] == {"1": 1}
            assert (await client.get("/sms/openapi.json")).json()["paths"]["/messages"]
            assert process.stdin is not None
            process.stdin.close()  # whoever started it is gone
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
