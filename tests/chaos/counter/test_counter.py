"""The judgement of the counters finds what is broken, and nothing where nothing is."""

from dataclasses import replace

import pytest

from services.city_node.customer.identity import check_document
from tests.chaos.counter.checker import Books, Broken, Card, Ledger, Line, Payment, Request, judge
from tests.chaos.counter.people import CARDS, POINTS, people
from tests.chaos.counter.services import Served
from tests.chaos.schedule import CITIES

SOMEBODY, ANOTHER = [each for each in people() if each.city == "110100"][:2]
AT_HOME = Request(
    "110100", "r1", "card-replacement", "home", "completed", "110100", "440300", ended=True
)
VISITED = replace(AT_HOME, node="440300", role="visited")
SERVED = Served("card-replacement", "r1", "440300", SOMEBODY, "completed")
NEW = "898601100000000000001"
LINES = (
    Line("110100", "c1", "l1", SOMEBODY.msisdn, NEW, POINTS),
    Line("110100", "c2", "l2", ANOTHER.msisdn, ANOTHER.iccid, POINTS),
)
STOCK = tuple(
    Card(city, f"{city}-{number}", "in_stock")
    for city in CITIES
    for number in range(CARDS - (city == "440300"))
)
PAID = Payment("110100", "p1", "home", "credited", 500, is_reversed=False)
TAKEN = replace(PAID, node="440300", role="visited")
LEDGERS = (
    Ledger("110100", {"customers": -500, "110000": 500}, 0, 0),
    Ledger("110000", {"110100": -500, "000000": 500}, 0),
    Ledger("000000", {"110000": -500, "440000": 500}, 0),
    Ledger("440000", {"000000": -500, "440300": 500}, 0),
    Ledger("440300", {"440000": -500, "cash": 500}, 0, 500),
)
WELL = Books(
    requests=(AT_HOME, VISITED),
    cards=(*STOCK, Card("440300", NEW, "issued")),
    lines=LINES,
    payments=(PAID, TAKEN),
    credits=(("p1", 500),),
    ledgers=LEDGERS,
)


def broken(books: Books) -> Broken:
    return judge([SERVED], [SOMEBODY, ANOTHER], books)


def test_nothing_is_broken_where_all_is_well() -> None:
    assert broken(WELL) == Broken()


@pytest.mark.parametrize(
    ("books", "found"),
    [
        (replace(WELL, requests=(AT_HOME,)), Broken(requests_lost=1, requests_disputed=1)),
        (
            replace(WELL, requests=(AT_HOME, replace(VISITED, state="written", ended=False))),
            Broken(requests_open=1, requests_disputed=1),
        ),
        (replace(WELL, lines=LINES[:1]), Broken(owners_violated=1)),
        (
            replace(WELL, lines=(*LINES, replace(LINES[1], node="440100", iccid="x"))),
            Broken(owners_violated=1),
        ),
        (replace(WELL, lines=(LINES[0], replace(LINES[1], iccid=None))), Broken(sims_violated=1)),
        (replace(WELL, lines=(LINES[0], replace(LINES[1], iccid=NEW))), Broken(sims_violated=1)),
        (
            replace(WELL, cards=(*STOCK, Card("440300", NEW, "spoiled"))),
            Broken(sims_violated=1),
        ),
        (replace(WELL, cards=STOCK), Broken(sims_violated=1)),
        (
            replace(WELL, cards=(*STOCK[1:], replace(STOCK[0], state="reserved"), WELL.cards[-1])),
            Broken(sims_violated=1),
        ),
        (replace(WELL, directory={"c1": ("110100", 1)}), Broken()),
        (replace(WELL, directory={"c1": ("440300", 2)}), Broken(owners_violated=1)),
        (
            replace(WELL, lines=(LINES[0], replace(LINES[1], points=POINTS + 1))),
            Broken(points_violated=1),
        ),
        (
            replace(
                WELL, requests=(*WELL.requests, replace(AT_HOME, node="440100", state="refused"))
            ),
            Broken(),
        ),
        (
            replace(WELL, requests=(*WELL.requests, replace(AT_HOME, node="440100"))),
            Broken(requests_disputed=1),
        ),
        (
            replace(WELL, payments=(*WELL.payments, replace(PAID, node="440100", state="refused"))),
            Broken(),
        ),
        (
            replace(WELL, payments=(*WELL.payments, replace(PAID, node="440100"))),
            Broken(payments_violated=1),
        ),
        (replace(WELL, credits=()), Broken(payments_violated=1)),
        (replace(WELL, credits=(("p1", 500),) * 2), Broken(payments_violated=1)),
        (replace(WELL, credits=(("p1", 400),)), Broken(payments_violated=1)),
        (replace(WELL, credits=(("p1", 500), ("p2", 500))), Broken(payments_violated=1)),
        (
            replace(WELL, payments=(PAID, replace(TAKEN, state="taken"))),
            Broken(payments_violated=1),
        ),
        (
            replace(WELL, ledgers=(*LEDGERS[:4], replace(LEDGERS[4], till_fen=400))),
            Broken(clearing_difference_fen=100),
        ),
        (
            replace(WELL, ledgers=(*LEDGERS[:4], Ledger("440300", {"cash": 500}, 500, 500))),
            Broken(clearing_difference_fen=1500),
        ),
        (
            replace(WELL, payments=(replace(PAID, is_reversed=True), TAKEN)),
            Broken(clearing_difference_fen=500),
        ),
    ],
)
def test_what_is_broken_is_counted(books: Books, found: Broken) -> None:
    assert broken(books) == found


def test_everybody_is_somebody_else() -> None:
    everybody = list(people())
    assert len({each.msisdn for each in everybody}) == len(everybody)
    assert len({each.document for each in everybody}) == len(everybody)
    assert len({each.iccid for each in everybody}) == len(everybody)
    assert all(check_document("id_card", each.document) == each.document for each in everybody)
