"""The judgement of the counters finds what is broken, and nothing where nothing is."""

from dataclasses import replace

import pytest

from services.city_node.customer.identity import check_document, check_imei
from tests.chaos.counter.checker import Broken, judge
from tests.chaos.counter.desk import Accepted
from tests.chaos.counter.people import CARDS, HANDSETS, POINTS, people
from tests.chaos.counter.ports import keys_of
from tests.chaos.counter.records import (
    Books,
    Call,
    Card,
    Effect,
    Handset,
    Ledger,
    Line,
    Owned,
    Payment,
    Request,
    Told,
)
from tests.chaos.schedule import CITIES

SOMEBODY, ANOTHER = [each for each in people() if each.city == "110100"][:2]
REPLACED = "0198f2b4-6c1e-7d3a-9a44-1f0c5e7b2a11"
PAYMENT = "0198f2b4-6c1e-7d3a-9a44-1f0c5e7b2a12"
AT_HOME = Request(
    "110100", REPLACED, "card-replacement", "home", "completed", "110100", "440300", ended=True
)
VISITED = replace(AT_HOME, node="440300", role="visited")
MENDED = replace(AT_HOME, id="r2", kind="repair", home_fen=300)
MENDED_AWAY = replace(MENDED, node="440300", role="visited")
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
PAYING = tuple(
    replace(each, id=PAYMENT, kind="payment", state="credited") for each in (AT_HOME, VISITED)
)
BROKEN, *WHOLE = (
    Handset(city, f"h{city}-{n}", "in_stock") for city in CITIES for n in range(HANDSETS)
)
SWITCHED, NOTIFIED = keys_of(AT_HOME)
(PRINTED,) = keys_of(VISITED)
(BOOKED,), (RECEIVED,) = (tuple(keys_of(each)) for each in PAYING)
PAID = Payment("110100", PAYMENT, "home", "credited", 500, is_reversed=False)
TAKEN = replace(PAID, node="440300", role="visited")
LEDGERS = (
    Ledger("110100", {"customers": -500, "110000": 500}, 0, 0),
    Ledger("110000", {"110100": -500, "000000": 500}, 0),
    Ledger("000000", {"110000": -500, "440000": 500}, 0),
    Ledger("440000", {"000000": -500, "440300": 500}, 0),
    Ledger("440300", {"440000": -500, "cash": 500}, 0, 500),
)
TOLD = Told(
    accepted=(
        Accepted("card-replacement", REPLACED, "440300"),
        Accepted("repair", "r2", "440300"),
        Accepted("payment", PAYMENT, "440300"),
    ),
    handsets={BROKEN.id: "damaged", WHOLE[0].id: "in_stock"},
)
WELL = Books(
    requests=(AT_HOME, VISITED, MENDED, MENDED_AWAY, *PAYING),
    cards=(*STOCK, Card("440300", NEW, "issued")),
    lines=LINES,
    payments=(PAID, TAKEN),
    credits=((PAYMENT, 500),),
    ledgers=LEDGERS,
    handsets=(replace(BROKEN, state="damaged"), *WHOLE),
    calls=(
        Call("110100", SWITCHED, "done"),
        Call("110100", NOTIFIED, "done"),
        Call("440300", PRINTED, "done"),
        Call("110100", BOOKED, "done"),
        Call("440300", RECEIVED, "done"),
        Call("440100", "by line", "done", "transfer.move"),
    ),
    effects=(
        Effect(SWITCHED, SOMEBODY.msisdn, NEW),
        *(Effect(key) for key in (NOTIFIED, PRINTED, BOOKED, RECEIVED, "by line")),
    ),
)


def broken(books: Books, told: Told = TOLD) -> Broken:
    return judge(told, [SOMEBODY, ANOTHER], books)


def without(request: Request, *others: Request) -> Books:
    """Return the books with other records in the place of one."""
    return replace(WELL, requests=(*(each for each in WELL.requests if each != request), *others))


def test_nothing_is_broken_where_all_is_well() -> None:
    assert broken(WELL) == Broken()


