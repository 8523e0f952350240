"""What a transfer makes systems outside do: the network serves the lines from the new city, and the customer is told.

HQ's directory is the commit point; all of this follows from going live at the new home, through the outbox of ports
(:mod:`shared.port`), once each: a call for each line that has a SIM in use. The card goes on working meanwhile, so that
the customer is told at once. What the network refuses is an operator's and takes nothing back.

The customer is told on another number of the own, if there is one: whoever has had somebody else's record moved must
not be the only one to hear of it.
"""

from services.city_node.customer import repository as customers
from services.city_node.customer.models import Customer
from services.city_node.service_request import outside
from services.city_node.service_request.models import ServiceRequest
from services.city_node.transfer.schemas import Memo
from shared import port
from shared.capability import NodeContext
from shared.federation.delivery import Delivery
from shared.kernel.encryption import mask
from shared.kernel.language import Text
from shared.organisation.division import division
from shared.port.contracts import network, sms


async def follow_arrival(
    context: NodeContext,
    delivery: Delivery,
    request: ServiceRequest,
    customer: Customer,
    memo: Memo,
) -> None:
    """At the new home, in the transaction in which a locked customer is live: move the lines, and tell the customer."""
    session, now = delivery.session, delivery.now
    lines = await customers.subscriptions_in_use(session, customer.id)
    cards = {sim.subscription_id: sim for sim in await customers.active_sims(session, lines)}
    for line in lines:
        card = cards.get(line.id)
        if card is None:
            continue  # there is nothing in the register that could be moved
        move = network.LineMove(
            msisdn=line.msisdn,
            iccid=card.iccid,
            imsi=card.imsi,
            from_city=request.home,
            to_city=request.visited,
            former_msisdn=memo.msisdn if line.msisdn == memo.new_msisdn else None,
        )
        # By its number: a line that got another has an id of its own each time that a restored node lets it land.
        await port.call(
            context,
            session,
            MOVE,
            move,
            cause=request.id,
            part=context.cipher.lasting_index(line.msisdn).hex(),
            order=str(line.id),
            now=now,
        )
    await _tell_customer(context, delivery, request, customer, memo)


async def _tell_customer(
    context: NodeContext,
    delivery: Delivery,
    request: ServiceRequest,
    customer: Customer,
    memo: Memo,
) -> None:
    number = memo.new_msisdn or memo.msisdn
    place, former = division(request.visited).name_zh, division(request.home).name_zh
    changed = f"，新号码为{mask(number, 3, 4)}" if memo.new_msisdn else ""
    message = sms.ShortMessage(
        to=await outside.reached_on(context, delivery.session, customer.id, number),
        text=f"您的号码{mask(memo.msisdn, 3, 4)}及客户档案已由{former}转至{place}{changed}。如非本人办理，请立即联系您的客户经理。",
    )
    await port.call(context, delivery.session, NOTICE, message, cause=request.id, now=delivery.now)


MOVE = port.Effect(
    "transfer.move",
    network.MOVE,
    done=outside.noted_as(
        "network-moved",
        Text("The network serves a line from {to_city}.", "网络侧已将号码转由 {to_city} 服务。"),
    ),
    refused=outside.refused_as(
        "network-refused", Text("The network does not move a line", "网络侧拒绝转移号码")
    ),
)
NOTICE = port.Effect("transfer.notice", sms.SEND, done=outside.customer_told)
EFFECTS = (MOVE, NOTICE)
