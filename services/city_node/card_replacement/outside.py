"""What a card replacement makes systems outside do: the network switches, the customer is told, a receipt is printed.

The switch in the database is the commit point; all of this follows from it, through the outbox of ports
(:mod:`shared.port`), once each. The customer is told when the network has switched: before, it would not be true, and
a message to the line itself might not arrive. Where the node has no port to the network, the customer is told at once.

The customer is told on another number of the own, if there is one: whoever has made the operator replace somebody
else's card must not be the only one to hear of it.
"""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.card_replacement import repository
from services.city_node.card_replacement.schemas import WrittenCard
from services.city_node.customer.models import Sim
from services.city_node.service_request import outside
from services.city_node.service_request.lines import Line
from services.city_node.service_request.models import ServiceRequest
from shared import port
from shared.capability import NodeContext
from shared.federation.delivery import Delivery
from shared.kernel.encryption import mask
from shared.kernel.language import Text
from shared.organisation.division import division
from shared.port.contracts import network, receipt_printer, sms


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
    customer_id = await repository.customer_of(session, request.id)
    message = sms.ShortMessage(
        to=await outside.reached_on(context, session, customer_id, number),
        text=f"您的号码{mask(number, 3, 4)}已在{place}换用新卡，旧卡失效。如非本人办理，请立即联系您的客户经理。",
    )
    await port.call(context, session, NOTICE, message, cause=request.id, now=now)


async def _network_switched(
    context: NodeContext, session: AsyncSession, call: port.Call[network.SimSwitch], _: object
) -> None:
    words = Text("The network uses the new card.", "网络侧已启用新卡。")
    request = await outside.note(context, session, call, "network-switched", words)
    if request is not None:
        await _tell_customer(context, session, request, call.content.msisdn, now=call.now)


SWITCH = port.Effect(
    "card-replacement.switch",
    network.SWITCH_SIM,
    done=_network_switched,
    refused=outside.refused_as(
        "network-refused", Text("The network refuses the new card", "网络侧拒绝新卡")
    ),
)
NOTICE = port.Effect("card-replacement.notice", sms.SEND, done=outside.customer_told)
RECEIPT = port.Effect(
    "card-replacement.receipt", receipt_printer.PRINT, done=outside.receipt_printed
)
EFFECTS = (SWITCH, NOTICE, RECEIPT)