@pytest.mark.parametrize(
    ("books", "found"),
    [
        (without(VISITED), Broken(requests_lost=1, requests_disputed=1, ports_violated=1)),
        (
            without(VISITED, replace(VISITED, state="written", ended=False)),
            Broken(requests_open=1, requests_disputed=1, ports_violated=1),
        ),
        (without(MENDED, replace(MENDED, home_fen=299)), Broken(requests_disputed=1)),
        (
            without(MENDED, replace(MENDED, state="confirmed", ended=False)),
            Broken(requests_open=1, requests_disputed=1),
        ),
        (replace(WELL, lines=LINES[:1]), Broken(owners_violated=1)),
        (
            replace(WELL, lines=(*LINES, replace(LINES[1], node="440100", iccid="x"))),
            Broken(owners_violated=1, ports_violated=1),
        ),
        (
            replace(WELL, lines=(LINES[0], replace(LINES[1], iccid=None))),
            Broken(sims_violated=1, ports_violated=1),
        ),
        (
            replace(WELL, lines=(LINES[0], replace(LINES[1], iccid=NEW))),
            Broken(sims_violated=1, ports_violated=1),
        ),
        (
            replace(WELL, cards=(*STOCK, Card("440300", NEW, "spoiled"))),
            Broken(sims_violated=1),
        ),
        (replace(WELL, cards=STOCK), Broken(sims_violated=1)),
        (
            replace(WELL, cards=(*STOCK[1:], replace(STOCK[0], state="reserved"), WELL.cards[-1])),
            Broken(sims_violated=1),
        ),
        (replace(WELL, directory={"c1": Owned("110100", 1, ())}), Broken()),
        (
            replace(WELL, directory={"c1": Owned("440300", 2, (("110100", "440300"),))}),
            Broken(owners_violated=1),
        ),
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
            Broken(requests_disputed=1, ports_violated=2),
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
        (replace(WELL, credits=((PAYMENT, 500),) * 2), Broken(payments_violated=1)),
        (replace(WELL, credits=((PAYMENT, 400),)), Broken(payments_violated=1)),
        (replace(WELL, credits=((PAYMENT, 500), ("p2", 500))), Broken(payments_violated=1)),
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


@pytest.mark.parametrize(
    ("books", "count"),
    [
        (replace(WELL, effects=(*WELL.effects, WELL.effects[1])), 1),
        (replace(WELL, effects=(*WELL.effects[:2], *WELL.effects[3:])), 1),
        (replace(WELL, effects=(*WELL.effects, Effect("nobody asked"))), 1),
        (replace(WELL, calls=(replace(WELL.calls[0], state="waiting"), *WELL.calls[1:])), 1),
        (replace(WELL, calls=(replace(WELL.calls[0], state="handed_over"), *WELL.calls[1:])), 1),
        (replace(WELL, calls=(*WELL.calls, Call("440300", "not at the port", "done"))), 1),
        (replace(WELL, effects=(Effect(SWITCHED, SOMEBODY.msisdn, "old"), *WELL.effects[1:])), 1),
        (replace(WELL, effects=(Effect(SWITCHED, ANOTHER.msisdn, NEW), *WELL.effects[1:])), 2),
    ],
    ids=[
        "twice",
        "not at all",
        "unasked",
        "waits",
        "refused",
        "imagined",
        "other card",
        "other line",
    ],
)
def test_what_is_not_outside_exactly_once_is_counted(books: Books, count: int) -> None:
    assert broken(books) == Broken(ports_violated=count)


def test_a_move_by_a_city_that_did_not_have_the_customer_is_counted() -> None:
    at_home = replace(LINES[0], epoch=3)
    moves = (("110100", "440300"), ("440300", "110100"))
    well = replace(WELL, lines=(at_home, LINES[1]), directory={"c1": Owned("110100", 3, moves)})
    assert broken(well) == Broken()

    twice = Owned("110100", 3, (("440100", "440300"), ("440100", "110100")))

    assert broken(replace(well, directory={"c1": twice})) == Broken(owners_violated=1)


def test_who_is_on_the_way_is_nobody_s_until_all_has_ended() -> None:
    frozen = replace(WELL, lines=(replace(LINES[0], is_live=False), LINES[1]))
    assert broken(frozen) == Broken(owners_violated=1)

    moving = Request("110100", "r3", "transfer", "home", "moving", "110100", "440300", ended=False)

    assert broken(replace(frozen, requests=(*WELL.requests, moving))) == Broken(requests_open=1)


@pytest.mark.parametrize(
    ("told", "books"),
    [
        (replace(TOLD, lent_twice=1), WELL),
        (replace(TOLD, handsets={}), WELL),
        (TOLD, replace(WELL, handsets=WELL.handsets[1:])),
        (TOLD, replace(WELL, handsets=(*WELL.handsets[:-1], replace(WHOLE[-1], state="lent")))),
    ],
    ids=["lent twice", "damaged by nobody", "lost", "still lent"],
)
def test_a_loan_handset_that_is_not_where_it_was_left_is_counted(told: Told, books: Books) -> None:
    assert broken(books, told) == Broken(handsets_violated=1)


def test_a_payment_that_nobody_has_a_receipt_for_is_counted() -> None:
    told = replace(TOLD, accepted=TOLD.accepted[:2])

    assert broken(WELL, told) == Broken(payments_violated=1)


def test_everybody_is_somebody_else() -> None:
    everybody = list(people())
    assert len({each.msisdn for each in everybody}) == len(everybody)
    assert len({each.document for each in everybody}) == len(everybody)
    assert len({each.iccid for each in everybody}) == len(everybody)
    assert len({check_imei(each.imei) for each in everybody}) == len(everybody)
    assert all(check_document("id_card", each.document) == each.document for each in everybody)
