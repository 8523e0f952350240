"""One customer at a time, with everything it holds, as rows of the tables."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID

from services.city_node.customer.identity import seal_contact, seal_document
from services.city_node.customer.models import (
    ChangeAction,
    ChangeSource,
    CustomerKind,
    DocumentType,
    Library,
    MediumKind,
    Sex,
    SimState,
    SubscriptionStatus,
)
from services.city_node.customer.naming import name_sort
from services.city_node.customer.repository import NUMBER_DIGITS
from services.city_node.generator import behaviour, numbers
from services.city_node.generator.names import company_name, person_name
from services.city_node.generator.tables import Rows
from services.city_node.interaction.models import Channel, InteractionKind
from shared.kernel.clock import BUSINESS_ZONE
from shared.kernel.encryption import Cipher

SOURCE = "generated"
GROUPS = 0.04
MORE_LINES = {False: 0.29, True: 0.76}
"""The chance of one line more, of individuals and of groups: one and a half lines to a customer."""
MOST_LINES = 60
MEAN_TENURE_DAYS, LONGEST_TENURE_DAYS = 1700, 7000
WITH_EMAIL = 0.35
PAID_LATE = 0.7
DAYS_IN_MONTH = 28
FIRST_MOMENT = 1_700_000_000_000
"""Where the times in ids begin, so that ids do not depend on when they are made."""
_CONTRACTS = ("none", "monthly", "monthly", "one_year", "two_year")
_PAYMENT_METHODS = ("bank_transfer", "direct_debit", "mobile_wallet", "mobile_wallet", "cash")
_COMPETITORS = ("中国电信", "中国联通", "中国广电")
_BRANDS = ("全球通", "全球通", "动感地带", "神州行")
_HANDSETS = (
    "Huawei Mate 60",
    "Huawei P60",
    "Xiaomi 14",
    "OPPO Find X7",
    "vivo X100",
    "Apple iPhone 15",
)
_PLANS = ((8_000, "58"), (13_000, "98"), (20_000, "158"), (35_000, "238"), (80_000, "398"))
_TOP_PLAN = "598"
_SIZES = (("micro", 9), ("small", 90), ("medium", 280), ("large", 2600))
_ROLES = (("总经理", "decider"), ("信息中心主任", "influencer"), ("采购经理", "buyer"))
_INQUIRIES = ("话费查询", "套餐咨询", "国际漫游", "积分查询", "发票")
_COMPLAINTS = ("资费争议", "网络质量", "服务态度", "信号覆盖")
_CREATION = '[{"field": "source", "old": null, "new": "generated"}]'


@dataclass(frozen=True, slots=True)
class City:
    """What every customer of a run has in common.

    Attributes:
        seed: of what is drawn.
        node: the node's division code.
        place: its name, as companies bear it.
        units: codes of the units that look after customers.
        months: first days of the months with bills, in order.
        cipher: the node's keys.
        now: when the run began.
        by: who makes it.
    """

    seed: int
    node: str
    place: str
    units: Sequence[str]
    months: Sequence[date]
    cipher: Cipher
    now: datetime
    by: str

    @property
    def end(self) -> date:
        """The day after the last month."""
        return (self.months[-1] + timedelta(days=31)).replace(day=1)


class Batch:
    """Draws customers from a random source of its own into rows.

    Args:
        city: what all have in common.
        rows: where the rows go.
        first: running number of the first customer of the batch.
        first_line: running number of its first line.
    """

    def __init__(self, city: City, rows: Rows, first: int, first_line: int) -> None:
        self._city = city
        self._rows = rows
        self._chance = random.Random(f"{city.seed}:{first}")  # noqa: S311 - to be repeated
        self._running = first
        self._line = first_line
        self._made = 0
        self._end, self._today = city.end, city.now.astimezone(BUSINESS_ZONE).date()

    @property
    def next_line(self) -> int:
        """Running number of the next line."""
        return self._line

    def _id(self) -> UUID:
        self._made += 1
        return numbers.ordered_id(FIRST_MOMENT + self._running, self._chance.getrandbits(74))

    def add(self, customer_number: int) -> None:
        """Draw the next customer."""
        city, chance = self._city, self._chance
        group = chance.random() < GROUPS
        customer = self._id()
        entry = self._end - timedelta(
            days=min(1 + int(chance.expovariate(1 / MEAN_TENURE_DAYS)), LONGEST_TENURE_DAYS)
        )
        contract = chance.choice(_CONTRACTS)
        lines = 1
        while lines < MOST_LINES and chance.random() < MORE_LINES[group]:
            lines += 1
        bases = behaviour.base_charges(chance, lines, group=group)
        billed = [month for month in city.months if month >= entry.replace(day=1)]
        course = behaviour.live(chance, bases, contract, billed)
        if course.left_on is not None and course.left_on < entry:
            course.left_on = entry
        industry = self._customer(customer, customer_number, course, entry, contract, group=group)
        for base in bases:
            self._subscribe(customer, base, contract, entry, course.left_on)
        self._bill(customer, course, lines)
        self._talk(customer, course, entry)
        if group:
            self._organise(customer, entry, course.billed_fen, industry)
        self._running += 1

    def _customer(
        self,
        customer: UUID,
        customer_number: int,
        course: behaviour.Course,
        entry: date,
        contract: str,
        *,
        group: bool,
    ) -> str:
        city, chance, number = self._city, self._chance, self._running
        industry = ""
        if group:
            name, industry = company_name(chance, city.place)
            sex, born = Sex.UNKNOWN.value, None
            kind, document = DocumentType.BUSINESS_LICENCE.value, numbers.credit_code(number)
        else:
            male = chance.random() < 0.56  # noqa: PLR2004 - more lines are in men's names
            name = person_name(chance, male=male)
            sex = Sex.MALE.value if male else Sex.FEMALE.value
            born = entry - timedelta(days=6600 + int(15_000 * chance.betavariate(1.6, 2.4)))
            kind, document = DocumentType.ID_CARD.value, numbers.id_card(number, born, male=male)
        sealed = seal_document(city.cipher, kind, document)
        left, reason = course.left_on, course.left_reason
        to = chance.choice(_COMPETITORS) if reason in {"price", "service"} else None
        billed = course.billed_fen
        self._rows["customer"].append(
            (
                *(customer, f"{city.node}{customer_number:0{NUMBER_DIGITS}d}"),
                (CustomerKind.GROUP if group else CustomerKind.INDIVIDUAL).value,
                (Library.RETAINED if left else Library.IN_NETWORK).value,
                *(name, name_sort(name, person=not group), sex, born),
                *(sealed.type, sealed.cipher, sealed.index, sealed.masked),
                behaviour.level_of(billed / max(len(course.months), 1)),
                *(chance.choice(city.units), None, contract, chance.choice(_PAYMENT_METHODS)),
                *(sum(course.months[-1].charges) if course.months else 0, billed, entry),
                *(left, reason, to, SOURCE, f"{city.seed}-{number}"),
                *(city.now, city.by, city.now, city.by),
            )
        )
        change = (ChangeSource.COMMAND.value, ChangeAction.CREATED.value, _CREATION)
        self._rows["customer_change"].append((customer, city.now, city.by, *change))
        phone = numbers.msisdn(self._line)
        self._reach(customer, MediumKind.PHONE, phone, preferred=True)
        if chance.random() < WITH_EMAIL:
            self._reach(customer, MediumKind.EMAIL, f"c{number}@example.com", preferred=False)
        return industry

    def _reach(self, customer: UUID, kind: MediumKind, value: str, *, preferred: bool) -> None:
        sealed = seal_contact(self._city.cipher, kind, value)
        self._rows["contact_medium"].append(
            (
                *(self._id(), customer, kind.value),
                *(sealed.cipher, sealed.index, sealed.masked, preferred),
            )
        )

    def _subscribe(
        self, customer: UUID, base: float, contract: str, entry: date, left: date | None
    ) -> None:
        chance, line = self._chance, self._id()
        plan = next((plan for most, plan in _PLANS if base <= most), _TOP_PLAN)
        status = SubscriptionStatus.ENDED if left else SubscriptionStatus.ACTIVE
        self._rows["subscription"].append(
            (
                *(line, customer, numbers.msisdn(self._line), chance.choice(_BRANDS), plan),
                *(contract, status.value, entry, left, chance.choice(_HANDSETS)),
            )
        )
        self._rows["sim"].append(
            (
                *(numbers.iccid(self._line), numbers.imsi(self._line)),
                *((SimState.ENDED if left else SimState.ACTIVE).value, line),
                datetime.combine(entry, time(10), BUSINESS_ZONE),
                datetime.combine(left, time(18), BUSINESS_ZONE) if left else None,
            )
        )
        self._line += 1

    def _bill(self, customer: UUID, course: behaviour.Course, lines: int) -> None:
        add, ids = (
            self._rows["bill"].append,
            [row[0] for row in self._rows["subscription"][-lines:]],
        )
        for month in course.months:
            paid = self._paid_on(month)
            for line, charge in zip(ids, month.charges, strict=True):
                add((line, customer, month.first, charge, paid))

    def _paid_on(self, month: behaviour.Month) -> date | None:
        random_ = self._chance.random
        if not month.unpaid:
            after = 32 + int(random_() ** 2 * DAYS_IN_MONTH)
        elif random_() < PAID_LATE:
            after = 95 + int(random_() * 60)
        else:
            return None
        paid = month.first + timedelta(days=after)
        return paid if paid <= self._today else None

    def _talk(self, customer: UUID, course: behaviour.Course, entry: date) -> None:
        for month in course.months:
            if month.complained:
                self._speak(customer, month.first, InteractionKind.COMPLAINT, _COMPLAINTS, entry)
            if month.inquired:
                self._speak(customer, month.first, InteractionKind.INQUIRY, _INQUIRIES, entry)

    def _speak(
        self,
        customer: UUID,
        month: date,
        kind: InteractionKind,
        subjects: Sequence[str],
        entry: date,
    ) -> None:
        chance = self._chance
        day = max(month + timedelta(days=chance.randrange(DAYS_IN_MONTH)), entry)
        at = datetime.combine(
            day, time(8 + chance.randrange(13), chance.randrange(60)), BUSINESS_ZONE
        )
        channel = chance.choice(
            (Channel.CALL_CENTRE, Channel.CALL_CENTRE, Channel.HALL, Channel.WEB)
        )
        key = f"{self._city.seed}-{self._running}-{month:%Y%m}-{kind}"
        self._rows["interaction"].append(
            (
                *(self._id(), customer, at, channel.value, kind.value, chance.choice(subjects)),
                SOURCE,
                key,
            )
        )

    def _organise(self, customer: UUID, entry: date, billed_fen: int, industry: str) -> None:
        chance = self._chance
        size, most = _SIZES[min(int(chance.expovariate(1.1)), len(_SIZES) - 1)]
        employees = 1 + int(most * chance.random())
        self._rows["enterprise"].append(
            (customer, industry, size, employees, employees * chance.randrange(8, 60) * 1_000_000)
        )
        for order, (title, role) in enumerate(_ROLES[: 1 + chance.randrange(len(_ROLES))], 1):
            phone = f"1270{chance.randrange(10**7):07d}"
            sealed = seal_contact(self._city.cipher, MediumKind.PHONE, phone)
            self._rows["key_person"].append(
                (
                    *(self._id(), customer, person_name(chance, male=chance.random() < 0.6), title),  # noqa: PLR2004
                    *(role, order, 1 + chance.randrange(5)),
                    *(sealed.cipher, sealed.index, sealed.masked),
                )
            )
        starts = max(entry, self._end - timedelta(days=chance.randrange(1, 700)))
        self._rows["agreement"].append(
            (
                *(self._id(), customer, f"G{self._running:08d}", "service", "通信服务协议"),
                *(starts, starts + timedelta(days=365 * (1 + chance.randrange(3)))),
                *(billed_fen % 2 == 0, 12),
            )
        )
