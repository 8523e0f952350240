"""A new card for a customer of another city."""

from uuid import UUID

from tests.chaos.counter.desk import Desk, Request, Served, Step, Steps, question
from tests.chaos.counter.people import Person

KIND = "card-replacement"


async def replace_card(desk: Desk, person: Person, key: UUID) -> list[Served]:
    """Give a new card; one in ten customers finds the old one meanwhile."""
    body = {**question(person), "reason": "lost"}
    request = desk.accept(KIND, await desk.clerk.post("/card-replacements", body, key))
    if request is None:
        return []
    request = await desk.follow(f"/card-replacements/{request['id']}", key, _steps(key))
    return [Served(KIND, request["state"])]


def _steps(key: UUID) -> Steps:
    def next_step(request: Request) -> Step | None:
        if request["state"] != "approved":
            return None
        return ("cancel", {"note": "found it"}) if key.int % 10 == 0 else ("write-card", None)

    return next_step
