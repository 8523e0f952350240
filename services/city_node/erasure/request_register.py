"""The register's part about requests between cities: records, trails, attachments and cards."""

from collections.abc import Mapping

from services.city_node.erasure.declaration import (
    BLANK,
    Column,
    DataClass,
    PersonalTable,
    columns_of,
)

# ruff: noqa: S608 - put together from declarations, never from input

D = DataClass
OF_LINES = (
    "p.subscription_id IN (SELECT s.id FROM subscription s WHERE s.customer_id = ANY($1::uuid[]))"
)
"""Rows that name a customer's line."""
_ABOUT_LINES = (
    "JOIN subscription s ON s.id = v.subscription_id WHERE s.customer_id = ANY($1::uuid[])"
)
_REQUESTS = (
    f"SELECT v.request_id FROM sim_switch_reservation v {_ABOUT_LINES}",
    f"SELECT unnest(ARRAY[v.request_id, v.reversal_id]) FROM payment_credit v {_ABOUT_LINES}",
    "SELECT v.request_id FROM repair_promise v WHERE v.customer_id = ANY($1::uuid[])",
    "SELECT v.request_id FROM transfer_case v WHERE v.customer_id = ANY($1::uuid[])",
)
"""By kind, the requests that are about a customer."""
OF_REQUESTS = f"p.{{}} IN ({' UNION ALL '.join(_REQUESTS)})"
"""Rows that name a request about a customer, with a place for the column that does."""
_OF_LINE_ITSELF = OF_LINES.replace("p.subscription_id", "p.cause_id")
_UNSAID = '{"en": "The customer was told by SMS.", "zh": "已短信告知客户。"}'
_OF_ATTACHMENTS = f"""p.attachment_id IN (
    SELECT a.id FROM attachment a WHERE {OF_REQUESTS.replace("p.", "a.").format("request_id")})"""
REQUESTS: Mapping[str, PersonalTable] = {
    "service_request": PersonalTable(
        columns_of(
            (
                D.RECORD,
                "id kind role home visited state awaiting deadline data refusal_code refusal_text unit_code",
            ),
            (D.RECORD, "created_at updated_at ended_at version"),
            (D.RECORD, "attend_at attention_code attention_text attention_since"),
            (D.STAFF, "created_by"),
            subject=Column(D.LINE_NUMBER, BLANK),
            question=Column(D.IDENTITY, exported=False),
        ),
        of=OF_REQUESTS.format("id"),
    ),
    # What systems outside were asked: a number, the text of a message. What is open is not asked any more.
    "port_call": PersonalTable(
        columns_of(
            (
                D.RECORD,
                "id number port operation effect cause_id ordering_key state attempts due_at",
            ),
            (D.RECORD, "last_error refusal answer created_at ended_at discard_reason"),
            (D.RECORD, "discard_proposed_at"),
            (D.STAFF, "discard_proposed_by discarded_by"),
            content_cipher=Column(D.CONTACT, exported=False),
        ),
        of=f"({OF_REQUESTS.format('cause_id')} OR {_OF_LINE_ITSELF})",
        deleted=True,
    ),
    "service_request_event": PersonalTable(
        columns_of(
            (D.RECORD, "id request_id at node event state message_id"),
            (D.STAFF, "by"),
            # Once it said to which number, masked.
            note=Column(
                D.CONTACT,
                f"CASE WHEN p.event = 'customer-told' THEN '{_UNSAID}'::jsonb ELSE p.note END",
            ),
        ),
        of=OF_REQUESTS.format("request_id"),
    ),
    "attachment_chunk": PersonalTable(
        columns_of(
            (D.RECORD, "id attachment_id source number received_at"),
            content_cipher=Column(D.IDENTITY, exported=False),
        ),
        of=_OF_ATTACHMENTS,
        deleted=True,
    ),
    "attachment": PersonalTable(
        columns_of(
            (D.RECORD, "id request_id node kind media_type size sha256 chunks state"),
            (D.RECORD, "created_at held_at erased_at sent_to"),
            (D.STAFF, "created_by"),
        ),
        of=OF_REQUESTS.format("request_id"),
        deleted=True,
    ),
    "card_order_card": PersonalTable(
        columns_of((D.RECORD, "iccid order_id consignment")),
        of=f"p.iccid IN (SELECT c.iccid FROM sim_card_stock c WHERE {OF_REQUESTS.replace('p.', 'c.').format('request_id')})",
    ),
    "sim_card_stock": PersonalTable(
        columns_of(
            (D.RECORD, "iccid imsi unit_code state request_id created_at updated_at version")
        ),
        of=OF_REQUESTS.format("request_id"),
    ),
    "sim_switch_reservation": PersonalTable(
        columns_of((D.RECORD, "request_id subscription_id state settled_at")), of=OF_LINES
    ),
}
"""Every table of requests that is about customers, in an order in which each can still find its rows."""
