"""The register of personal data, as far as offers are concerned: what people wrote goes, every count and cost stays."""

from collections.abc import Mapping

from services.city_node.erasure.declaration import DataClass as D
from services.city_node.erasure.declaration import PersonalTable, columns_of

OFFERS: Mapping[str, PersonalTable] = {
    "offer_use": PersonalTable(
        columns_of(
            (D.PSEUDONYM, "id grant_id reverses_id"),
            (D.STATISTIC, "offer_code unit_code uses cost_fen used_on used_at place_code channel"),
            (D.STATISTIC, "reason"),
            (D.STAFF, "used_by"),
        ),
        of="p.grant_id IN (SELECT g.id FROM offer_grant g WHERE g.customer_id = ANY($1::uuid[]))",
    ),
    "offer_grant": PersonalTable(
        columns_of(
            (D.PSEUDONYM, "id customer_id"),
            (D.STATISTIC, "offer_code unit_code quota_year quota_unit uses used cost_fen state"),
            (D.STATISTIC, "level granted_on valid_until granted_at decided_at"),
            (D.STAFF, "granted_by granter_id decided_by"),
            (D.RECORD, "policy version"),
            reason=D.FREE_TEXT,
        )
    ),
}
"""Every table of offers that is about customers."""
