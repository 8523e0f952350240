"""The register of personal data, as far as money is concerned: every figure stays, for the books must.

It also says which rows name a customer's line, or a request about one: tables of other packages are found so, too.
"""

from collections.abc import Mapping

from services.city_node.erasure.declaration import DataClass as D
from services.city_node.erasure.declaration import PersonalTable, columns_of

OF_LINES = (
    "p.subscription_id IN (SELECT s.id FROM subscription s WHERE s.customer_id = ANY($1::uuid[]))"
)
OF_REQUESTS = """p.{} IN (
    SELECT v.request_id FROM sim_switch_reservation v JOIN subscription s ON s.id = v.subscription_id
    WHERE s.customer_id = ANY($1::uuid[])
    UNION ALL SELECT unnest(ARRAY[v.request_id, v.reversal_id])
    FROM payment_credit v JOIN subscription s ON s.id = v.subscription_id WHERE s.customer_id = ANY($1::uuid[]))"""
"""With a place for the column that holds the request's id."""

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
