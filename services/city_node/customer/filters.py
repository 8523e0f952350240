"""Which customers a list shows: its query parameters."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query

from services.city_node.customer.identity import contact_form, document_indexes
from services.city_node.customer.models import ContractTerm, CustomerKind, Level, MediumKind
from services.city_node.customer.naming import is_chinese, sound_prefix
from services.city_node.customer.profile import customers
from services.city_node.customer.schemas import Code, Line
from shared.kernel.encryption import Cipher
from shared.kernel.listing import Listing, PageRequest, Sort
from shared.kernel.parameters import Parameters


class LibraryChoice(StrEnum):
    """Which library a list shows."""

    IN_NETWORK = "in_network"
    RETAINED = "retained"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class CustomersAsked(PageRequest):
    """Which customers a request asks for, and what part of their list."""

    library: Annotated[LibraryChoice, Query(description="在网 or 保留档案库.")] = (
        LibraryChoice.IN_NETWORK
    )
    kind: CustomerKind | None = None
    level: Level | None = None
    unit: Annotated[
        Code | None,
        Query(description="Customers of this unit and those below it.", examples=["440300-01"]),
    ] = None
    manager: UUID | None = None
    brand: Annotated[
        Line | None, Query(description="Customers with a live line of this brand.")
    ] = None
    contract_term: ContractTerm | None = None
    name: Annotated[
        Line | None,
        Query(
            description="Beginning of the name: in characters, or in pinyin without tones and spaces.",
            examples=["zhangw"],
        ),
    ] = None
    msisdn: Annotated[
        str | None, Query(pattern=r"^1[0-9]{10}$", description="Who has, or had, this number.")
    ] = None
    document: Annotated[
        Line | None, Query(description="Who has this document number, exactly.")
    ] = None
    contact: Annotated[
        Line | None,
        Query(
            description="Who is reached by this telephone number, e-mail or postal address, exactly."
        ),
    ] = None
    min_monthly_charge_fen: Annotated[int | None, Query(ge=-(2**62), le=2**62)] = None
    max_monthly_charge_fen: Annotated[int | None, Query(ge=-(2**62), le=2**62)] = None
    entered_from: Annotated[date | None, Query(description="Entry on this day or later.")] = None
    entered_before: Annotated[date | None, Query(description="Entry before this day.")] = None

    def filters(self, cipher: Cipher) -> dict[str, Any]:
        """Return the filters that are asked for, by the names that the listing knows them by."""
        letters = sound_prefix(self.name) if self.name and not is_chinese(self.name) else ""
        return {
            "library": None if self.library is LibraryChoice.ALL else self.library.value,
            "kind": self.kind,
            "level": self.level,
            "unit": self.unit,
            "manager": self.manager,
            "brand": self.brand,
            "contract_term": self.contract_term,
            "name": None if letters else self.name,
            "sound": letters or None,
            "msisdn": self.msisdn,
            "document": document_indexes(cipher, self.document) if self.document else None,
            "contact": _contact_indexes(cipher, self.contact) if self.contact else None,
            "min_monthly_charge_fen": self.min_monthly_charge_fen,
            "max_monthly_charge_fen": self.max_monthly_charge_fen,
            "entered_from": self.entered_from,
            "entered_before": self.entered_before,
        }


customers_asked = Parameters(CustomersAsked)

_SHARING_A_BEGINNING = replace(
    customers, sorts={**customers.sorts, "name": Sort("c.name_sort || ''", "text")}
)
"""Customers whose names begin alike stand together in the order of names, too, which PostgreSQL does not expect: it
would walk that order from the start, past everybody before them. An order that no index has lets it find them first."""


_WITH_ONE_DOCUMENT = replace(
    customers,
    filters={**customers.filters, "document": "c.document_index = ({}::bytea[])[1]"},
)
"""An array may have any length: a search by one would be planned anew each time, which takes longer than the search."""


def listing_for(filters: Mapping[str, Any]) -> Listing:
    """Return the collection in the form that answers ``filters`` fastest; what it offers is the same."""
    if filters["name"]:
        return _SHARING_A_BEGINNING
    indexes = filters["document"]  # more than one while the node's keys change
    return _WITH_ONE_DOCUMENT if indexes and len(indexes) == 1 else customers


def _contact_indexes(cipher: Cipher, value: str) -> list[bytes]:
    """Return the blind indexes of a contact value of any kind."""
    forms = {contact_form(kind, value) for kind in MediumKind}
    return [index for form in forms for index in cipher.indexes(form)]
