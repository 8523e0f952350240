"""The register of personal data: for every column about customers, what kind of data it holds and what becomes of it.

One declaration serves three ends. Erasure empties what is personal and deletes the rows that are nothing else; the
proof of erasure names the classes; and a person's export (:mod:`~services.city_node.subject_request`) is what the
register lists. A test fails when a table about customers has a column that is not declared here, so that a new column
cannot be forgotten.
"""

from collections.abc import Iterator, Mapping

from sqlalchemy import MetaData

from services.city_node.erasure.declaration import (
    BLANK,
    KEPT,
    Column,
    PersonalTable,
    columns_of,
)
from services.city_node.erasure.declaration import DataClass as D
from services.city_node.erasure.offer_register import OFFERS
from services.city_node.erasure.payment_register import PAYMENTS
from services.city_node.erasure.points_register import POINTS
from services.city_node.erasure.repair_register import REPAIRS
from services.city_node.erasure.request_register import OF_LINES, REQUESTS
from services.city_node.erasure.rule_register import OF_RULES
from services.city_node.erasure.transfer_register import TRANSFERS

# ruff: noqa: S608 - put together from declarations, never from input

_OF_MERGES = "({}.survivor_id = ANY($1::uuid[]) OR {}.merged_id = ANY($1::uuid[]))"
_KEPT_IN_HISTORY = (
    "kind", "library", "sex", "level", "unit_code", "manager_id", "contract_term", "monthly_charge_fen",
    "total_charge_fen", "entry_date", "left_on", "left_competitor",
)  # fmt: skip
_HISTORY = f"""(
    SELECT coalesce(jsonb_agg(
        CASE WHEN change ->> 'field' IN ({", ".join(f"'{name}'" for name in _KEPT_IN_HISTORY)}) THEN change
             ELSE jsonb_build_object('field', split_part(change ->> 'field', '/', 1), 'old', NULL, 'new', NULL) END
        ORDER BY place), '[]')
    FROM jsonb_array_elements(p.changes) WITH ORDINALITY AS listed (change, place))"""
"""A change keeps that something was changed; its values only where they are counted, and a path loses its end."""

