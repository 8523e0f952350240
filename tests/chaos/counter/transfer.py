"""A customer of another city becomes one of the counter's."""

from uuid import UUID

from tests.chaos.counter.desk import Desk, Request, Served, Step, Steps, question
from tests.chaos.counter.people import Person

KIND = "transfer"
MOVED = Served(KIND, "completed")


async def transfer(desk: Desk, person: Person, key: UUID) -> list[Served]:
    """Take a customer over; one in ten changes their mind."""
    body = {**question(person), "consent": "signed at the counter"}
    request = desk.accept(KIND, await desk.clerk.post("/transfers", body, key))
    if request is None:
        return []
    request = await desk.follow(f"/transfers/{request['id']}", key, _steps(key))
    return [Served(KIND, request["state"])]


def _steps(key: UUID) -> Steps:
    def next_step(request: Request) -> Step | None:
        changes_mind = key.int % 10 == 0 and request["state"] in {"asked", "offered"}
        return ("cancel", {"note": "stays"}) if changes_mind else None

    return next_step
