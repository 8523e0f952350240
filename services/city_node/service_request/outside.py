"""What every kind shares that makes systems outside act: the line in the trail, and where a customer is reached.

A call is made for a request, whose id is its cause (:mod:`shared.port`); what became of it stands in the trail.
"""

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer.identity import contact_form
from services.city_node.customer.models import ContactMedium, MediumKind
from services.city_node.service_request import service
from services.city_node.service_request.kind import Party
from services.city_node.service_request.models import ServiceRequest
from services.city_node.service_request.repository import lock_of_any_kind
from shared import port
from shared.capability import NodeContext
from shared.kernel.language import Text
from shared.organisation.division import division
from shared.port.contracts import receipt_printer
from shared.port.contracts.values import is_msisdn
from shared.port.declaration import Form

MOST_TELEPHONES = 10
"""Telephones that are looked through for one that a short message can be sent to."""

DoneCall = Callable[[NodeContext, AsyncSession, port.Call[Any], Form], Awaitable[None]]
RefusedCall = Callable[[NodeContext, AsyncSession, port.Call[Any], port.Refusal], Awaitable[bool]]


async def note(
    context: NodeContext, session: AsyncSession, call: port.Call[Any], event: str, words: Text
) -> ServiceRequest | None:
    """Write a line into the trail of the request that a call was made for; return it, locked, if there is one."""
    request = await lock_of_any_kind(session, call.cause)
    if request is not None:
        here = context.settings.code
        step = service.Step(event, Party(request.role), call.now, here, "port", words)
        await service.note(session, request, step)
    return request


def noted_as(event: str, words: Text) -> DoneCall:
    """Return what takes an answer of which nothing follows but a line in the trail.

    Args:
        event: what the trail calls it.
        words: what was done; a placeholder is a field of what was asked or of the answer.
    """

    async def done(
        context: NodeContext, session: AsyncSession, call: port.Call[Any], answer: Form
    ) -> None:
        fields = dict(call.content) | dict(answer)
        await note(context, session, call, event, words.filled(**fields))

    return done


def refused_as(event: str, what: Text) -> RefusedCall:
    """Return what takes a refusal for good that an operator has to settle: a line in the trail, and no more.

    Args:
        event: what the trail calls it.
        what: who refuses what.
    """

    async def refused(
        context: NodeContext, session: AsyncSession, call: port.Call[Any], refusal: port.Refusal
    ) -> bool:
        words = Text(
            f"{what.en} ({refusal.title}): an operator looks after it.",
            f"{what.zh}（{refusal.title}），已转运维处理。",
        )
        await note(context, session, call, event, words)
        return False

    return refused


customer_told = noted_as("customer-told", Text("The customer was told by SMS.", "已短信告知客户。"))
"""A short message is on its way to the customer; not to which number, for the trail stays."""
receipt_printed = noted_as(
    "receipt-printed", Text("The receipt was printed at {hall}.", "回执已在 {hall} 打印。")
)


async def reached_on(
    context: NodeContext, session: AsyncSession, customer_id: UUID, number: str
) -> str:
    """Return another mobile number of the customer, the preferred one first; ``number`` itself without one."""
    rows = await session.execute(
        select(ContactMedium.value_cipher, ContactMedium.value)
        .where(ContactMedium.customer_id == customer_id, ContactMedium.kind == MediumKind.PHONE)
        .order_by(ContactMedium.preferred.desc(), ContactMedium.id)
        .limit(MOST_TELEPHONES)
    )
    for cipher, clear in rows:
        value = context.cipher.decrypt(cipher) if cipher is not None else clear or ""
        other = contact_form(MediumKind.PHONE, value)
        if other != number and is_msisdn(other):
            return other
    return number


def receipt(
    request: ServiceRequest,
    *,
    hall: str,
    number: str,
    title: Text,
    on: date,
    lines: tuple[Text, ...],
) -> receipt_printer.Receipt:
    """Return what the visited node's counter prints about a request, with its number masked.

    Args:
        request: the visited node's record.
        hall: where it is printed.
        number: of the receipt.
        title: what it is.
        on: the business day.
        lines: what it says beside whose it is.
    """
    return receipt_printer.Receipt(
        hall=hall,
        number=number,
        title=f"{title.zh} {title.en}",
        lines=(
            f"号码 Number: {request.subject}",
            f"归属地 Home: {division(request.home).name_zh}",
            f"受理地 Visited: {division(request.visited).name_zh}",
            f"日期 Date: {on}",
            *(f"{line.zh} {line.en}" for line in lines),
        ),
    )


def yuan(fen: int) -> str:
    """Return an amount as people write it."""
    return f"{fen // 100}.{fen % 100:02d}"
