"""Handsets lent during a repair: never one to two, and deposits to the last fen."""

import asyncio
from datetime import date

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from services.city_node.loan_handset import repository, service
from services.city_node.loan_handset.problems import (
    DepositExceeded,
    LoanHandsetNotAvailable,
    LoanHandsetNotFound,
    LoanHandsetsInConflict,
    LoanOut,
    NoLoanHandset,
    NoLoanOut,
)
from services.city_node.loan_handset.schemas import LoanHandsetIn
from services.city_node.service_request.problems import UnitNotYours
from services.city_node.service_request.service import RequestNotInState
from services.city_node.till.problems import ShiftNotOpen
from shared.kernel.ids import new_id
from shared.kernel.preconditions import VersionStale
from shared.policy.kinds.repair import REPAIR
from tests.city.two_cities import NOON, VISITED
from tests.repair.workshop import HALL, LOANED, NEW_IMEI, OTHER_IMEI, Workshops

DEPOSIT = REPAIR.default.of("gold").deposit_fen


async def loans(shop: Workshops) -> list[tuple[object, ...]]:
    rows = await shop.visited.fetch(
        "SELECT deposit_fen, due_on, ending, refunded_fen, kept_fen FROM handset_loan ORDER BY lent_at, id"
    )
    return [tuple(row.values()) for row in rows]


async def test_a_handset_is_lent_against_the_promised_deposit_and_given_back(
    shop: Workshops,
) -> None:
    request_id = await shop.agreed()
    await shop.lend(request_id)
    assert await shop.stock() == {"lent": 1, "in_stock": 1}
    assert await loans(shop) == [(DEPOSIT, date(2026, 12, 8), None, None, None)]
    await shop.end_loan(request_id)
    assert await shop.stock() == {"in_stock": 2}
    assert await loans(shop) == [(DEPOSIT, date(2026, 12, 8), "returned", DEPOSIT, 0)]
    assert await shop.drawer() == [("deposit", DEPOSIT), ("deposit_back", -DEPOSIT)]
    await shop.lend(request_id)
    assert await shop.stock() == {"lent": 1, "in_stock": 1}


async def test_no_deposit_is_taken_without_a_drawer_to_put_it_in(shop: Workshops) -> None:
    request_id = await shop.agreed()
    pool = await shop.visited.context.database.pool()
    await pool.execute("DELETE FROM till_shift")
    with pytest.raises(ShiftNotOpen):
        await shop.lend(request_id)
    assert await shop.stock() == {"in_stock": 2}
    await shop.open_shift()
    await shop.lend(request_id)
    closed = "UPDATE till_shift SET state = 'closed', closed_at = now(), expected_fen = 0, counted_fen = 0"
    await pool.execute(closed)
    with pytest.raises(ShiftNotOpen):
        await shop.end_loan(request_id)
    await shop.end_loan(request_id, "lost")
    assert await shop.drawer() == [("deposit", DEPOSIT)], "what is kept stays where it is"


async def test_a_diamond_customer_pays_no_deposit(shop: Workshops) -> None:
    await shop.set_up("diamond")
    request_id = await shop.agreed()
    await shop.lend(request_id)
    await shop.end_loan(request_id, "lost")
    assert await loans(shop) == [(0, date(2026, 12, 23), "lost", 0, 0)]
    assert await shop.drawer() == []
    assert await shop.stock() == {"lost": 1, "in_stock": 1}


@pytest.mark.parametrize(
    ("ending", "kept", "expected"),
    [("damaged", 5_000, 5_000), ("damaged", None, DEPOSIT), ("lost", None, DEPOSIT)],
)
async def test_of_a_damaged_or_lost_handset_the_deposit_is_kept(
    shop: Workshops, ending: str, kept: int | None, expected: int
) -> None:
    request_id = await shop.agreed()
    await shop.lend(request_id)
    with pytest.raises(DepositExceeded):
        await shop.end_loan(request_id, ending, kept_fen=DEPOSIT + 1)
    with pytest.raises(DepositExceeded):
        await shop.end_loan(request_id, "returned", kept_fen=1)
    await shop.end_loan(request_id, ending, kept_fen=kept)
    ((_, _, _, refunded, has_kept),) = await loans(shop)
    assert (refunded, has_kept) == (DEPOSIT - expected, expected)
    assert sum(fen for _, fen in await shop.drawer()) == expected
    assert await shop.stock() == {ending: 1, "in_stock": 1}


async def test_nothing_is_closed_while_its_handset_is_out(shop: Workshops) -> None:
    request_id = await shop.agreed()
    await shop.lend(request_id)
    with pytest.raises(LoanOut):
        await shop.lend(request_id)
    with pytest.raises(LoanOut):
        await shop.cancel(request_id)
    await shop.estimate(request_id)
    with pytest.raises(LoanOut):
        await shop.decline(request_id, 2)
    await shop.agree(request_id, 2)
    await shop.repaired(request_id)
    with pytest.raises(LoanOut):
        await shop.hand_back(request_id)
    await shop.end_loan(request_id)
    with pytest.raises(NoLoanOut):
        await shop.end_loan(request_id)
    await shop.hand_back(request_id)


