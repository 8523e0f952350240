"""What refers to a customer, read from the tables themselves."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from sqlalchemy import Boolean, Column, Index, LargeBinary, Table, UniqueConstraint

from services.city_node.customer.models import Customer, Subscription
from shared.kernel.database import Base

MOVES_UNDECLARED: Mapping[str, str] = {
    "usage_month.customer_id": "the largest table has no foreign key, which would cost it an index",
}
"""Columns that hold a customer's id without a foreign key, and move all the same."""

STAYS: Mapping[str, str] = {
    "customer_change.customer_id": "history stays with whom it happened to",
    "duplicate_key.customer_id": "found anew by the next scan",
    "customer_import_before.customer_id": "an import is undone where it was made",
    "customer_import_kept.customer_id": "a report of the moment",
    "level_result.customer_id": "of the profile that was judged; the survivor is evaluated anew",
    "credit_result.customer_id": "of the profile that was judged; the survivor is evaluated anew",
    "level_migration.customer_id": "history stays with whom it happened to",
    "level_review_line.customer_id": "a list of the moment",
    "evaluation_mark.customer_id": "what is due is looked at where it is",
    "evaluation_due.customer_id": "what is due is looked at where it is",
    "evaluation_trial_change.customer_id": "a report of the moment",
    "prospect.customer_id": "of the profile that was judged; it is closed, and the survivor is looked at anew",
    "prospect_event.customer_id": "history stays with whom it happened to",
    "customer_ownership.customer_id": "whose a customer is; one who is moving to another city is not merged",
    "ownership.customer_id": "HQ's directory",
    "ownership_change.customer_id": "HQ's directory",
    "transfer_case.customer_id": "history stays with whom it happened to",
}
"""Columns that hold a customer's id without a foreign key, and keep it; why."""


BAR: Mapping[str, str] = {
    "subject_request.customer_id": "a request of the person's that is open bars the merge, and ended ones have no rival",
}
"""Columns whose rows could contradict one another, in a state in which nobody merges; why."""


@dataclass(frozen=True, slots=True)
class Rival:
    """A unique index that the survivor's own row may contradict: the other columns, and where it holds."""

    columns: tuple[str, ...]
    where: str


@dataclass(frozen=True)
class Reference:
    """A column that refers to a customer."""

    table: Table
    column: str

    @property
    def name(self) -> str:
        """How it is called in sentences and declarations."""
        return f"{self.table.name}.{self.column}"

    @cached_property
    def key(self) -> tuple[Column[object], ...]:
        """The columns of the primary key."""
        return tuple(self.table.primary_key.columns)

    @cached_property
    def hidden(self) -> tuple[str, ...]:
        """Columns whose stored form may change without their value: what is encrypted, when its key is rotated."""
        return tuple(
            column.name for column in self.table.columns if isinstance(column.type, LargeBinary)
        )

    @cached_property
    def marks(self) -> tuple[str, ...]:
        """Marks that one row of a customer may have: given up to the survivor's, and the row itself moves."""
        return tuple(
            where for columns, where in self._unique() if not columns and self._is_mark(where)
        )

    @cached_property
    def rivals(self) -> tuple[Rival, ...]:
        """The unique indexes that a move could breach."""
        if self.name in BAR:
            return ()
        return tuple(
            Rival(columns, where)
            for columns, where in self._unique()
            if columns or not self._is_mark(where)
        )

    @cached_property
    def others(self) -> tuple[str, ...]:
        """Other columns of the table that refer to a customer: a row between the two is set aside."""
        return tuple(
            other.column
            for other in references()
            if other.table is self.table and other.column != self.column
        )

    @cached_property
    def line(self) -> str | None:
        """The column that refers to a subscription, if rows belong to a line."""
        for column in self.table.columns:
            if any(fk.column is Subscription.__table__.c.id for fk in column.foreign_keys):
                return str(column.name)
        return None

    def _is_mark(self, where: str) -> bool:
        column = self.table.columns.get(where)
        return column is not None and isinstance(column.type, Boolean)

    def _unique(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """Give the columns beside this one, and the condition, of each unique index that has this one."""
        groups: list[tuple[list[str], str]] = [([column.name for column in self.key], "")]
        groups += [
            ([column.name for column in constraint.columns], "")
            for constraint in self.table.constraints
            if isinstance(constraint, UniqueConstraint)
        ]
        groups += [
            ([column.name for column in index.columns], _where(index))
            for index in self.table.indexes
            if index.unique
        ]
        for names, where in groups:
            if self.column in names:
                yield tuple(name for name in names if name != self.column), where


def _where(index: Index) -> str:
    condition = index.dialect_options["postgresql"]["where"]
    return "" if condition is None else str(condition)


def references() -> tuple[Reference, ...]:
    """Return every column that a merge moves, in an order in which rows can be put back."""
    customer = Customer.__table__.c.id
    found = []
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            declared = any(fk.column is customer for fk in column.foreign_keys)
            if declared or f"{table.name}.{column.name}" in MOVES_UNDECLARED:
                found.append(Reference(table, column.name))
    return tuple(found)
