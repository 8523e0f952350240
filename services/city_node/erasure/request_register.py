"""The register's part about requests between cities: their records, trails and cards."""

from collections.abc import Mapping

from services.city_node.erasure.declaration import (
    BLANK,
    Column,
    DataClass,
    PersonalTable,
    columns_of,
)
from services.city_node.erasure.transfer_register import OF_TRANSFERS

D = DataClass
_OF_LINES = (
    "p.subscription_id IN (SELECT s.id FROM subscription s WHERE s.customer_id = ANY($1::uuid[]))"
)
_OF_CARDS = """p.{} IN (
    SELECT v.request_id FROM sim_switch_reservation v JOIN subscription s ON s.id = v.subscription_id
    WHERE s.customer_id = ANY($1::uuid[]))"""
_OF_REQUESTS = f"({_OF_CARDS} OR {OF_TRANSFERS})"
OF_REQUESTS: Mapping[str, PersonalTable] = {
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
        of=_OF_REQUESTS.format("id", "id"),
    ),
    "service_request_event": PersonalTable(
        columns_of(
            (D.RECORD, "id request_id at node event state note message_id"), (D.STAFF, "by")
        ),
        of=_OF_REQUESTS.format("request_id", "request_id"),
    ),
    "sim_card_stock": PersonalTable(
        columns_of(
            (D.RECORD, "iccid imsi unit_code state request_id created_at updated_at version")
        ),
        of=_OF_CARDS.format("request_id"),
    ),
    "sim_switch_reservation": PersonalTable(
        columns_of((D.RECORD, "request_id subscription_id state settled_at")), of=_OF_LINES
    ),
}
