"""The register of personal data, as far as money is concerned: every figure stays, for the books must."""

from collections.abc import Mapping

from services.city_node.erasure.declaration import DataClass as D
from services.city_node.erasure.declaration import PersonalTable, columns_of
from services.city_node.erasure.request_register import OF_LINES, OF_REQUESTS

PAYMENTS: Mapping[str, PersonalTable] = {
    "payment_reversal": PersonalTable(
        columns_of((D.RECORD, "request_id payment_id reason given_back_at")),
        of=OF_REQUESTS.format("request_id"),
    ),
    "payment": PersonalTable(
        columns_of(
            (D.RECORD, "request_id shift_id receipt_number reversal_id"),
            (D.STATISTIC, "amount_fen taken_at credited_at business_day given_back_at reversed_at"),
        ),
        of=OF_REQUESTS.format("request_id"),
    ),
    "payment_credit": PersonalTable(
        columns_of(
            (D.PSEUDONYM, "request_id subscription_id reversal_id"),
            (D.STATISTIC, "amount_fen credited_at business_day resumed reversed_at"),
        ),
        of=OF_LINES,
    ),
    "billing_entry": PersonalTable(
        columns_of(
            (D.PSEUDONYM, "id subscription_id bill_id cause_id"),
            (D.STATISTIC, "at kind amount_fen"),
        ),
        of=OF_LINES,
    ),
    "billing_account": PersonalTable(
        columns_of(
            (D.PSEUDONYM, "subscription_id"),
            (D.STATISTIC, "balance_fen suspended_at"),
            (D.RECORD, "updated_at version"),
        ),
        of=OF_LINES,
    ),
}
"""Every table of payments and balances, in an order in which each can still find its rows."""
