"""Payments in the demo: taken at tills of other cities, credited at home, and counted when the day is over."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from services.demo.people import Person
from services.demo.rest import Counter, Request, content, post, read
from services.demo.stage import Stage
from services.demo.telling import table_of, yuan
from shared.commandline import CommandFailed

FLOAT_FEN = 50_000
"""What a cashier begins with."""


@dataclass(slots=True)
class Till:
    """A clerk's open shift, and what the demo knows to be in its drawer.

    Attributes:
        city: where it stands.
        client: the clerk's, signed in.
        shift: its id.
        drawer_fen: what was counted into it and taken since.
    """

    city: str
    client: httpx.AsyncClient
    shift: str
    drawer_fen: int

    @property
    def counter(self) -> Counter:
        """Where payments are taken."""
        return Counter(self.client, "/payments")

    async def take(self, person: Person, amount_fen: int) -> Request:
        """Take money for the line of ``person``; the payment waits for the home city then."""
        taken = await self.counter.ask(
            msisdn=person.msisdn, home=person.city, amount_fen=amount_fen
        )
        self.drawer_fen += amount_fen
        return taken

    async def credited(self, taken: Request) -> Request:
        """Return the payment once the home city has credited it, and the receipt says so too.

        Raises:
            CommandFailed: if it is refused, or the receipt says anything else.
        """
        payment = await self.counter.answered(taken, "credited")
        receipt = await read(self.client, f"/receipts/{payment['receipt_number']}")
        if (receipt["state"], receipt["amount_fen"]) != ("credited", taken["amount_fen"]):
            raise CommandFailed(
                f"The receipt {receipt['number']} does not verify the payment {taken['id']}: {receipt}"
            )
        return payment

    async def cash_up(self) -> dict[str, Any]:
        """Count the drawer and end the shift; returns the shift.

        Raises:
            CommandFailed: if the node expects anything else to be in the drawer.
        """
        path = f"/tills/shifts/{self.shift}"
        version = (await self.client.get(path)).headers["ETag"]
        counted = {"counted_fen": self.drawer_fen}
        shift: dict[str, Any] = content(
            await self.client.post(f"{path}/cash-up", json=counted, headers={"If-Match": version})
        )
        if shift["difference_fen"] or shift["state"] != "closed":
            raise CommandFailed(
                f"The drawer of {self.city} holds {yuan(self.drawer_fen)} yuan, and the shift says {shift}."
            )
        return shift


async def open_till(city: str, clerk: httpx.AsyncClient) -> Till:
    """Let a clerk begin to work at a till, or go on with the shift that an interrupted run left open."""
    left = await read(clerk, "/tills/shifts", state="open", cashier="clerk")
    if left["items"]:
        shift = left["items"][0]
    else:
        shift = await post(clerk, "/tills/shifts", {"float_fen": FLOAT_FEN})
    return Till(city, clerk, shift["id"], shift["expected_fen"])


def show(stage: Stage, shifts: Sequence[tuple[Till, dict[str, Any]]]) -> None:
    """Tell of the shifts that were cashed up."""
    table = table_of("till", "float", "taken", "expected", "counted", "difference")
    for till, shift in shifts:
        names = ("float_fen", "taken_fen", "expected_fen", "counted_fen", "difference_fen")
        table.add_row(stage.node(till.city).name, *(yuan(shift[name]) for name in names))
    stage.console.print(table)


def show_payment(stage: Stage, payment: Request) -> None:
    """Tell of a payment."""
    stage.show_request(payment)
    stage.say(
        f"  {yuan(payment['amount_fen'])} yuan; the receipt {payment['receipt_number']} verifies it."
    )
