"""The register of personal data, as far as money is concerned: every figure stays, for the books must."""

from collections.abc import Mapping

from services.city_node.erasure.declaration import DataClass as D
from services.city_node.erasure.declaration import PersonalTable, columns_of


def payments(of_lines: str, of_requests: str) -> Mapping[str, PersonalTable]:
    """Return the tables of payments and balances, in an order in which each can still find its rows.

    Args:
        of_lines: SQL condition of the rows that name a customer's line.
        of_requests: the same of those that name a request about one, with a place for the column.
    """
    return {
        "payment_reversal": PersonalTable(
            columns_of((D.RECORD, "request_id payment_id reason given_back_at")),
            of=of_requests.format("request_id"),
        ),
        "payment": PersonalTable(
            columns_of(
                (D.RECORD, "request_id shift_id receipt_number reversal_id"),
                (
                    D.STATISTIC,
                    "amount_fen taken_at credited_at business_day given_back_at reversed_at",
                ),
            ),
            of=of_requests.format("request_id"),
        ),
        "payment_credit": PersonalTable(
            columns_of(
                (D.PSEUDONYM, "request_id subscription_id reversal_id"),
                (D.STATISTIC, "amount_fen credited_at business_day resumed reversed_at"),
            ),
            of=of_lines,
        ),
        "billing_entry": PersonalTable(
            columns_of(
                (D.PSEUDONYM, "id subscription_id bill_id cause_id"),
                (D.STATISTIC, "at kind amount_fen"),
            ),
            of=of_lines,
        ),
        "billing_account": PersonalTable(
            columns_of(
                (D.PSEUDONYM, "subscription_id"),
                (D.STATISTIC, "balance_fen suspended_at"),
                (D.RECORD, "updated_at version"),
            ),
            of=of_lines,
        ),
    }
