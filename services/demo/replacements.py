"""Card replacements between two provinces, and what systems outside were asked for one."""

import httpx

from services.demo.outside import Called, Outside, counted, told
from services.demo.people import Person, blank_cards
from services.demo.rest import Counter, Request, await_line, post
from services.demo.stage import Stage
from services.demo.telling import local

PATH = "/card-replacements"
FOUND = "The customer found the old card. 客户已找到原卡。"
"""Why the clerk gives a request up."""
CARDS = 10
"""Blank cards in a box."""
TOLD = ("network", "sms", "receipt-printer")
"""The systems outside that hear of a replacement."""


async def replace(clerk: httpx.AsyncClient, person: Person) -> Request:
    """Give ``person`` a new card, with the own document shown; returns the request with its trail.

    Raises:
        CommandFailed: if it does not end well.
    """
    counter = Counter(clerk, PATH)
    asked = await counter.ask(**_question(person, person.document_number))
    approved = await counter.answered(asked, "approved")
    written = await counter.step(approved, "write-card")
    return await counter.answered(written, "completed")


async def try_with_foreign_document(
    clerk: httpx.AsyncClient, person: Person, document_number: str
) -> Request:
    """Ask for a card for ``person`` with somebody else's document; returns the refused request with its trail.

    Raises:
        CommandFailed: if it is not refused.
    """
    counter = Counter(clerk, PATH)
    asked = await counter.ask(**_question(person, document_number))
    return await counter.answered(asked, "refused")


async def ask_and_cancel(clerk: httpx.AsyncClient, person: Person) -> Request:
    """Ask for a card for ``person``, who then does not wait; returns the cancelled request with its trail.

    Raises:
        CommandFailed: if it cannot be cancelled.
    """
    counter = Counter(clerk, PATH)
    asked = await counter.ask(**_question(person, person.document_number))
    cancelled = await counter.step(asked, "cancel", note=FOUND)
    return await counter.answered(cancelled, "cancelled")


def _question(person: Person, document_number: str) -> dict[str, str]:
    return {
        "msisdn": person.msisdn,
        "home": person.city,
        "document_type": "id_card",
        "document_number": document_number,
        "reason": "lost",
    }


async def load_cards(supervisor: httpx.AsyncClient, box: int) -> None:
    """Put a box of blank cards into a city's stock; one that was loaded before changes nothing.

    Args:
        supervisor: signed in at the city.
        box: which box.
    """
    await post(supervisor, "/sim-cards", {"cards": blank_cards(box * CARDS, CARDS)})


async def await_outside(stage: Stage, outside: Outside, request: Request) -> list[Called]:
    """Let the network answer again, wait until both trails say that all is done, and return what was asked."""
    await outside.await_called("network", "done, not answered")
    await outside.lose_answers("network", lost=False)
    for code, event in (
        (request["home"], "customer-told"),
        (request["visited"], "receipt-printed"),
    ):
        async with stage.client(code, "clerk") as clerk:
            line = await await_line(clerk, request["id"], event)
        stage.say(f"  {local(line['at'])}  {code}  {line['note']['en']} {line['note']['zh']}")
    called = await outside.told_of(*TOLD)
    for sentence in told(called):
        stage.say(sentence)
    stage.conclude(counted(called))
    return called
