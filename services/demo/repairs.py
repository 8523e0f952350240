"""A repair in another province: asked, estimated and agreed, a handset lent meanwhile, repaired, and handed back."""

import httpx

from services.demo.people import Person, imei
from services.demo.rest import Counter, Request, post
from services.demo.stage import Stage
from services.demo.telling import yuan

PATH = "/repairs"
HANDSET = {"make": "Huawei", "model": "Mate 60"}
LENT = {"make": "Huawei", "model": "Enjoy 70"}
COST = {
    "parts": [{"code": "LCD-M60", "name": "屏幕总成", "quantity": 1, "unit_fen": 68_000}],
    "labour_fen": 5_000,
}


async def load_handset(supervisor: httpx.AsyncClient, number: int) -> None:
    """Put a handset into a city's stock of those that it lends; one that it has already is left as it is."""
    body = {"handsets": [{"imei": imei(lent=True, number=number), **LENT}]}
    await post(supervisor, "/loan-handsets", body)


async def repair(clerk: httpx.AsyncClient, person: Person) -> Request:
    """Repair the handset of ``person``; returns the request with its trail.

    Raises:
        CommandFailed: if it does not end well.
    """
    counter = Counter(clerk, PATH)
    asked = await counter.ask(
        msisdn=person.msisdn,
        home=person.city,
        document_type="id_card",
        document_number=person.document_number,
        imei=imei(lent=False, number=int(person.cells["rownames"])),
        fault="屏幕碎裂，触摸失灵",
        **HANDSET,
    )
    confirmed = await counter.answered(asked, "confirmed")
    estimated = await counter.step(confirmed, "estimates", **COST)
    shown = estimated["estimates"][-1]["number"]
    agreed = await counter.step(estimated, "agree", estimate=shown)
    lent = await counter.step(agreed, "loan", handset_id=None)
    repaired = await counter.step(lent, "repaired", result="fixed")
    back = await counter.step(repaired, "loan/end", ending="returned")
    returned = await counter.step(back, "return", receipt=f"SZ-{person.key[-5:]}")
    completed = await counter.answered(returned, "completed")
    return await counter.step(completed, "satisfaction", score=5, comment="修得很快")


def show(stage: Stage, request: Request) -> None:
    """Tell of a repair: who bears what, what was lent, and what the customer says."""
    stage.show_request(request)
    outcome, (loan,) = request["outcome"], request["loans"]
    stage.conclude(
        f"It cost {yuan(outcome['total_fen'])} yuan: {request['home']} bears {yuan(outcome['home_fen'])}, the customer "
        f"{yuan(outcome['customer_fen'])}, as agreed. A handset was lent against {yuan(loan['deposit_fen'])} yuan, of which "
        f"{yuan(loan['refunded_fen'])} were given back. The customer says {request['satisfaction']['score']} of 5."
    )
