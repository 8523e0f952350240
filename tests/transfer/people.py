"""Customers with something of everything that a record can hold, drawn by chance."""

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from services.city_node.customer.identity import id_card_check, seal_contact, seal_document
from services.city_node.points import ledger
from shared.kernel.database import driver_connection
from shared.kernel.ids import new_id
from tests.transfer.nation import Place

MADE = datetime(2021, 3, 1, 1, 2, 3, 456789, tzinfo=UTC)
TODAY = date(2026, 11, 23)


def id_card(running: int) -> str:
    """Return a number of an identity card that nobody has."""
    head = f"110105199001{1 + running % 28:02d}{running:03d}"
    return head + id_card_check(head)


def msisdn(running: int) -> str:
    """Return a mobile number."""
    return f"138{running:08d}"


async def insert(connection: asyncpg.Connection, table: str, **row: Any) -> None:
    """Insert a row, given as JSON has it."""
    names = ", ".join(row)
    given = orjson.dumps(
        {
            name: f"\\x{value.hex()}" if isinstance(value, bytes) else value
            for name, value in row.items()
        }
    ).decode()
    await connection.execute(
        f"INSERT INTO {table} ({names}) SELECT {names} FROM jsonb_populate_record(NULL::{table}, $1::text::jsonb)",  # noqa: S608
        given,
    )


async def settle(
    city: Place, seed: int = 0, *, running: int = 1, name: str = "王芳", rich: bool = False
) -> UUID:
    """Give a city a customer with a line, a SIM, points and a history; a rich one with everything."""
    async with city.transaction() as session:
        connection = await driver_connection(session)
        customer = await _profile(connection, city, running, name)
        chance = random.Random(seed)  # noqa: S311 - a draw that can be repeated
        await _lines(connection, chance, customer, running, rich=rich)
        await _points(connection, chance, customer)
        await _history(connection, chance, customer, rich=rich)
        if rich:
            for add in (_media, _holdings, _dealings, _results):
                await add(connection, chance, customer, city)
        await connection.execute("DELETE FROM points_due")
    return customer


async def _profile(connection: asyncpg.Connection, city: Place, running: int, name: str) -> UUID:
    customer = new_id()
    sealed = seal_document(city.context.cipher, "id_card", id_card(running))
    await insert(
        connection, "customer", id=customer, customer_number=f"{city.code}{running:08d}", kind="individual",
        library="in_network", name=name, name_sort=f"x {name}", sex="female", birth_date="1990-01-02",
        document_type=sealed.type, document_cipher=sealed.cipher, document_index=sealed.index,
        document_masked=sealed.masked, level="gold", unit_code=city.hall, contract_term="none",
        monthly_charge_fen=12345, total_charge_fen=99999, entry_date="2021-03-01", attributes={"vip": [1, "二"]},
        source="billing", source_key=f"k{running}", version=3, created_at=MADE, created_by="made",
        updated_at=MADE, updated_by="changed", manager_id=new_id(),
    )  # fmt: skip
    return customer


async def _lines(
    connection: asyncpg.Connection,
    chance: random.Random,
    customer: UUID,
    running: int,
    *,
    rich: bool,
) -> None:
    for nth in range(chance.randint(1, 3) if rich else 1):
        line, ended = new_id(), nth == 2
        await insert(
            connection, "subscription", id=line, customer_id=customer, msisdn=msisdn(running * 10 + nth), brand="全球通",
            plan="98", contract_term="none", status="ended" if ended else "active", entry_date="2021-03-01",
            ended_on="2024-01-01" if ended else None, handset="P60", imei=None,
        )  # fmt: skip
        for card in range(2 if rich else 1):
            state = "ended" if ended else "replaced" if card else "active"
            await insert(
                connection, "sim", iccid=f"898600{running:08d}{nth:02d}{card:03d}", imsi=f"4600{running:07d}{nth:02d}{card:02d}",
                state=state, subscription_id=line, activated_at=MADE,
                ended_at=None if state == "active" else MADE + timedelta(days=9),
            )  # fmt: skip
        for month in range(1, chance.randint(2, 9) if rich else 3):
            await insert(
                connection, "bill", subscription_id=line, customer_id=customer, period=f"2026-{month:02d}-01",
                charge_fen=chance.randrange(1, 90_000), paid_on=f"2026-{month + 1:02d}-11", import_number=None,
            )  # fmt: skip
            if rich:
                await insert(
                    connection, "usage_month", subscription_id=line, customer_id=customer, quantity=chance.randrange(99),
                    charge_fen=1, period=f"2026-{month:02d}-01", kind="voice_local", band="day",
                )  # fmt: skip


async def _points(connection: asyncpg.Connection, chance: random.Random, customer: UUID) -> None:
    await ledger.open_account(connection, customer, at=MADE)
    account = await connection.fetchval(
        "SELECT id FROM points_account WHERE customer_id = $1", customer
    )
    for year in range(chance.randint(1, 3)):
        await ledger.give(
            connection, account, chance.randrange(1, 9999), expires_on=date(2027 + year, 1, 1), cause_id=new_id(), at=MADE
        )  # fmt: skip


