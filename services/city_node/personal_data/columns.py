"""Every column that is sealed."""

from collections.abc import Callable
from dataclasses import dataclass

from services.city_node.customer.identity import contact_form, document_form
from services.city_node.customer.models import MediumKind


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A value that a table keeps encrypted, indexed and masked.

    Attributes:
        table: which, with a key ``id``.
        name: what its columns begin with: ``<name>_cipher``, ``<name>_index``, ``<name>_masked``.
        kind: SQL of what kind of value a row has.
        form: gives the form that is indexed, from kind and value.
    """

    table: str
    name: str
    kind: str
    form: Callable[[str, str], str]
    clear: str = "NULL"
    """The column that still has it in clear, in rows from before it was sealed."""

    @property
    def label(self) -> str:
        """How reports call it."""
        return f"{self.table}.{self.name}"


def _contact(table: str, name: str, kind: str) -> SealedColumn:
    return SealedColumn(table, name, kind, contact_form, clear=name)


COLUMNS = (
    SealedColumn("customer", "document", "document_type", lambda _, number: document_form(number)),
    _contact("contact_medium", "value", "kind"),
    _contact("key_person", "phone", f"'{MediumKind.PHONE}'"),
    _contact("key_person", "email", f"'{MediumKind.EMAIL}'"),
    _contact("tie", "phone", f"'{MediumKind.PHONE}'"),
)
