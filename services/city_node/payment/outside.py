"""What payments make systems outside do: the billing system books what home credits, the counter prints a receipt.

Home's own credit is the commit point; the billing system follows it through the outbox of ports (:mod:`shared.port`),
once for each payment and each reversal, in the order of their line. What it refuses is an operator's: the customer has
been credited, and nothing is taken back by it. The receipt says that the money was received; what became of it
``GET /receipts/{number}`` says.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.payment.models import Payment, PaymentCredit
from services.city_node.service_request import outside
from services.city_node.service_request.lines import Line
from services.city_node.service_request.models import ServiceRequest
from shared import port
from shared.capability import NodeContext
from shared.kernel.clock import business_day
from shared.kernel.language import Text
from shared.port.contracts import billing, receipt_printer


async def follow_credit(
    context: NodeContext,
    session: AsyncSession,
    request: ServiceRequest,
    line: Line,
    amount_fen: int,
    *,
    now: datetime,
) -> None:
    """At home, in the transaction that credits a locked line: have the billing system credit it."""
    taken_at = request.data.get("taken_at")
    content = billing.Credit(
        msisdn=line.subscription.msisdn,
        amount_fen=amount_fen,
        payment=str(request.id),
        taken_at=datetime.fromisoformat(taken_at) if taken_at else request.created_at,
    )
    order = str(line.subscription.id)
    await port.call(context, session, CREDIT, content, cause=request.id, order=order, now=now)


async def follow_reversal(
    context: NodeContext,
    session: AsyncSession,
    reversal_id: UUID,
    credit: PaymentCredit,
    *,
    now: datetime,
) -> None:
    """At home, in the transaction that takes a payment back: have the billing system take its credit back."""
    content = billing.CreditReversal(payment=str(credit.request_id))
    order = None if credit.subscription_id is None else str(credit.subscription_id)
    await port.call(context, session, REVERSE, content, cause=reversal_id, order=order, now=now)


async def print_receipt(
    context: NodeContext,
    session: AsyncSession,
    request: ServiceRequest,
    payment: Payment,
    *,
    hall: str,
    now: datetime,
) -> None:
    """At the visited city, when the money is in the till: have the counter print the receipt."""
    amount = outside.yuan(payment.amount_fen)
    content = outside.receipt(
        request,
        hall=hall,
        number=payment.receipt_number,
        title=Text("Receipt of payment", "缴费收据"),
        on=business_day(payment.taken_at),
        lines=(
            Text(f"Amount: {amount} yuan", f"金额：{amount} 元"),
            Text("Received, to be credited by the home city.", "已收款，待归属地入账。"),
        ),
    )
    await port.call(context, session, RECEIPT, content, cause=request.id, now=now)


CREDIT = port.Effect(
    "payment.credit",
    billing.CREDIT,
    done=outside.noted_as(
        "billing-credited",
        Text(
            "The billing system has credited it ({reference}).", "计费系统已入账（{reference}）。"
        ),
    ),
    refused=outside.refused_as(
        "billing-refused", Text("The billing system does not credit it", "计费系统拒绝入账")
    ),
)
REVERSE = port.Effect(
    "payment-reversal.reverse",
    billing.REVERSE,
    done=outside.noted_as(
        "billing-reversed",
        Text(
            "The billing system has taken the credit back ({reference}).",
            "计费系统已冲正（{reference}）。",
        ),
    ),
    refused=outside.refused_as(
        "billing-refused",
        Text("The billing system does not take the credit back", "计费系统拒绝冲正"),
    ),
)
RECEIPT = port.Effect("payment.receipt", receipt_printer.PRINT, done=outside.receipt_printed)
EFFECTS = (CREDIT, REVERSE, RECEIPT)
