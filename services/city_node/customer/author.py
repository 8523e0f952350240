"""Who changes a customer, whichever way the change takes to the database."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from shared.access import Principal
from shared.kernel.clock import business_day
from shared.kernel.encryption import Cipher


@dataclass(frozen=True, slots=True)
class Author:
    """Who makes a change, and when.

    Attributes:
        principal: who.
        now: when.
        cipher: the node's keys for personal numbers.
        strict: whether attributes that the node does not declare are refused.
        cause_id: what the history names as the cause of the change, such as an approved proposal.
    """

    principal: Principal
    now: datetime
    cipher: Cipher
    strict: bool = False
    cause_id: UUID | None = None

    @property
    def today(self) -> date:
        """The business day."""
        return business_day(self.now)