REGISTER: Mapping[str, PersonalTable] = {
    # What undoing a merge would bring back, and what leads from the other profile to this one.
    "customer_merge_row": PersonalTable(
        columns_of(
            (D.HISTORY, "id merge_id table_name column_name key before"),
            digest=Column(D.HISTORY, exported=False),
            row=Column(D.HISTORY, exported=False),
        ),
        of=f"p.merge_id IN (SELECT m.id FROM customer_merge m WHERE {_OF_MERGES.format('m', 'm')})",
        deleted=True,
    ),
    "customer_merge": PersonalTable(
        columns_of(
            (D.HISTORY, "id survivor_id merged_id merged_number at by state note chosen"),
            (D.HISTORY, "moved set_aside undone_at undone_by"),
            profile=Column(D.HISTORY, exported=False),
            before=Column(D.HISTORY, exported=False),
            after=Column(D.HISTORY, exported=False),
        ),
        of=_OF_MERGES.format("p", "p"),
        deleted=True,
    ),
    "merged_customer": PersonalTable(
        columns_of((D.IDENTITY, "id customer_number survivor_id at")),
        of="p.survivor_id = ANY($1::uuid[])",
        deleted=True,
    ),
    "customer_further_key": PersonalTable(
        columns_of((D.IDENTITY, "source source_key customer_id at")), deleted=True
    ),
    "customer_proposal": PersonalTable(
        columns_of(
            (D.HISTORY, "id customer_id state changes seen_version proposed_at proposed_by"),
            (D.HISTORY, "proposer_id expires_at decided_at decided_by decision version"),
            sealed=Column(D.HISTORY, exported=False),
            seen=Column(D.HISTORY, exported=False),
        ),
        deleted=True,
    ),
    "duplicate_key": PersonalTable(
        columns_of(
            (D.IDENTITY, "customer_id kind"),
            value=Column(D.IDENTITY, exported=False),
        ),
        deleted=True,
    ),
    **OF_RULES,
    "customer_completeness": PersonalTable(
        columns_of((D.RECORD, "customer_id score missing computed_at")), deleted=True
    ),
    "customer_verification": PersonalTable(
        columns_of((D.RECORD, "customer_id verified_on"), (D.STAFF, "verified_by")), deleted=True
    ),
    "contact_bounce": PersonalTable(
        columns_of((D.CONTACT, "contact_id customer_id at note"), (D.STAFF, "by")), deleted=True
    ),
    "verification_task": PersonalTable(
        columns_of(
            (D.RECORD, "id customer_id reason state due_on created_at closed_at version"),
            (D.STAFF, "closed_by"),
            note=D.FREE_TEXT,
        )
    ),
    "contact_medium": PersonalTable(
        columns_of(
            (
                D.CONTACT,
                "id customer_id kind value value_masked preferred preferred_hours value_cipher",
            ),
            value_index=Column(D.CONTACT, exported=False),
        ),
        deleted=True,
    ),
    "key_person": PersonalTable(
        columns_of(
            (
                D.THIRD_PERSON,
                "id customer_id name title department decision_role decision_order influence attitude birth_date",
            ),
            (D.THIRD_PERSON, "phone_masked email_masked note"),
            **dict.fromkeys(
                ("phone", "phone_cipher", "phone_index", "email", "email_cipher", "email_index"),
                Column(D.THIRD_PERSON, exported=False),
            ),
        ),
        deleted=True,
    ),
    "tie": PersonalTable(
        columns_of(
            (D.THIRD_PERSON, "id customer_id kind related_id person_name phone_masked note"),
            **dict.fromkeys(
                ("phone", "phone_cipher", "phone_index"), Column(D.THIRD_PERSON, exported=False)
            ),
        ),
        deleted=True,
        also_deleted="p.related_id = ANY($1::uuid[])",
    ),
    "preference": PersonalTable(
        columns_of((D.PREFERENCE, "id customer_id topic value")), deleted=True
    ),
    # A locked list says that whoever is on it was of some kind; living segments find nobody who was erased.
    "segment_member": PersonalTable(
        columns_of((D.PREFERENCE, "segment_id list_version customer_id")), deleted=True
    ),
    "sim": PersonalTable(
        columns_of((D.LINE_NUMBER, "iccid imsi state subscription_id activated_at ended_at")),
        of=OF_LINES,
        deleted=True,
    ),
    **REQUESTS,
    **PAYMENTS,
    **TRANSFERS,
    **REPAIRS,
    "subscription": PersonalTable(
        columns_of(
            (D.PSEUDONYM, "id customer_id"),
            (D.STATISTIC, "brand plan contract_term status entry_date ended_on"),
            msisdn=Column(D.LINE_NUMBER, "p.id::text"),
            handset=D.FREE_TEXT,
            imei=D.LINE_NUMBER,
        )
    ),
    "bill": PersonalTable(
        columns_of(
            (D.PSEUDONYM, "id subscription_id customer_id"),
            (D.STATISTIC, "period charge_fen paid_on"),
            (D.RECORD, "import_number"),
        )
    ),
    "usage_month": PersonalTable(
        columns_of(
            (D.PSEUDONYM, "subscription_id customer_id"),
            (D.STATISTIC, "quantity charge_fen period kind band"),
            (D.RECORD, "import_number"),
        ),
        of=OF_LINES,  # the largest table has no index by customer
    ),
    "enterprise": PersonalTable(
        columns_of(
            (D.PSEUDONYM, "customer_id"),
            (D.STATISTIC, "industry_code size_class employees"),
            registered_capital_fen=D.IDENTITY,
            annual_revenue_fen=D.IDENTITY,
            founded_on=D.IDENTITY,
            legal_representative=D.THIRD_PERSON,
            website=D.IDENTITY,
            address=D.CONTACT,
            telecom_budget_fen=D.IDENTITY,
            parent_name=D.IDENTITY,
            parent_customer_number=D.IDENTITY,
        )
    ),
    "group_member": PersonalTable(
        columns_of(
            (D.PSEUDONYM, "id customer_id member_id"),
            (D.STATISTIC, "since until"),
            position=D.FREE_TEXT,
            short_number=D.LINE_NUMBER,
        ),
        of="(p.customer_id = ANY($1::uuid[]) OR p.member_id = ANY($1::uuid[]))",
    ),
    "agreement": PersonalTable(
        columns_of(
            (D.PSEUDONYM, "id customer_id"),
            (
                D.STATISTIC,
                "kind signed_on starts_on expires_on auto_renews renewal_months notice_days amount_fen",
            ),
            number=Column(D.IDENTITY, "p.id::text"),
            title=Column(D.FREE_TEXT, BLANK),
            note=D.FREE_TEXT,
        )
    ),
    "product_holding": PersonalTable(
        columns_of(
            (D.PSEUDONYM, "id customer_id"),
            (D.STATISTIC, "product_code name category quantity monthly_fee_fen since until"),
        )
    ),
    "competitor_use": PersonalTable(
        columns_of(
            (D.PSEUDONYM, "id customer_id"),
            (
                D.STATISTIC,
                "operator category product share_percent monthly_fee_fen since until expires_on",
            ),
            note=D.FREE_TEXT,
        )
    ),
    "interaction": PersonalTable(
        columns_of(
            (D.PSEUDONYM, "id customer_id"),
            (D.STATISTIC, "at channel kind"),
            (D.RECORD, "import_number"),
            (D.STAFF, "staff"),
            subject=Column(D.FREE_TEXT, BLANK),
            summary=D.FREE_TEXT,
            outcome=D.FREE_TEXT,
            source=D.IDENTITY,
            source_key=D.IDENTITY,
        )
    ),
    "win_back_attempt": PersonalTable(
        columns_of(
            (D.PSEUDONYM, "id customer_id"),
            (
                D.STATISTIC,
                "at channel result next_due left_on left_reason left_competitor lost_monthly_charge_fen",
            ),
            (D.STAFF, "staff"),
            offer=D.FREE_TEXT,
            note=D.FREE_TEXT,
        )
    ),
    **POINTS,
    **OFFERS,
    # What an undo of an import would bring back.
    "customer_import_before": PersonalTable(
        columns_of(
            (D.HISTORY, "import_id id customer_id record key"),
            before=Column(D.HISTORY, exported=False),
        ),
        deleted=True,
    ),
    "customer_import_kept": PersonalTable(
        columns_of((D.HISTORY, "id import_id customer_id record key reason")), deleted=True
    ),
    "customer_change": PersonalTable(
        columns_of(
            (D.PSEUDONYM, "id customer_id cause_id"),
            (D.RECORD, "at source action"),
            (D.STAFF, "by"),
            changes=Column(D.HISTORY, _HISTORY),
        )
    ),
    "legal_hold": PersonalTable(
        columns_of(
            (D.RECORD, "id customer_id placed_at lift_proposed_at lifted_at version"),
            (D.STAFF, "placed_by lift_proposed_by lifted_by"),
            reason=Column(D.FREE_TEXT, BLANK),
            lift_reason=Column(
                D.FREE_TEXT, f"CASE WHEN p.lift_reason IS NOT NULL THEN {BLANK} END"
            ),
        )
    ),
    "subject_request_event": PersonalTable(
        columns_of((D.RECORD, "id request_id at event state"), (D.STAFF, "by"), note=D.FREE_TEXT),
        of="p.request_id IN (SELECT r.id FROM subject_request r WHERE r.customer_id = ANY($1::uuid[]))",
    ),
    "subject_request": PersonalTable(
        columns_of(
            (
                D.RECORD,
                "id customer_id kind state received_on deadline refusal_code created_at updated_at ended_at version",
            ),
            (D.STAFF, "created_by proposed_by"),
            details=D.FREE_TEXT,
            identity_check=D.FREE_TEXT,
        )
    ),
    "erasure": PersonalTable(
        columns_of(
            (D.RECORD, "customer_id at cause cause_id left_on left_reason classes"),
            (D.STAFF, "by approved_by"),
        )
    ),
    "customer": PersonalTable(
        columns_of(
            (D.PSEUDONYM, "id"),
            (
                D.STATISTIC,
                "kind library sex level unit_code contract_term monthly_charge_fen total_charge_fen entry_date left_on",
            ),
            (D.STATISTIC, "left_reason left_competitor"),
            (D.STAFF, "manager_id created_by updated_by"),
            (D.RECORD, "version created_at updated_at"),
            customer_number=Column(D.IDENTITY, "p.id::text"),
            name=Column(D.IDENTITY, BLANK),
            name_sort=Column(D.IDENTITY, BLANK, exported=False),
            birth_date=D.IDENTITY,
            document_type=D.DOCUMENT,
            document_cipher=D.DOCUMENT,
            document_index=Column(D.DOCUMENT, exported=False),
            document_masked=D.DOCUMENT,
            payment_method=D.FREE_TEXT,
            attributes=Column(D.FREE_TEXT, "'{}'"),
            source=D.IDENTITY,
            source_key=D.IDENTITY,
            left_destination=D.FREE_TEXT,
            left_note=D.FREE_TEXT,
        ),
        of="p.id = ANY($1::uuid[])",
    ),
}
"""Every table about customers, in an order in which each can still find its rows."""

CLASSES = tuple(
    sorted(
        {
            column.data.value
            for table in REGISTER.values()
            for column in table.columns.values()
            if column.data not in KEPT
        }
    )
)
"""The classes of what erasure takes away."""


def undeclared(
    metadata: MetaData, register: Mapping[str, PersonalTable] = REGISTER
) -> Iterator[str]:
    """Give each column about customers that the register does not declare, and each that it declares and is not there.

    A table is about customers if it says whose row it is (``customer_id``), or refers to a customer, to a line, or to
    a table that is declared.
    """
    tables = metadata.tables
    about = set(register) | {
        name
        for name, table in tables.items()
        if "customer_id" in table.columns
        or any(key.column.table.name in register for key in table.foreign_keys)
    }
    for name in sorted(about):
        declared = set(register[name].columns) if name in register else set()
        present = set(tables[name].columns.keys()) if name in tables else set()
        yield from (f"{name}.{column}" for column in sorted(declared ^ present))
