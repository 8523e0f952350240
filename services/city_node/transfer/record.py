"""What of a customer moves to another city, table by table; and what stays, and why.

Every table that is about customers is in one of three places here: it is *carried*, row by row; it *stays*, with the
reason; or it is of the *points*, which go by entries of the ledger. A test fails for a table about customers that is in
none, and for a column of a carried table that names something which only this city has.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import MetaData, Table

from services.city_node.personal_data.columns import COLUMNS, SealedColumn
from shared.kernel.database import Base


@dataclass(frozen=True)
class Carried:
    """How the rows of a table move.

    Attributes:
        of: SQL condition of the rows ``p`` of the customer ``$1``.
        key: columns by which a row is known again, where the customer has been before.
        instead: SQL by column of what is sent in place of its value, which only this city understands.
        own: columns that the city to which it comes makes by itself.
        stays_known: whether rows of an earlier stay are kept, because what stays refers to them; others are replaced.
    """

    of: str = "p.customer_id = $1"
    key: tuple[str, ...] = ("id",)
    instead: Mapping[str, str] = field(default_factory=dict)
    own: tuple[str, ...] = ()
    stays_known: bool = False


_NOT_KNOWN_THERE = "NULL"
_IMPORTED = {"import_number": _NOT_KNOWN_THERE}
_SOURCE = {"source": _NOT_KNOWN_THERE, "source_key": _NOT_KNOWN_THERE}

CARRIED: Mapping[str, Carried] = {
    "customer": Carried(
        of="p.id = $1",
        # The unit is the other city's; its sources know the customer by keys of their own.
        instead={
            **_SOURCE,
            "unit_code": _NOT_KNOWN_THERE,
            "manager_id": _NOT_KNOWN_THERE,
            **dict.fromkeys(
                (
                    *("left_on", "left_reason", "left_destination", "left_competitor"),
                    "left_note",
                ),
                _NOT_KNOWN_THERE,
            ),
            "library": "'in_network'",
        },
        stays_known=True,
    ),
    "contact_medium": Carried(),
    "contact_bounce": Carried(key=("contact_id",)),
    "customer_verification": Carried(key=("customer_id",)),
    "subscription": Carried(stays_known=True),
    "sim": Carried(
        of="p.subscription_id IN (SELECT s.id FROM subscription s WHERE s.customer_id = $1)",
        key=("iccid",),
        stays_known=True,
    ),
    "bill": Carried(
        key=("subscription_id", "period"), instead=_IMPORTED, own=("id",), stays_known=True
    ),
    "usage_month": Carried(
        of="p.subscription_id IN (SELECT s.id FROM subscription s WHERE s.customer_id = $1)",
        key=("subscription_id", "period", "kind", "band"),
        instead=_IMPORTED,
    ),
    "enterprise": Carried(key=("customer_id",)),
    "key_person": Carried(),
    "agreement": Carried(),
    "product_holding": Carried(),
    "competitor_use": Carried(),
    "interaction": Carried(instead=_SOURCE | _IMPORTED),
    "preference": Carried(),
    # Somebody who is a customer here is a name there.
    "tie": Carried(
        instead={
            "related_id": _NOT_KNOWN_THERE,
            "person_name": "coalesce(p.person_name, (SELECT r.name FROM customer r WHERE r.id = p.related_id))",
        }
    ),
    "win_back_attempt": Carried(),
    "level_appointment": Carried(),
    "level_result": Carried(key=("customer_id", "since")),
    "credit_result": Carried(key=("customer_id", "since")),
    "merged_customer": Carried(of="p.survivor_id = $1"),
    "customer_change": Carried(own=("id",), key=()),
}
"""The record, in an order in which each table finds what it refers to."""

_OTHERS = "it names another customer or a group of this city"
_DECIDED = "a matter of this city's that is closed, or bars the transfer; what it changed is in the history"
_SEARCH = "found anew, where the customer is"
_IMPORT = "an import is undone where it was made"
_MERGE = "a merge is undone where it was made"
_COUNTED = "counted where it happened"
_OFFER = "offers, their quotas and their cost are the city's own: what was granted here is used here or lapses"
_REQUEST = "a request between cities is a matter of the two that it names"

STAYS: Mapping[str, str] = {
    "group_member": _OTHERS,
    "customer_proposal": _DECIDED,
    "subject_request": _DECIDED,
    "subject_request_event": _DECIDED,
    "legal_hold": _DECIDED,
    "erasure": "the proof of an erasure in this city",
    "customer_further_key": "keys by which this city's sources know the customer",
    "customer_completeness": _SEARCH,
    "duplicate_key": _SEARCH,
    "duplicate_candidate": _SEARCH,
    "prospect": _SEARCH,
    "prospect_event": _COUNTED,
    "prospect_step": _SEARCH,
    "verification_task": "a task of this city's staff",
    "evaluation_mark": _SEARCH,
    "evaluation_due": _SEARCH,
    "evaluation_trial_change": "a report of the moment",
    "level_review_line": "a list of the moment",
    "level_migration": _COUNTED,
    "customer_merge": _MERGE,
    "customer_merge_row": _MERGE,
    "customer_import_before": _IMPORT,
    "customer_import_kept": _IMPORT,
    "segment_member": "a list of this city's",
    "offer_grant": _OFFER,
    "offer_use": _OFFER,
    "redemption": "rewards are this city's; one that is open bars the transfer",
    "points_adjustment": _DECIDED,
    "points_transfer": _OTHERS,
    "points_entry": "each city's ledger is its own: the points leave it and enter the other by entries of both",
    "points_accrual": "what a bill has earned is in this city's ledger; there it is noted as judged",
    "service_request": _REQUEST,
    "service_request_event": _REQUEST,
    "billing_account": "an account with money in it bars the transfer",
    "payment_credit": "what this city has credited is in its books",
    "repair_promise": "a repair that is under way bars the transfer",
    "repair_record": "what this city bore of a repair is in its books",
    "repair_satisfaction": "an answer to this city",
    "sim_card_stock": _REQUEST,
    "sim_switch_reservation": _REQUEST,
    "ownership": "HQ's directory",
    "ownership_change": "HQ's directory",
    "customer_ownership": "each city's own knowledge of whose the customer is",
    "transfer_case": _REQUEST,
    "transfer_chunk": _REQUEST,
}
"""Tables about customers whose rows do not move; why."""

POINTS = frozenset({"points_account", "points_balance", "points_lot"})
"""Tables whose content goes by entries of both ledgers (:mod:`services.city_node.points.moving`)."""


def columns_of(table: Table) -> list[str]:
    """Return the columns of a carried table that are sent."""
    own = CARRIED[table.name].own
    return [str(column.name) for column in table.columns if column.name not in own]


def sealed_in(table: str) -> list[SealedColumn]:
    """Return the values of a table that are sealed: opened to be sent, and sealed anew where they come."""
    return [column for column in COLUMNS if column.table == table]


def carried_tables() -> Iterator[tuple[Table, Carried]]:
    """Give every carried table with how its rows move, in order."""
    for name, carried in CARRIED.items():
        yield Base.metadata.tables[name], carried


def undeclared(metadata: MetaData) -> Iterator[str]:
    """Give each table about customers that has no place here, each that has two or is not there, and loose columns.

    A table is about customers if it says whose row it is, or refers to a customer, a line or a table that is. A column
    of a carried table is loose if it refers to a row of a table that is not carried.
    """
    tables = metadata.tables
    places = [*CARRIED, *STAYS, *POINTS]
    about = set(places)
    grown = True
    while grown:
        more = {
            name
            for name, table in tables.items()
            if name not in about
            and ("customer_id" in table.columns or _refers(table, {*CARRIED, *POINTS}))
        }
        grown = bool(more)
        about |= more
    for name in sorted(about):
        if places.count(name) != 1 or name not in tables:
            yield name
    for name, carried in CARRIED.items():
        for column in tables[name].columns:
            if column.name in carried.instead or column.name in carried.own:
                continue
            for key in column.foreign_keys:
                if key.column.table.name not in {*CARRIED, *NATIONAL}:
                    yield f"{name}.{column.name}"


NATIONAL = frozenset({"industry"})
"""Tables whose rows are the same in every city."""


def _refers(table: Table, to: set[str]) -> bool:
    return any(key.column.table.name in to for key in table.foreign_keys)


Record = Mapping[str, Any]
"""A customer's record as it is sent: ``tables`` with rows by column, ``points``, and where it comes from."""
