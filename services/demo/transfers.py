"""A customer of one province becomes one of another, with everything: refused while bills are unpaid, then done."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from services.demo.memory import Moved
from services.demo.people import Person
from services.demo.rest import Counter, Request, await_none, read
from services.demo.stage import Stage
from services.demo.telling import yuan
from services.demo.tills import Till, show_payment
from shared.commandline import CommandFailed
from shared.kernel.settings import HQ_CODE

PATH = "/transfers"
LIVE, LEFT = "live", "left"


@dataclass(frozen=True, slots=True)
class Move:
    """What became of a customer who moved.

    Attributes:
        refused: the first request, while bills were unpaid.
        payment: of those bills, at the new city's till.
        transfer: the second request.
        directory: what HQ says whose the customer is.
        ends: what the old and the new city say.
    """

    refused: Request
    payment: Request
    transfer: Request
    directory: dict[str, Any]
    ends: dict[str, dict[str, Any]]


async def move(stage: Stage, till: Till, person: Person) -> Move:
    """Let ``person`` move to the city of ``till``, paying there what is owed at home.

    Raises:
        CommandFailed: if anything ends otherwise than it should.
    """
    stage.memory.moving = [*stage.memory.moving, person.key]
    stage.memory.keep(stage.home)  # before it is asked: the next run finds out what became of it
    counter = Counter(till.client, PATH)
    refused = await counter.answered(await _ask(counter, person), "refused")
    if refused["refusal"]["code"] != "bills-unpaid":
        raise CommandFailed(f"The transfer {refused['id']} was refused for {refused['refusal']}.")
    payment = await till.credited(await till.take(person, await _owed(stage, person)))
    transfer = await counter.answered(await _ask(counter, person), "completed")
    directory = await _directory(stage, transfer)
    ends = {
        code: await _awaited(stage, code, transfer["customer_id"], state)
        for code, state in ((person.city, LEFT), (till.city, LIVE))
    }
    if (directory["owner"], directory["epoch"]) != (till.city, ends[till.city]["epoch"]):
        raise CommandFailed(f"HQ's directory does not say what {till.city} does: {directory}")
    await settle(stage, till.city)
    return Move(refused, payment, transfer, directory, ends)


async def _ask(counter: Counter, person: Person) -> Request:
    return await counter.ask(
        msisdn=person.msisdn,
        home=person.city,
        document_type="id_card",
        document_number=person.document_number,
        consent=f"转网登记表 {person.key[-5:]}",
    )


async def _owed(stage: Stage, person: Person) -> int:
    """Ask the home city what the customer's lines owe, as the customer would by telephone."""
    async with stage.client(person.city, "clerk") as home:
        found = await read(home, "/customers", msisdn=person.msisdn, fields="id")
        (customer,) = found["items"]
        accounts = await read(home, f"/customers/{customer['id']}/billing-accounts")
        return sum(int(account["owed_fen"]) for account in accounts["items"])


async def _directory(stage: Stage, transfer: Request) -> dict[str, Any]:
    async with stage.client(HQ_CODE, "analyst") as hq:
        found: dict[str, Any] = await read(hq, f"/ownership/{transfer['customer_id']}")
        return found


async def _awaited(stage: Stage, code: str, customer: str, state: str) -> dict[str, Any]:
    """Return what a customer is to a city, once that is ``state``.

    Raises:
        CommandFailed: if it does not become that in time.
    """
    async with stage.client(code, "clerk") as clerk:
        await await_none(clerk, "/service-requests", kind="transfer", open="true")
        found = await read(clerk, f"/customers/{customer}", fields="id", include="ownership")
        ownership: dict[str, Any] = found["ownership"]
    if ownership["state"] != state:
        raise CommandFailed(f"To {code} the customer {customer} is {ownership}, not {state}.")
    return ownership


async def settle(stage: Stage, city: str) -> None:
    """Note who has moved to ``city``, whatever an interrupted run knew of it.

    Raises:
        CommandFailed: if a transfer that is under way does not end.
    """
    if not stage.memory.moving:
        return
    async with stage.client(city, "clerk") as clerk:
        await await_none(clerk, "/service-requests", kind="transfer", role="visited", open="true")
        for person in [each for each in stage.people if each.key in stage.memory.moving]:
            found = await read(clerk, "/customers", msisdn=person.msisdn, fields="id")
            for customer in found["items"]:
                whole = await read(
                    clerk, f"/customers/{customer['id']}", fields="id", include="ownership"
                )
                on = date.fromisoformat(whole["ownership"]["came_on"])
                stage.memory.moved[person.key] = Moved(city=city, on=on)
    stage.memory.moving = []
    stage.memory.keep(stage.home)


def show(stage: Stage, moved: Move) -> None:
    """Tell of a move: refused, paid, done, and whose the customer is by all who have a word in it."""
    stage.show_request(moved.refused)
    show_payment(stage, moved.payment)
    stage.show_request(moved.transfer)
    stage.conclude(
        f"Paid {yuan(moved.payment['amount_fen'])} yuan, then moved. HQ's directory names {moved.directory['owner']} in epoch "
        f"{moved.directory['epoch']}; "
        + "; ".join(
            f"{code} says {end['state']}" + (f" to {end['other']}" if end["state"] == LEFT else "")
            for code, end in moved.ends.items()
        )
        + "."
    )
