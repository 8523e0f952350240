"""Every column that is sealed."""

from collections.abc import Callable
from dataclasses import dataclass

from services.city_node.customer.identity import document_form


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

    @property
    def label(self) -> str:
        """How reports call it."""
        return f"{self.table}.{self.name}"


COLUMNS = (
    SealedColumn("customer", "document", "document_type", lambda _, number: document_form(number)),
)
