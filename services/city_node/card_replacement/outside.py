"""What a card replacement makes systems outside do: the network switches, the customer is told, a receipt is printed.

The switch in the database is the commit point; all of this follows from it, through the outbox of ports
(:mod:`shared.port`), once each. The customer is told when the network has switched: before, it would not be true, and
a message to the line itself might not arrive. Where the node has no port to the network, the customer is told at once.

The customer is told on another number of the own, if there is one: whoever has made the operator replace somebody
else's card must not be the only one to hear of it.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.card_replacement import repository
from services.city_node.card_replacement.kind import KIND
from services.city_node.card_replacement.schemas import WrittenCard
from services.city_node.customer.identity import contact_form
from services.city_node.customer.models import MediumKind, Sim
from services.city_node.service_request import service
from services.city_node.service_request.kind import Party
from services.city_node.service_request.lines import Line
from services.city_node.service_request.models import ServiceRequest
from services.city_node.service_request.repository import lock
from shared import port
from shared.capability import NodeContext
from shared.federation.delivery import Delivery
from shared.kernel.encryption import mask
from shared.kernel.language import Text
from shared.organisation.division import division
from shared.port.contracts import network, receipt_printer, sms
from shared.port.contracts.values import is_msisdn


async def follow_switch(
    context: NodeContext,
    delivery: Delivery,
    request: ServiceRequest,
    line: Line,
    *,
    replaced: Sim,
    card: WrittenCard,
) -> None:
    """At home, in the transaction of the switch: have the network switch, and the customer told."""
    session, now = delivery.session, delivery.now
    number = line.subscription.msisdn
    switch = network.SimSwitch(
        msisdn=number, iccid=card.iccid, imsi=card.imsi, replaces=replaced.iccid
    )
    order = str(line.subscription.id)
    if not await port.call(
        context, session, SWITCH, switch, cause=request.id, order=order, now=now
    ):
        await _tell_customer(context, session, request, number, now=now)


async def print_receipt(
    context: NodeContext, session: AsyncSession, request: ServiceRequest, *, now: datetime
) -> None:
    """At the visited node, when home has switched: have the counter print what the customer takes home."""
    receipt = receipt_printer.Receipt(
        hall=request.unit_code,
        number=str(request.id),
        title="跨地区补卡回执 Card replacement",
        lines=(
            f"号码 Number: {request.subject}",
            f"归属地 Home: {division(request.home).name_zh}",
            f"受理地 Visited: {division(request.visited).name_zh}",
            "新卡已启用，旧卡失效。 The new card is in use; the old one is dead.",
        ),
    )
    await port.call(context, session, RECEIPT, receipt, cause=request.id, now=now)


async def _tell_customer(
    context: NodeContext,
    session: AsyncSession,
    request: ServiceRequest,
    number: str,
    *,
    now: datetime,
) -> None:
    place = division(request.visited).name_zh
    message = sms.ShortMessage(
        to=await _reached_on(context, session, request.id, number),
        text=f"您的号码{mask(number, 3, 4)}已在{place}换用新卡，旧卡失效。如非本人办理，请立即联系您的客户经理。",
    )
    await port.call(context, session, NOTICE, message, cause=request.id, now=now)


async def _reached_on(
    context: NodeContext, session: AsyncSession, request_id: UUID, number: str
) -> str:
    """Return another mobile number of the customer, the preferred one first; the line itself without one."""
    for cipher, clear in await repository.telephones_of(session, request_id):
        value = context.cipher.decrypt(cipher) if cipher is not None else clear or ""
        other = contact_form(MediumKind.PHONE, value)
        if other != number and is_msisdn(other):
            return other
    return number


async def _network_switched(
    context: NodeContext, session: AsyncSession, call: port.Call[network.SimSwitch], _: object
) -> None:
    words = Text("The network uses the new card.", "网络侧已启用新卡。")
    request = await _note(context, session, call, "network-switched", words)
    if request is not None:
        await _tell_customer(context, session, request, call.content.msisdn, now=call.now)


async def _network_refused(
    context: NodeContext,
    session: AsyncSession,
    call: port.Call[network.SimSwitch],
    refusal: port.Refusal,
) -> bool:
    words = Text(
        f"The network refuses the new card ({refusal.title}): an operator looks after it.",
        f"网络侧拒绝新卡（{refusal.title}），已转运维处理。",
    )
    await _note(context, session, call, "network-refused", words)
    return False


async def _customer_told(
    context: NodeContext, session: AsyncSession, call: port.Call[sms.ShortMessage], _: object
) -> None:
    to = mask(call.content.to, 3, 4)
    words = Text(f"The customer was told by SMS to {to}.", f"已短信告知客户（{to}）。")
    await _note(context, session, call, "customer-told", words)


async def _receipt_printed(
    context: NodeContext,
    session: AsyncSession,
    call: port.Call[receipt_printer.Receipt],
    _: object,
) -> None:
    words = Text(
        f"The receipt was printed at {call.content.hall}.", f"回执已在 {call.content.hall} 打印。"
    )
    await _note(context, session, call, "receipt-printed", words)


async def _note(
    context: NodeContext, session: AsyncSession, call: port.Call[Any], event: str, words: Text
) -> ServiceRequest | None:
    """Write a line into the trail of the request that a call was made for."""
    request = await lock(session, KIND, call.cause)
    if request is not None:
        here = context.settings.code
        step = service.Step(event, Party(request.role), call.now, here, "port", words)
        await service.note(session, request, step)
    return request


SWITCH = port.Effect(
    "card-replacement.switch", network.SWITCH_SIM, done=_network_switched, refused=_network_refused
)
NOTICE = port.Effect("card-replacement.notice", sms.SEND, done=_customer_told)
RECEIPT = port.Effect("card-replacement.receipt", receipt_printer.PRINT, done=_receipt_printed)
EFFECTS = (SWITCH, NOTICE, RECEIPT)
