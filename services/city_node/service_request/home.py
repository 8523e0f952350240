"""The home node's end, the same for every kind: opening what is sealed, knowing the customer, answering."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from pydantic import BaseModel, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer.identity import document_indexes
from services.city_node.customer.looks import LOOKED
from services.city_node.customer.models import Customer
from services.city_node.service_request import finding, messages
from services.city_node.service_request.kind import MOVED, Kind, Party
from services.city_node.service_request.schemas import Sealed, seal_context
from services.city_node.service_request.service import Step
from shared import audit
from shared.capability import NodeContext
from shared.federation.delivery import Delivery, MessageRefused
from shared.federation.keys import SealError
from shared.federation.models import Lane
from shared.kernel.language import Text

Content = TypeVar("Content", bound=BaseModel)


@dataclass(frozen=True)
class HomeEnd:
    """What the home node does for the requests of one kind.

    Attributes:
        kind: the kind.
        refused: the type of the message that refuses.
    """

    kind: Kind
    refused: str

    def open(
        self,
        context: NodeContext,
        delivery: Delivery,
        data: Sealed,
        event: str,
        form: type[Content],
    ) -> Content:
        """Return what the visited node sealed for this one, in the form that its type promises.

        Raises:
            MessageRefused: if it does not open, or has another form.
        """
        where = seal_context(self.kind.code, data.request_id, event)
        try:
            return form.model_validate_json(context.post.open_sealed(data.sealed, context=where))
        except SealError as error:
            raise MessageRefused(
                f"The sealed part of {delivery.message.type} does not open: {error}"
            ) from None
        except ValidationError as error:
            raise MessageRefused(messages.complaint(delivery, error)) from None

    def step(
        self,
        context: NodeContext,
        event: str,
        words: Text,
        now: datetime,
        message_id: UUID | None,
    ) -> Step:
        """Return a move that this end makes."""
        here = context.settings.code
        return Step(event, Party.HOME, now, here, here, words, message_id)

    def refusal_step(self, context: NodeContext, delivery: Delivery, reason: str) -> Step:
        """Return the move that refuses for a declared reason."""
        here = context.settings.code
        refusal = self.kind.refusal(reason)
        words = Text(f"Refused: {refusal.text.en}", f"已拒绝：{refusal.text.zh}")
        return Step(
            "refused", Party.HOME, delivery.now, here, here, words, delivery.message.id, refusal
        )

    def deadline(self, asked: datetime, level: str | None, now: datetime) -> datetime:
        """Return until when the visited node may act: the customer's level decides, never past what was ``asked``.

        Home's own record gets the kind's ``home_grace`` more (:meth:`own_deadline`).
        """
        return min(asked, now + self.kind.limit(level))

    def own_deadline(self, said: datetime) -> datetime:
        """Return until when home keeps what it promised until ``said``."""
        return said + self.kind.home_grace

    async def missing(
        self, context: NodeContext, session: AsyncSession, msisdn: str, otherwise: str
    ) -> tuple[str, str | None]:
        """Return why a question about a number that is not here is refused, and where its customer has moved to.

        Args:
            context: the node.
            session: the caller's transaction.
            msisdn: the number.
            otherwise: the reason if nobody with that number has moved away, or the kind does not follow who has.
        """
        home = (
            await finding.moved_to(session, context.cipher, msisdn) if self.kind.follows else None
        )
        return (otherwise, None) if home is None else (MOVED, home)

    async def answer_yes(
        self,
        context: NodeContext,
        delivery: Delivery,
        type_: str,
        request_id: UUID,
        data: Mapping[str, Any] | None = None,
        *,
        deadline: datetime | None = None,
    ) -> None:
        """Answer the visited node's message; the first answer says the ``deadline`` that the visited node adopts."""
        said = {} if deadline is None else {"deadline": deadline.isoformat()}
        content = {**messages.answer_data(delivery, request_id), **said, **(data or {})}
        await context.post.answer(delivery, type_, content, lane=Lane.REQUEST)

    async def answer_no(
        self,
        context: NodeContext,
        delivery: Delivery,
        request_id: UUID,
        reason: str,
        *,
        moved_to: str | None = None,
    ) -> None:
        """Refuse the visited node's message for a declared reason; of a customer who moved, say where to."""
        data = messages.refusal_data(delivery, request_id, self.kind.refusal(reason))
        if moved_to is not None:
            data["moved_to"] = moved_to
        await context.post.answer(delivery, self.refused, data, lane=Lane.REQUEST)


def is_holder(
    context: NodeContext,
    delivery: Delivery,
    customer: Customer,
    document_type: str,
    document_number: str,
) -> bool:
    """Tell whether the document shown at the visited node's counter is the customer's; the look is recorded."""
    audit.record(
        delivery.session,
        audit.Actor.peer(delivery.message.source),
        LOOKED,
        at=delivery.now,
        subject=("customer", customer.id),
        fields=["document_matches"],
        cause_id=delivery.message.id,
    )
    shown = document_indexes(context.cipher, document_number)
    return document_type == customer.document_type and customer.document_index in shown