async def test_nothing_is_lent_before_the_customer_agrees_or_after_it_is_repaired(
    shop: Workshops,
) -> None:
    request_id = await shop.confirmed()
    with pytest.raises(RequestNotInState):
        await shop.lend(request_id)
    await shop.estimate(request_id)
    with pytest.raises(RequestNotInState):
        await shop.lend(request_id)
    await shop.agree(request_id)
    await shop.repaired(request_id)
    with pytest.raises(RequestNotInState):
        await shop.lend(request_id)
    assert await shop.stock() == {"in_stock": 2}


async def test_one_handset_is_never_lent_to_two(shop: Workshops) -> None:
    first, second = await shop.agreed(), await shop.agreed(imei=NEW_IMEI)
    third = await shop.agreed(imei=OTHER_IMEI)
    outcomes = await asyncio.gather(
        *(shop.lend(request_id) for request_id in (first, second, third)), return_exceptions=True
    )
    assert [type(each) for each in outcomes if each is not None] == [NoLoanHandset]
    assert await shop.stock() == {"lent": 2}


async def test_the_named_handset_is_lent_to_the_one_who_comes_first(shop: Workshops) -> None:
    first, second = await shop.agreed(), await shop.agreed(imei=NEW_IMEI)
    (row,) = await shop.visited.fetch("SELECT id FROM loan_handset WHERE imei = $1", LOANED[1])
    outcomes = await asyncio.gather(
        *(shop.lend(request_id, row["id"]) for request_id in (first, second)),
        return_exceptions=True,
    )
    assert [type(each) for each in outcomes if each is not None] == [LoanHandsetNotAvailable]
    third = await shop.agreed(imei=OTHER_IMEI)
    with pytest.raises(LoanHandsetNotFound):
        await shop.lend(third, new_id())


@pytest.mark.parametrize(
    "harm",
    [
        "INSERT INTO handset_loan SELECT gen_random_uuid(), handset_id, request_id, 0, due_on, lent_at, lent_by FROM handset_loan",
        "UPDATE handset_loan SET ending = 'lost', ended_at = lent_at, ended_by = 'x', refunded_fen = 1, kept_fen = 1",
        "UPDATE handset_loan SET ending = 'returned'",
    ],
)
async def test_the_database_itself_refuses_what_cannot_be(shop: Workshops, harm: str) -> None:
    await shop.lend(await shop.agreed())

    with pytest.raises(IntegrityError):
        async with shop.visited.transaction() as session:
            await session.execute(text(harm))


async def test_loading_again_changes_nothing_and_conflicts_are_named(shop: Workshops) -> None:
    async def load(*imeis: str, unit: str = HALL, path: str = "") -> service.Loaded:
        given = [LoanHandsetIn(imei=imei, make="Huawei", model="Enjoy 70") for imei in imeis]
        async with shop.visited.transaction() as session:
            return await service.load(session, unit, given, unit_path=path, now=NOON)

    done = await load(LOANED[0], NEW_IMEI)
    assert (done.loaded, done.known) == (1, 1)
    with pytest.raises(LoanHandsetsInConflict) as found:
        await load(OTHER_IMEI, LOANED[0], unit=VISITED)
    assert [fault.pointer for fault in found.value.faults] == ["/handsets/1/imei"]
    with pytest.raises(LoanHandsetsInConflict):
        await load(OTHER_IMEI, OTHER_IMEI)
    with pytest.raises(UnitNotYours):
        await load(OTHER_IMEI, path="000000/110000/")
    assert await shop.stock() == {"in_stock": 3}


async def test_what_was_mended_or_found_is_lent_again_and_what_is_worn_out_no_more(
    shop: Workshops,
) -> None:
    request_id = await shop.agreed()
    await shop.lend(request_id)
    (row,) = await shop.visited.fetch("SELECT id, version FROM loan_handset WHERE state = 'lent'")
    async with shop.counter() as desk:
        args = (desk.session, desk.principal, row["id"])
        with pytest.raises(LoanHandsetNotAvailable):
            await service.withdraw(*args, expected=row["version"], now=desk.now)
    await shop.end_loan(request_id, "damaged")
    async with shop.counter() as desk:
        args = (desk.session, desk.principal, row["id"])
        with pytest.raises(VersionStale):
            await service.restock(*args, expected=row["version"], now=desk.now)
        version = await service.restock(*args, expected=row["version"] + 1, now=desk.now)
        with pytest.raises(LoanHandsetNotAvailable):
            await service.restock(*args, expected=version, now=desk.now)
        await service.withdraw(*args, expected=version, now=desk.now)
        with pytest.raises(LoanHandsetNotFound):
            await service.withdraw(desk.session, desk.principal, new_id(), expected=1, now=desk.now)
    assert await shop.stock() == {"withdrawn": 1, "in_stock": 1}
    async with shop.visited.transaction() as session:
        assert await repository.lock(session, row["id"], "000000/110000/") is None
