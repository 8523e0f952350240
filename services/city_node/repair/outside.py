"""What a repair makes systems outside do: the customer is told when the handset is ready, deposits get a receipt.

The visited node repairs and the home node knows the customer, so home tells, when it hears that the handset is ready.
Both follow through the outbox of ports (:mod:`shared.port`), once each; what fails of it holds no repair up.
"""

from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer.models import ERASED, SubscriptionStatus
from services.city_node.loan_handset.models import HandsetLoan, LoanHandset
from services.city_node.repair import repository
from services.city_node.service_request import outside
from services.city_node.service_request.models import ServiceRequest
from shared import port
from shared.capability import NodeContext
from shared.federation.delivery import Delivery
from shared.kernel.clock import business_day
from shared.kernel.encryption import mask
from shared.kernel.language import Text
from shared.organisation.division import division
from shared.port.contracts import receipt_printer, sms

READY = {"repaired": "已可取回", "not-repairable": "无法修复，请取回"}
"""What the customer is told of what the visited node has come to."""


async def tell_customer(
    context: NodeContext, delivery: Delivery, request: ServiceRequest, event: str
) -> None:
    """At home, when it is heard that a handset is ready: have its owner told to fetch it."""
    session = delivery.session
    promise = await repository.promise_of(session, request.id)
    if promise.customer_id is None or promise.subscription_id is None:
        return  # lost in a restore
    customer = await repository.lock_customer(session, promise.customer_id)
    if customer.library == ERASED:
        return
    line = await repository.subscription(session, promise.subscription_id)
    if line.status == SubscriptionStatus.ENDED:
        return  # the number may be somebody else's
    place = division(request.visited).name_zh
    message = sms.ShortMessage(
        to=await outside.reached_on(context, session, customer.id, line.msisdn),
        text=f"您的号码{mask(line.msisdn, 3, 4)}在{place}送修的终端{READY[event]}，请携带有效证件到送修营业厅办理。",
    )
    await port.call(context, session, NOTICE, message, cause=request.id, now=delivery.now)


async def print_deposit(
    context: NodeContext,
    session: AsyncSession,
    request: ServiceRequest,
    handset: LoanHandset,
    loan: HandsetLoan,
) -> None:
    """At the visited node, in the transaction that lends a handset: have the counter print what was left for it."""
    if loan.deposit_fen:
        amount = outside.yuan(loan.deposit_fen)
        lines = (
            Text(
                f"Handset: {handset.make} {handset.model}",
                f"备用机：{handset.make} {handset.model}",
            ),
            Text(f"Deposit: {amount} yuan", f"押金：{amount} 元"),
            Text(f"To be returned by {loan.due_on}.", f"应于 {loan.due_on} 前归还。"),
        )
        content = outside.receipt(
            request,
            hall=request.unit_code,
            number=str(loan.id),
            title=Text("Receipt of a deposit", "备用机押金收据"),
            on=business_day(loan.lent_at),
            lines=lines,
        )
        await port.call(
            context,
            session,
            DEPOSIT,
            content,
            cause=request.id,
            part=str(loan.id),
            now=loan.lent_at,
        )


NOTICE = port.Effect("repair.notice", sms.SEND, done=outside.customer_told)
DEPOSIT = port.Effect("repair.deposit", receipt_printer.PRINT, done=outside.receipt_printed)
EFFECTS = (NOTICE, DEPOSIT)