async def _history(
    connection: asyncpg.Connection, chance: random.Random, customer: UUID, *, rich: bool
) -> None:
    changes = [
        ("created", [{"field": "name", "old": None, "new": "王方"}]),
        ("changed", [{"field": "name", "old": "王方", "new": "王芳"}]),
        ("changed", [{"field": "level", "old": "silver", "new": "gold"}]),
    ]
    for nth, (action, told) in enumerate(changes if rich else changes[:1]):
        await insert(
            connection, "customer_change", customer_id=customer, at=MADE + timedelta(days=100 * nth), by="made",
            source="rest", action=action, changes=told, cause_id=None,
        )  # fmt: skip
    del chance


async def _media(
    connection: asyncpg.Connection, chance: random.Random, customer: UUID, city: Place
) -> None:
    values = [
        ("phone", "13812345678"),
        ("email", "Wang@Example.com"),
        ("postal", "深圳市 南山区 1 号"),
    ]
    for nth, (kind, value) in enumerate(values[: chance.randint(1, 3)]):
        medium, sealed = new_id(), seal_contact(city.context.cipher, kind, value)
        await insert(
            connection, "contact_medium", id=medium, customer_id=customer, kind=kind, value_masked=sealed.masked,
            preferred=nth == 0, preferred_hours="09:00-11:00", value_cipher=sealed.cipher, value_index=sealed.index,
        )  # fmt: skip
        if nth:
            await insert(connection, "contact_bounce", contact_id=medium, customer_id=customer, at=MADE, by="li.na", note=None)  # fmt: skip
    # As an earlier release kept it.
    await insert(
        connection, "contact_medium", id=new_id(), customer_id=customer, kind="phone", value="0755-1234567", value_masked="075***4567",
        preferred=False,
    )  # fmt: skip
    await insert(connection, "customer_verification", customer_id=customer, verified_on="2026-01-01", verified_by="li.na")  # fmt: skip


async def _holdings(
    connection: asyncpg.Connection, chance: random.Random, customer: UUID, city: Place
) -> None:
    other = await _profile(connection, city, 900 + chance.randrange(90), "李四")
    sealed = seal_contact(city.context.cipher, "phone", "13900000001")
    await insert(connection, "tie", id=new_id(), customer_id=customer, kind="spouse", related_id=other, note="夫妻")  # fmt: skip
    await insert(
        connection, "tie", id=new_id(), customer_id=customer, kind="friend", person_name="赵六", phone_masked=sealed.masked,
        phone_cipher=sealed.cipher, phone_index=sealed.index,
    )  # fmt: skip
    await insert(connection, "enterprise", customer_id=customer, size_class="small", employees=3, registered_capital_fen=5)  # fmt: skip
    await insert(
        connection, "key_person", id=new_id(), customer_id=customer, name="钱七", influence=3, phone_masked=sealed.masked,
        phone_cipher=sealed.cipher, phone_index=sealed.index,
    )  # fmt: skip
    await insert(
        connection, "agreement", id=new_id(), customer_id=customer, number="A-1", kind="framework", title="旧协议",
        starts_on="2020-01-01", expires_on="2021-01-01", auto_renews=False,
    )  # fmt: skip
    await insert(
        connection, "product_holding", id=new_id(), customer_id=customer, product_code="p1", name="宽带", category="broadband",
        quantity=1, since="2022-01-01",
    )  # fmt: skip
    await insert(
        connection,
        "competitor_use",
        id=new_id(),
        customer_id=customer,
        operator="中国电信",
        category="broadband",
        share_percent=9,
    )
    await insert(connection, "preference", id=new_id(), customer_id=customer, topic="marketing", value="refused")  # fmt: skip


async def _dealings(
    connection: asyncpg.Connection, chance: random.Random, customer: UUID, city: Place
) -> None:
    for nth in range(chance.randint(1, 3)):
        await insert(
            connection, "interaction", id=new_id(), customer_id=customer, at=MADE + timedelta(days=nth), channel="hall",
            kind="inquiry", subject="话费", source="calls", source_key=f"{customer} {nth}", import_number=None,
        )  # fmt: skip
    await insert(
        connection, "win_back_attempt", id=new_id(), customer_id=customer, at=MADE, staff="li.na", channel="hall",
        result="returned", left_on="2022-01-01", lost_monthly_charge_fen=1,
    )  # fmt: skip
    await insert(connection, "merged_customer", id=new_id(), customer_number=f"{city.code}9{chance.randrange(10**6):07d}", survivor_id=customer, at=MADE)  # fmt: skip


async def _results(
    connection: asyncpg.Connection, chance: random.Random, customer: UUID, city: Place
) -> None:
    del chance, city
    held = {
        "customer_id": customer,
        "as_of": "2026-11-01",
        "policy": "default",
        "used": {"x": 1.25},
    }
    await insert(
        connection, "level_result", level="silver", entitled="silver", basis="spend", since=MADE,
        until=MADE + timedelta(days=40), **held,
    )  # fmt: skip
    await insert(
        connection,
        "level_result",
        level="gold",
        entitled="gold",
        basis="spend",
        since=MADE + timedelta(days=40),
        **held,
    )
    await insert(connection, "credit_result", score=700, rating="A", limit_fen=100, since=MADE, **held)  # fmt: skip
    await insert(
        connection, "level_appointment", id=new_id(), customer_id=customer, level="diamond", reason="政协委员", since="2025-01-01",
        until="2026-01-01", state="ended", proposed_at=MADE, proposed_by="li.na", proposer_id=new_id(), decided_at=MADE,
        decided_by="wu", version=2,
    )  # fmt: skip
