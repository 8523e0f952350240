"""The register of personal data, as far as requests between cities are concerned: cards, and customers who move."""

from collections.abc import Mapping

from services.city_node.erasure.declaration import BLANK, Column, PersonalTable, columns_of
from services.city_node.erasure.declaration import DataClass as D

_OF_LINES = (
    "p.subscription_id IN (SELECT s.id FROM subscription s WHERE s.customer_id = ANY($1::uuid[]))"
)
_OF_REQUESTS = """p.{} IN (
    SELECT v.request_id FROM sim_switch_reservation v JOIN subscription s ON s.id = v.subscription_id
    WHERE s.customer_id = ANY($1::uuid[]))"""
_OF_TRANSFERS = (
    "p.{} IN (SELECT t.request_id FROM transfer_case t WHERE t.customer_id = ANY($1::uuid[]))"
)

REQUESTS: Mapping[str, PersonalTable] = {
    "service_request": PersonalTable(
        columns_of(
            (
                D.RECORD,
                "id kind role home visited state awaiting deadline data refusal_code refusal_text unit_code",
            ),
            (D.RECORD, "created_at updated_at ended_at version"),
            (D.STAFF, "created_by"),
            subject=Column(D.LINE_NUMBER, BLANK),
        ),
        of=f"({_OF_REQUESTS.format('id')} OR {_OF_TRANSFERS.format('id')})",
    ),
    "service_request_event": PersonalTable(
        columns_of(
            (D.RECORD, "id request_id at node event state note message_id"), (D.STAFF, "by")
        ),
        of=f"({_OF_REQUESTS.format('request_id')} OR {_OF_TRANSFERS.format('request_id')})",
    ),
    "sim_card_stock": PersonalTable(
        columns_of(
            (D.RECORD, "iccid imsi unit_code state request_id created_at updated_at version")
        ),
        of=_OF_REQUESTS.format("request_id"),
    ),
    "sim_switch_reservation": PersonalTable(
        columns_of((D.RECORD, "request_id subscription_id state settled_at")), of=_OF_LINES
    ),
    "transfer_chunk": PersonalTable(
        columns_of(
            (D.RECORD, "request_id number came_at"), sealed=Column(D.IDENTITY, exported=False)
        ),
        of="p.request_id IN (SELECT t.request_id FROM transfer_case t WHERE t.customer_id = ANY($1::uuid[]))",
        deleted=True,
    ),
    "transfer_case": PersonalTable(
        columns_of(
            (D.PSEUDONYM, "request_id customer_id"),
            (D.RECORD, "epoch chunks sha256 had_prepared word"),
            memo=Column(D.LINE_NUMBER, exported=False),
        )
    ),
    # HQ's directory, which has the same tables as every node: ids, cities and moments.
    "ownership": PersonalTable(
        columns_of((D.PSEUDONYM, "customer_id transfer_id"), (D.RECORD, "owner epoch since"))
    ),
    "ownership_change": PersonalTable(
        columns_of(
            (D.PSEUDONYM, "customer_id transfer_id"), (D.RECORD, "epoch owner former_owner at")
        )
    ),
    "customer_ownership": PersonalTable(
        columns_of(
            (D.PSEUDONYM, "customer_id transfer_id"), (D.RECORD, "epoch state other since came_on")
        )
    ),
}
"""Every table of requests that is about customers, in an order in which each can still find its rows."""
