"""The register of personal data, as far as repairs are concerned: handsets and words go, every count and cost stays."""

from collections.abc import Mapping

from services.city_node.erasure.declaration import BLANK, Column, PersonalTable, columns_of
from services.city_node.erasure.declaration import DataClass as D

_OF_REQUESTS = """p.request_id IN (
    SELECT q.request_id FROM repair_promise q WHERE q.customer_id = ANY($1::uuid[]))"""

REPAIRS: Mapping[str, PersonalTable] = {
    # The visited city's, whose customer it is not: it knows neither number nor name.
    "handset_loan": PersonalTable(
        columns_of(
            (D.RECORD, "id handset_id request_id deposit_fen due_on lent_at ending ended_at"),
            (D.RECORD, "refunded_fen kept_fen note"),
            (D.STAFF, "lent_by ended_by"),
        ),
        of=_OF_REQUESTS,
    ),
    "repair_estimate": PersonalTable(
        columns_of(
            (D.RECORD, "request_id number parts labour_fen total_fen customer_fen home_fen"),
            (D.RECORD, "estimated_at decision decided_at"),
            (D.STAFF, "estimated_by decided_by"),
        ),
        of=_OF_REQUESTS,
    ),
    "repair_ticket": PersonalTable(
        columns_of(
            (D.RECORD, "request_id make model imei_masked fault purchased_on level in_warranty"),
            (D.RECORD, "imei_matches home_share_permille cap_fen deposit_fen loan_days result"),
            (D.RECORD, "parts labour_fen total_fen repaired_at replacement replacement_masked"),
            (D.RECORD, "goodwill_fen customer_fen home_fen visited_fen days receipt returned_at"),
            (D.RECORD, "promised_fen business_day told"),
            (D.STAFF, "repaired_by returned_by"),
            replacement_sealed=Column(D.RECORD, exported=False),
        ),
        of=_OF_REQUESTS,
    ),
    # The home city's.
    "repair_satisfaction": PersonalTable(
        columns_of(
            (D.PSEUDONYM, "request_id"),
            (D.STATISTIC, "score level unit_code answered_at"),
            comment=D.FREE_TEXT,
        ),
        of=_OF_REQUESTS,
    ),
    "repair_record": PersonalTable(
        columns_of(
            (D.PSEUDONYM, "request_id customer_id subscription_id"),
            (D.STATISTIC, "visited level in_warranty result parts labour_fen total_fen"),
            (D.STATISTIC, "customer_fen home_fen visited_fen claimed_fen days"),
            (D.STATISTIC, "recorded_at business_day"),
            handset=Column(D.FREE_TEXT, BLANK),
            imei=Column(D.LINE_NUMBER, BLANK),
            fault=Column(D.FREE_TEXT, BLANK),
            replacement=D.FREE_TEXT,
            replacement_imei=D.LINE_NUMBER,
        )
    ),
    "repair_promise": PersonalTable(
        columns_of(
            (D.PSEUDONYM, "request_id customer_id subscription_id"),
            (D.RECORD, "purchased_on level in_warranty imei_matches home_share_permille cap_fen"),
            (D.RECORD, "deposit_fen loan_days policy state settled_at"),
            make=Column(D.FREE_TEXT, BLANK),
            model=Column(D.FREE_TEXT, BLANK),
            # One at a time for each handset: so it becomes what no other row has.
            imei=Column(D.LINE_NUMBER, "p.request_id::text"),
            fault=Column(D.FREE_TEXT, BLANK),
        )
    ),
}
"""Every table of repairs that is about customers."""
