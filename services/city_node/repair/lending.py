"""Lending a handset for the time of a repair, and taking it back; its deposit goes through the caller's drawer."""

from datetime import timedelta
from uuid import UUID

from services.city_node.loan_handset import service as handsets
from services.city_node.loan_handset.service import Terms
from services.city_node.repair import outside, repository
from services.city_node.repair.counter import Counter
from services.city_node.repair.schemas import LoanEndIn
from services.city_node.repair.telling import require_possible
from services.city_node.till import service as till
from services.city_node.till.models import EntryKind
from shared.kernel.clock import business_day
from shared.kernel.language import Text


async def lend(
    desk: Counter,
    request_id: UUID,
    handset_id: UUID | None,
) -> None:
    """Lend a handset while the customer's own is in the workshop, against the deposit that home's promise names.

    Raises:
        RequestNotFound: if there is no such request in the caller's units (404).
        RequestNotInState: unless the customer has agreed and it is not repaired (409).
        LoanOut: if it has a handset already (409).
        LoanHandsetNotFound, LoanHandsetNotAvailable, NoLoanHandset: if there is none to lend (404, 409).
        ShiftNotOpen: if there is a deposit, and the caller has no open shift to take it in (409).
    """
    request = await desk.lock(request_id)
    require_possible(request, "revised")
    ticket = await repository.ticket_of(desk.session, request.id)
    assert ticket.deposit_fen is not None  # noqa: S101 - the state says so
    assert ticket.loan_days is not None  # noqa: S101 - as above
    due_on = business_day(desk.now) + timedelta(days=ticket.loan_days)
    terms = Terms(request.id, ticket.deposit_fen, due_on, desk.principal.username, desk.now)
    loan, handset = await handsets.lend(
        desk.session,
        terms,
        unit=request.unit_code,
        handset_id=handset_id,
        unit_path=desk.principal.unit_path,
    )
    name = f"{handset.make} {handset.model}"
    words = Text(
        f"{name} was lent until {due_on}, against a deposit of {ticket.deposit_fen} fen.",
        f"已借出 {name}，应于 {due_on} 归还，押金 {ticket.deposit_fen} 分。",
    )
    if loan.deposit_fen:
        await _move_cash(desk, EntryKind.DEPOSIT, loan.deposit_fen, loan.id)
    await outside.print_deposit(desk.context, desk.session, request, handset, loan)
    await desk.note(request, "lent", words)


async def end(
    desk: Counter,
    request_id: UUID,
    given: LoanEndIn,
) -> None:
    """Take the handset back, damaged or whole, or give it up for lost; what of the deposit is not kept goes back.

    Raises:
        RequestNotFound: if there is no such request in the caller's units (404).
        NoLoanOut: if none is lent for it (409).
        DepositExceeded: if more is to be kept than may be (422).
        ShiftNotOpen: if something goes back, and the caller has no open shift to hand it out from (409).
    """
    request = await desk.lock(request_id)
    loan = await handsets.end(
        desk.session,
        request.id,
        given.ending,
        kept_fen=given.kept_fen,
        note=given.note,
        by=desk.principal.username,
        now=desk.now,
    )
    if loan.refunded_fen:
        await _move_cash(desk, EntryKind.DEPOSIT_BACK, loan.refunded_fen, loan.id)
    words = Text(
        f"The loan ended ({given.ending}): {loan.refunded_fen} fen of the deposit went back, {loan.kept_fen} were kept.",
        f"备用机借用结束（{given.ending}）：退还押金 {loan.refunded_fen} 分，扣留 {loan.kept_fen} 分。",
    )
    await desk.note(request, "loan-ended", words)


async def _move_cash(desk: Counter, kind: EntryKind, amount_fen: int, loan_id: UUID) -> None:
    shift = await till.require_open(desk.session, desk.principal)
    by, now = desk.principal.username, desk.now
    till.move(desk.session, shift, kind, amount_fen, cause_id=loan_id, by=by, now=now)
