"""Money for a line of another city, and some of it back."""

from uuid import UUID

from shared.kernel.ids import derived_id
from tests.chaos.counter.desk import NOBODY, Desk, Request, Served, Step
from tests.chaos.counter.people import Person

KIND, REVERSAL = "payment", "payment-reversal"


async def pay(desk: Desk, person: Person, key: UUID) -> list[Served]:
    """Take money: one payment in eight is for a number that nobody has, one in ten is taken back.

    Who moves takes all of it back, since nobody moves whose account has money. In one of four the clerk asks on two
    connections at once, under one key: it is one payment, with one receipt.
    """
    msisdn = NOBODY if key.int % 8 == 0 else person.msisdn
    body = {"msisdn": msisdn, "home": person.city, "amount_fen": 100 + key.int % 50_000}
    ask = desk.clerk.post_at_once if key.int % 4 == 1 else desk.clerk.post
    request = desk.accept(KIND, await ask("/payments", body, key))
    if request is None:
        await desk.open()  # a node that was restored from a backup may have forgotten that
        return []
    request = await desk.follow(f"/payments/{request['id']}", key, _hand_out)
    served = []
    if request["state"] == "credited" and (person.moves or key.int % 10 == 0):
        served = await _reverse(desk, request, key)
    return [*served, Served(KIND, request["state"])]


def _hand_out(request: Request) -> Step | None:
    return ("give-back", None) if request["state"] == "to_give_back" else None


async def _reverse(desk: Desk, payment: Request, key: UUID) -> list[Served]:
    asked = await desk.supervisor.post(
        f"/payments/{payment['id']}/reverse",
        {"reason": "wrong number"},
        derived_id(key, "reverse"),
    )
    request = desk.accept(REVERSAL, asked)
    if request is None:
        return []
    request = await desk.follow(
        f"/payment-reversals/{request['id']}", derived_id(key, "back"), _hand_out
    )
    return [Served(REVERSAL, request["state"])]
