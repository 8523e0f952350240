"""The register's part about transfers between cities: ids and moments, and a record that is sealed."""

from collections.abc import Mapping

from services.city_node.erasure.declaration import Column, PersonalTable, columns_of
from services.city_node.erasure.declaration import DataClass as D

OF_TRANSFERS = (
    "p.{} IN (SELECT t.request_id FROM transfer_case t WHERE t.customer_id = ANY($1::uuid[]))"
)
"""SQL condition of rows about transfers of the customers, by the column that has the request."""

TRANSFERS: Mapping[str, PersonalTable] = {
    "transfer_chunk": PersonalTable(
        columns_of(
            (D.RECORD, "request_id number came_at"), sealed=Column(D.IDENTITY, exported=False)
        ),
        of=OF_TRANSFERS.format("request_id"),
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
"""Every table of transfers, in an order in which each can still find its rows."""
