"""The register's part about rules: results, what is due, appointments, reviews, migrations of levels, prospects."""

from collections.abc import Mapping

from services.city_node.erasure.declaration import (
    BLANK,
    Column,
    DataClass,
    PersonalTable,
    columns_of,
)

D = DataClass
OF_RULES: Mapping[str, PersonalTable] = {
    # Results are found anew; what they were is of the person. How levels moved is counted, and stays.
    "level_result": PersonalTable(
        columns_of(
            (D.RECORD, "customer_id since until as_of policy used level entitled basis"),
            (D.RECORD, "grace_level grace_until"),
        ),
        deleted=True,
    ),
    "credit_result": PersonalTable(
        columns_of((D.RECORD, "customer_id since until as_of policy used score rating limit_fen")),
        deleted=True,
    ),
    "level_appointment": PersonalTable(
        columns_of(
            (D.PSEUDONYM, "id customer_id"),
            (D.STATISTIC, "level since until state"),
            (D.RECORD, "proposed_at decided_at version"),
            (D.STAFF, "proposed_by proposer_id decided_by"),
            reason=Column(D.FREE_TEXT, BLANK),
            note=D.FREE_TEXT,
        )
    ),
    "level_review_line": PersonalTable(
        columns_of(
            (D.PSEUDONYM, "review_id customer_id"),
            (D.STATISTIC, "unit_code from_level to_level basis done"),
            (D.STAFF, "left_out_by"),
            left_out_reason=Column(
                D.FREE_TEXT, f"CASE WHEN p.left_out_reason IS NOT NULL THEN {BLANK} END"
            ),
        )
    ),
    "level_migration": PersonalTable(
        columns_of(
            (D.PSEUDONYM, "id customer_id cause_id"),
            (D.STATISTIC, "at unit_code from_level to_level source"),
            (D.STAFF, "by"),
        )
    ),
    "evaluation_mark": PersonalTable(columns_of((D.RECORD, "customer_id")), deleted=True),
    "evaluation_due": PersonalTable(columns_of((D.RECORD, "rule customer_id")), deleted=True),
    "evaluation_trial_change": PersonalTable(
        columns_of(
            (D.RECORD, "trial_id customer_id unit_code was_label label was_cost_fen cost_fen used")
        ),
        deleted=True,
    ),
    # The figures of a prospect and the plan are of the person; what happened is counted, and stays without words.
    "prospect_step": PersonalTable(
        columns_of(
            (
                D.RECORD,
                "prospect_id number code title_zh title_en responsible due_on outcome done_at",
            ),
            (D.STAFF, "done_by"),
            note=D.FREE_TEXT,
        ),
        of="p.prospect_id IN (SELECT q.id FROM prospect q WHERE q.customer_id = ANY($1::uuid[]))",
        deleted=True,
    ),
    "prospect": PersonalTable(
        columns_of(
            (D.RECORD, "id customer_id state target score signals used as_of policy found_at"),
            (D.RECORD, "next_due_on closed_at ending version"),
            (D.STAFF, "manager_id"),
            note=D.FREE_TEXT,
        ),
        deleted=True,
    ),
    "prospect_event": PersonalTable(
        columns_of(
            (D.PSEUDONYM, "id prospect_id customer_id"),
            (D.STATISTIC, "at act from_state to_state unit_code target score signals ending days"),
            (D.RECORD, "policy"),
            (D.STAFF, "by"),
            used=D.HISTORY,
            note=D.FREE_TEXT,
        )
    ),
}
"""Tables of evaluations, levels, credit and prospects."""
