"""Whom the clerks serve: customers of every city, known to them by number and document; and who works at the nodes."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text

from services.city_node.card_replacement import stock
from services.city_node.customer.identity import seal_document
from services.city_node.customer.models import Customer, Sim, Subscription
from services.city_node.loan_handset import service as loan_handset
from services.city_node.loan_handset.schemas import LoanHandsetIn
from shared.capability import NodeContext, Role
from shared.kernel.ids import new_id
from shared.kernel.tier import Tier
from shared.staff.service import add_staff_member
from tests.chaos.schedule import CITIES

PASSWORD = "correct-horse-battery"
PEOPLE = 240
"""Customers of each city."""
POINTS = 1_000
"""What each of them has."""
CARDS = 3000
"""Blank cards at each city: more than are ever written."""
HANDSETS = 200
"""Loan handsets at each city: more than are ever out or damaged."""
STAFF = {
    Tier.CITY: (Role.CLERK, Role.SUPERVISOR),
    Tier.PROVINCE: (Role.PROVINCE_COORDINATOR,),
    Tier.HQ: (Role.HQ_ANALYST,),
}
"""Who works at a node; each is called as the role."""
_GIVE_POINTS = text("""
    WITH account AS (
        INSERT INTO points_account (customer_id, opened_at) VALUES (:customer, now()) RETURNING id),
    balance AS (INSERT INTO points_balance (account_id, balance) SELECT id, :points FROM account),
    lot AS (
        INSERT INTO points_lot (account_id, expires_on, remaining)
        SELECT id, current_date + 700, :points FROM account)
    INSERT INTO points_entry (at, kind, debit_id, credit_id, points, expires_on, cause_id)
    SELECT now(), 'adjustment', 4, id, :points, current_date + 700, gen_random_uuid() FROM account""")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


@dataclass(frozen=True, slots=True)
class Person:
    """A customer as a clerk has them at the counter.

    Attributes:
        city: where they are at home in the beginning.
        msisdn: their number.
        document: what they show.
        iccid: their first card.
        imei: of their telephone.
        moves: whether they move from city to city; the others pay, and nobody moves whose account has money.
    """

    city: str
    msisdn: str
    document: str
    iccid: str
    imei: str
    moves: bool


def people() -> Iterator[Person]:
    """Give everybody: the same in every run."""
    for place, city in enumerate(CITIES):
        for number in range(PEOPLE):
            digits = f"{city}1980010{1 + number % 9}{place}{number % 100:02}"
            check = "10X98765432"[
                sum(int(d) * w for d, w in zip(digits, _WEIGHTS, strict=True)) % 11
            ]
            yield Person(
                city,
                f"19{place}{number:08}",
                digits + check,
                f"898600{place}{number:012}",
                imei_of(1, place, number),
                moves=number % 2 == 0,
            )


def imei_of(make: int, place: int, number: int) -> str:
    """Return a number of a telephone, with the check digit that fits."""
    digits = f"35{make}{place}{number:010}"
    doubled = (int(digit) * (1 + at % 2) for at, digit in enumerate(digits))
    return f"{digits}{-sum(value // 10 + value % 10 for value in doubled) % 10}"


def username_of(role: Role) -> str:
    """Return what somebody of that role signs in as."""
    return role.value.replace("_", "-")


async def settle(context: NodeContext, tier: Tier) -> None:
    """Put into a node that is prepared who works there and, at a city, who is at home there and its stocks."""
    code, now = context.settings.code, context.clock.now()
    async with context.database.transaction() as session:
        for role in STAFF[tier]:
            await add_staff_member(
                session,
                username=username_of(role),
                password=PASSWORD,
                role=role,
                unit_code=code,
                by="chaos",
                now=now,
                tier=tier,
            )
        if tier is not Tier.CITY:
            return
        for number, person in enumerate(each for each in people() if each.city == code):
            sealed = seal_document(context.cipher, "id_card", person.document)
            entry = now.date() - timedelta(days=400)
            customer = Customer(
                id=new_id(),
                customer_number=f"{code}9{number:07}",
                kind="individual",
                name="王芳",
                name_sort="wangfang 王芳",
                level=("diamond", "gold", "silver", "standard")[number % 4],
                document_type=sealed.type,
                document_cipher=sealed.cipher,
                document_index=sealed.index,
                document_masked=sealed.masked,
                unit_code=code,
                entry_date=entry,
                created_at=now,
                created_by="chaos",
                updated_at=now,
                updated_by="chaos",
            )
            line = Subscription(
                id=new_id(), customer_id=customer.id, msisdn=person.msisdn, entry_date=entry
            )
            sim = Sim(
                iccid=person.iccid,
                imsi=f"460{person.iccid[6]}{person.iccid[-11:]}",
                subscription_id=line.id,
                activated_at=now - timedelta(days=400),
            )
            for row in (customer, line, sim):
                session.add(row)
                await session.flush()
            await session.execute(_GIVE_POINTS, {"customer": customer.id, "points": POINTS})
        place = CITIES.index(code)
        cards = [(f"898601{place}{n:012}", f"461{place}{n:011}") for n in range(CARDS)]
        await stock.load(session, code, cards, unit_path="", now=now)
        handsets = [
            LoanHandsetIn(imei=imei_of(2, place, n), make="Huawei", model="Enjoy 70")
            for n in range(HANDSETS)
        ]
        await loan_handset.load(session, code, handsets, unit_path="", now=now)
