"""A payment that a team took, and its reversal, for those who ask for them from elsewhere."""

from typing import Any
from uuid import UUID

from services.city_node.payment.models import Payment, PaymentReversal
from services.city_node.service_request.models import ServiceRequest
from services.city_node.till.models import TillShift
from shared.kernel.ids import new_id
from tests.conftest import TestNode


async def settle_payments(node: TestNode, unit: str) -> dict[str, dict[str, str]]:
    """Add a shift, a payment and a reversal of another; return what fills the paths, by a word of them."""
    now = node.clock.now()
    shift, paid, reversed_one, reversal, at_home = (new_id() for _ in range(5))

    def request(
        id_: UUID, kind: str, state: str, role: str = "visited", **data: Any
    ) -> ServiceRequest:
        return ServiceRequest(
            id=id_, kind=kind, role=role, home="110100", visited=node.code, state=state, subject="138****0001",
            deadline=now, data={"amount_fen": 100, **data}, unit_code=unit, created_by="test", created_at=now,
            updated_at=now,
        )  # fmt: skip

    async with node.database.transaction() as session:
        session.add(
            TillShift(
                id=shift, unit_code=unit, cashier="test", cashier_id=new_id(), float_fen=0, opened_at=now, state="open",
                version=1,
            )
        )  # fmt: skip
        session.add(request(paid, "payment", "credited"))
        session.add(request(at_home, "payment", "refused", "home"))
        session.add(request(reversed_one, "payment", "credited"))
        session.add(request(reversal, "payment-reversal", "asked", payment_id=str(reversed_one)))
        await session.flush()
        for number, payment in enumerate((paid, reversed_one)):
            session.add(
                Payment(
                    request_id=payment, shift_id=shift, amount_fen=100, receipt_number=str(number), taken_at=now,
                    credited_at=now, business_day=now.date(),
                    reversal_id=reversal if payment == reversed_one else None,
                )
            )  # fmt: skip
        await session.flush()
        session.add(PaymentReversal(request_id=reversal, payment_id=reversed_one, reason="x"))
    return {
        "payments": {"request_id": str(paid)},
        "payment-credits": {"request_id": str(at_home)},
        "payment-reversals": {"request_id": str(reversal)},
        "shifts": {"shift_id": str(shift)},
    }
