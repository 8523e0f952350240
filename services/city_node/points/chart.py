"""The chart of accounts: the node's own accounts, and between which accounts each kind of entry moves points.

Every entry moves points from one account, the debit, to another, the credit. Customers' accounts are numbered from
:data:`FIRST_CUSTOMER_ACCOUNT`; below are the node's own, whose balances are what the ledger says and nothing that is
kept: one row that every posting of a city had to wait for would be.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from shared.kernel.language import Text

FIRST_CUSTOMER_ACCOUNT = 1000


class SystemAccount(IntEnum):
    """An account of the node's own."""

    ISSUED = 1
    REDEEMED = 2
    EXPIRED = 3
    ADJUSTED = 4
    FORFEITED = 5
    ELSEWHERE = 6
    """Other cities: what customers took with them when they moved, and brought when they came."""


class EntryKind(StrEnum):
    """Why points moved."""

    ACCRUAL = "accrual"
    CORRECTION = "correction"
    REDEMPTION = "redemption"
    REVERSAL = "reversal"
    EXPIRY = "expiry"
    ADJUSTMENT = "adjustment"
    TRANSFER = "transfer"
    FORFEITURE = "forfeiture"
    MOVE = "move"


@dataclass(frozen=True, slots=True)
class Posting:
    """What entries of one kind do: from where to where, ``None`` being a customer's account."""

    summary: Text
    ways: tuple[tuple[SystemAccount | None, SystemAccount | None], ...]


_S = SystemAccount
POSTINGS: Mapping[EntryKind, Posting] = {
    EntryKind.ACCRUAL: Posting(Text("a bill earned points", "账单积分"), ((_S.ISSUED, None),)),
    EntryKind.CORRECTION: Posting(
        Text("a bill became smaller, unpaid or void", "账单更正扣回"), ((None, _S.ISSUED),)
    ),
    EntryKind.REDEMPTION: Posting(
        Text("points were given for a reward", "兑换礼品"), ((None, _S.REDEEMED),)
    ),
    EntryKind.REVERSAL: Posting(
        Text("a redemption was cancelled or reversed", "兑换撤销或冲正"), ((_S.REDEEMED, None),)
    ),
    EntryKind.EXPIRY: Posting(Text("a lot expired", "积分到期"), ((None, _S.EXPIRED),)),
    EntryKind.ADJUSTMENT: Posting(
        Text("somebody added or took away points", "人工调整"),
        ((_S.ADJUSTED, None), (None, _S.ADJUSTED)),
    ),
    EntryKind.TRANSFER: Posting(
        Text("one customer gave points to another", "积分转赠"), ((None, None),)
    ),
    EntryKind.FORFEITURE: Posting(
        Text("the customer was erased", "客户删除作废"), ((None, _S.FORFEITED),)
    ),
    EntryKind.MOVE: Posting(
        Text("the customer moved to or from another city", "客户转网转出或转入"),
        ((None, _S.ELSEWHERE), (_S.ELSEWHERE, None)),
    ),
}
"""The postings' table: what each kind of entry may do. The database checks it for every entry."""


def _side(account: SystemAccount | None, column: str) -> str:
    return f"{column} >= {FIRST_CUSTOMER_ACCOUNT}" if account is None else f"{column} = {account:d}"


def postings_check() -> str:
    """Return the condition that every entry meets."""
    return " OR ".join(
        f"kind = '{kind.value}' AND {_side(debit, 'debit_id')} AND {_side(credit, 'credit_id')}"
        for kind, posting in POSTINGS.items()
        for debit, credit in posting.ways
    )
