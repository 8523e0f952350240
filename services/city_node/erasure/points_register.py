"""The register of personal data, as far as points are concerned: what people wrote goes, every figure stays.

What is left in an account is forfeited when its customer is erased (:mod:`services.city_node.points.forfeiture`).
"""

from collections.abc import Mapping

from services.city_node.erasure.declaration import BLANK, Column, PersonalTable, columns_of
from services.city_node.erasure.declaration import DataClass as D

_ACCOUNTS = "(SELECT a.id FROM points_account a WHERE a.customer_id = ANY($1::uuid[]))"

POINTS: Mapping[str, PersonalTable] = {
    "points_adjustment": PersonalTable(
        columns_of(
            (D.PSEUDONYM, "id customer_id"),
            (D.STATISTIC, "points"),
            (D.RECORD, "state requested_at decided_at version"),
            (D.STAFF, "requested_by requester_id decided_by"),
            reason=Column(D.FREE_TEXT, BLANK),
            decision=D.FREE_TEXT,
        )
    ),
    "points_transfer": PersonalTable(
        columns_of(
            (D.PSEUDONYM, "id giver_id receiver_id"),
            (D.STATISTIC, "points at"),
            (D.STAFF, "by"),
            note=D.FREE_TEXT,
        ),
        of=f"(p.giver_id IN {_ACCOUNTS} OR p.receiver_id IN {_ACCOUNTS})",
    ),
    "redemption": PersonalTable(
        columns_of(
            (D.PSEUDONYM, "id customer_id"),
            (D.STATISTIC, "reward_code quantity points state at settled_at"),
            (D.STAFF, "by settled_by"),
            (D.RECORD, "version"),
            reason=D.FREE_TEXT,
        )
    ),
    "points_accrual": PersonalTable(
        columns_of(
            (D.PSEUDONYM, "bill_id account_id"),
            (D.STATISTIC, "points waived charge_fen rate_permille expires_on level campaign"),
            (D.RECORD, "basis_id"),
        ),
        of=f"p.account_id IN {_ACCOUNTS}",
    ),
    "points_entry": PersonalTable(
        columns_of(
            (D.PSEUDONYM, "id debit_id credit_id bill_id cause_id"),
            (D.STATISTIC, "at kind points expires_on"),
        ),
        of=f"(p.debit_id IN {_ACCOUNTS} OR p.credit_id IN {_ACCOUNTS})",
    ),
    "points_lot": PersonalTable(
        columns_of((D.PSEUDONYM, "account_id"), (D.STATISTIC, "expires_on remaining")),
        of=f"p.account_id IN {_ACCOUNTS}",
    ),
    "points_balance": PersonalTable(
        columns_of((D.PSEUDONYM, "account_id"), (D.STATISTIC, "balance")),
        of=f"p.account_id IN {_ACCOUNTS}",
    ),
    "points_account": PersonalTable(
        columns_of(
            (D.PSEUDONYM, "id customer_id"),
            (D.RECORD, "is_primary opened_at closed_at frozen_at version"),
            (D.STAFF, "frozen_by"),
            frozen_reason=D.FREE_TEXT,
        )
    ),
}
"""Every table of points, in an order in which each can still find its rows."""
