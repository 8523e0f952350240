"""What the register of personal data says about a column and about a table."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class DataClass(StrEnum):
    """A kind of data about a customer."""

    # What is erased:
    IDENTITY = "identity"
    DOCUMENT = "document"
    CONTACT = "contact"
    LINE_NUMBER = "line_number"
    THIRD_PERSON = "third_person"
    PREFERENCE = "preference"
    FREE_TEXT = "free_text"
    HISTORY = "history"
    # What stays:
    PSEUDONYM = "pseudonym"
    STATISTIC = "statistic"
    STAFF = "staff"
    RECORD = "record"


KEPT = frozenset({DataClass.PSEUDONYM, DataClass.STATISTIC, DataClass.STAFF, DataClass.RECORD})
"""Ids that lead to nobody any more, what is counted, who of the staff acted, and the record-keeping itself."""

BLANK = "'—'"
"""What an erased text becomes where there must be one."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        data: what it holds.
        becomes: SQL of what erasure leaves in it; not used where the class is kept.
        exported: whether the person is given it; a third person's number and the node's own look-up key are not.
    """

    data: DataClass
    becomes: str = "NULL"
    exported: bool = True


@dataclass(frozen=True, slots=True)
class PersonalTable:
    """One table.

    Attributes:
        columns: every column of it.
        of: SQL condition of the rows ``p`` that are about the customers ``$1``.
        deleted: whether erasure deletes the rows.
        also_deleted: SQL condition of rows of other customers that are about these, and are deleted with them.
    """

    columns: Mapping[str, Column]
    of: str = "p.customer_id = ANY($1::uuid[])"
    deleted: bool = False
    also_deleted: str | None = None

    @property
    def erased(self) -> dict[str, str]:
        """What erasure sets in the rows: SQL by column."""
        return {
            name: column.becomes
            for name, column in self.columns.items()
            if column.data not in KEPT and not self.deleted
        }


def columns_of(*kinds: tuple[DataClass, str], **others: Column | DataClass) -> dict[str, Column]:
    """Return columns as tables declare them: names after their class, and those that want a word more by themselves."""
    columns = {name: Column(data) for data, names in kinds for name in names.split()}
    for name, given in others.items():
        columns[name] = given if isinstance(given, Column) else Column(given)
    return columns
