"""A city's link to its province is cut: it goes on, and what is addressed outside arrives later, once."""

import asyncio
from dataclasses import dataclass
from typing import Any

import httpx

from services.demo.cable import Cable
from services.demo.people import Person
from services.demo.replacements import ask_and_cancel
from services.demo.rest import ANSWER_SECONDS, Request, ended_or, read
from services.demo.stage import Stage
from services.demo.telling import yuan
from services.demo.tills import Till
from shared.commandline import CommandFailed

AMOUNT_FEN = 8_000
PAUSE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Outage:
    """What was done while the link was cut, and what came of it.

    Attributes:
        failure: what the city's node says of the link while it is cut.
        waiting: the payment while the link was cut.
        payment: the same, credited after it was mended.
        credits: how often the line was credited with it, by its home city.
        cancelled: a card replacement that was given up while its question waited.
        heard: what the home city had of that after the link was mended.
    """

    failure: str
    waiting: Request
    payment: Request
    credits: int
    cancelled: Request
    heard: Request

    def facts(self) -> dict[str, Any]:
        """Return what a program wants to know of the payment."""
        return {
            "id": self.payment["id"],
            "while_cut": self.waiting["state"],
            "mended": self.payment["state"],
            "credits": self.credits,
        }


async def interrupt(
    stage: Stage, cable: Cable, till: Till, payer_for: Person, loses_card: Person
) -> Outage:
    """Cut the link of the city of ``till``, take money and give up a request meanwhile, and mend it.

    Args:
        stage: what runs.
        cable: the link.
        till: of the city behind it.
        payer_for: whose line is paid for.
        loses_card: who asks for a card, and does not wait.

    Raises:
        CommandFailed: if anything ends otherwise than it should.
    """
    await cable.cut()
    try:
        failure = await _failure(till.client)
        waiting = await till.take(payer_for, AMOUNT_FEN)
        cancelled = await ask_and_cancel(till.client, loses_card)
        for person, request in ((payer_for, waiting), (loses_card, cancelled)):
            async with stage.client(person.city, "clerk") as home:
                await _unheard(home, request)
    finally:
        await cable.mend()
    payment = await till.credited(waiting)
    async with stage.client(loses_card.city, "clerk") as home:
        heard = await ended_or(home, f"/service-requests/{cancelled['id']}", "cancelled")
    if heard["state"] != "cancelled":
        raise CommandFailed(
            f"The card replacement {heard['id']} is {heard['state']} at {heard['home']}, not cancelled."
        )
    credits_ = await _credits(stage, payer_for, payment)
    return Outage(failure, waiting, payment, credits_, cancelled, heard)


async def _failure(city: httpx.AsyncClient) -> str:
    """Return what a city's node says of its link, once it has noticed that it is cut.

    Raises:
        CommandFailed: if it notices nothing.
    """
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            while True:
                health = (await city.get("/health/ready")).json()
                parent = health["checks"]["parent"]
                if parent["status"] == "down":
                    return str(parent["last_error"])
                await asyncio.sleep(PAUSE_SECONDS)
    except TimeoutError:
        raise CommandFailed(f"{city.base_url} does not notice that its link is cut.") from None


async def _unheard(home: httpx.AsyncClient, request: Request) -> None:
    answer = await home.get(f"/service-requests/{request['id']}")
    if answer.status_code != httpx.codes.NOT_FOUND:
        raise CommandFailed(
            f"{home.base_url} knows {request['id']} though the link is cut: {answer.text}"
        )


async def _credits(stage: Stage, person: Person, payment: Request) -> int:
    """Return how often the home city has credited the line of ``person`` with a payment.

    Raises:
        CommandFailed: unless it is once.
    """
    async with stage.client(person.city, "clerk") as home:
        found = await read(home, "/customers", msisdn=person.msisdn, fields="id")
        customer = f"/customers/{found['items'][0]['id']}"
        accounts = await read(home, f"{customer}/billing-accounts")
        causes = [
            entry["cause_id"]
            for account in accounts["items"]
            for entry in (
                await read(
                    home,
                    f"{customer}/subscriptions/{account['subscription_id']}/billing-account/entries",
                )
            )["items"]
            if entry["kind"] == "credited"
        ]
    times = causes.count(payment["id"])
    if times != 1:
        raise CommandFailed(
            f"{person.city} has credited the payment {payment['id']} {times} times."
        )
    return times


def show(stage: Stage, outage: Outage) -> None:
    """Tell of the outage."""
    stage.say(f"{outage.payment['visited']} says of its province: {outage.failure}")
    stage.show_request(outage.cancelled)
    stage.show_request(outage.payment, whole=True)
    stage.conclude(
        f"While the link was cut the payment of {yuan(outage.waiting['amount_fen'])} yuan was {outage.waiting['state']} and waited; "
        f"mended, {outage.payment['home']} has credited it {outage.credits} time. "
        f"The card replacement given up meanwhile is {outage.heard['state']} at {outage.heard['home']} too."
    )
