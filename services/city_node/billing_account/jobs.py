"""The clock's part in billing accounts: bills that came after the money."""

from datetime import datetime, timedelta
from uuid import UUID

import structlog

from services.city_node.billing_account import repository, service
from services.city_node.billing_account.service import Cause
from services.city_node.customer.models import ChangeSource
from services.city_node.service_request.lines import lock_subscription
from shared import audit
from shared.capability import Every, Job, NodeContext
from shared.kernel.database import is_away
from shared.kernel.language import Text

log = structlog.get_logger("billing_account")

INTERVAL = timedelta(hours=1)
BATCH = 200


async def settle_bills(context: NodeContext, now: datetime) -> None:
    """Pay what balances cover, each line in a transaction of its own, so that one that fails holds up no other."""
    after: UUID | None = None
    cause = Cause(audit.Actor.command("billing-settlement"), ChangeSource.COMMAND, now)
    while True:
        async with context.database.transaction() as session:
            due = await repository.with_money_for_a_bill(session, after=after, limit=BATCH)
        for subscription_id in due:
            try:
                async with context.database.transaction() as session:
                    line = await lock_subscription(session, subscription_id)
                    if line is not None:
                        await service.settle(context, session, line, cause)
            except Exception as error:
                if is_away(error):
                    raise
                log.exception("bills not settled", subscription_id=str(subscription_id))
        if len(due) < BATCH:
            return
        after = due[-1]


SETTLEMENT = Job(
    "billing-settlement",
    Text(
        "Pays bills that came after the money from the balances of their lines.",
        "以用户预存余额缴付新到账单。",
    ),
    Every(INTERVAL),
    settle_bills,
)
