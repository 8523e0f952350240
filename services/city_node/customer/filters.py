"""Which customers a list shows: its query parameters."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query

from services.city_node.customer.identity import contact_form, document_indexes
from services.city_node.customer.models import ContractTerm, CustomerKind, Level, MediumKind
from services.city_node.customer.naming import is_chinese, sound_prefix
from services.city_node.customer.schemas import Code, Line
from shared.capability import Context
from shared.kernel.encryption import Cipher


class LibraryChoice(StrEnum):
    """Which library a list shows."""

    IN_NETWORK = "in_network"
    RETAINED = "retained"
    ALL = "all"


async def customer_filters(  # noqa: PLR0917 - one parameter for each query parameter
    context: Context,
    library: Annotated[
        LibraryChoice, Query(description="在网 or 保留档案库.")
    ] = LibraryChoice.IN_NETWORK,
    kind: CustomerKind | None = None,
    level: Level | None = None,
    unit: Annotated[
        Code | None,
        Query(description="Customers of this unit and those below it.", examples=["440300-01"]),
    ] = None,
    manager: UUID | None = None,
    brand: Annotated[
        Line | None, Query(description="Customers with a live line of this brand.")
    ] = None,
    contract_term: ContractTerm | None = None,
    name: Annotated[
        Line | None,
        Query(
            description="Beginning of the name: in characters, or in pinyin without tones and spaces.",
            examples=["zhangw"],
        ),
    ] = None,
    msisdn: Annotated[
        str | None, Query(pattern=r"^1[0-9]{10}$", description="Who has, or had, this number.")
    ] = None,
    document: Annotated[
        Line | None, Query(description="Who has this document number, exactly.")
    ] = None,
    contact: Annotated[
        Line | None,
        Query(
            description="Who is reached by this telephone number, e-mail or postal address, exactly."
        ),
    ] = None,
    min_monthly_charge_fen: Annotated[int | None, Query(ge=-(2**62), le=2**62)] = None,
    max_monthly_charge_fen: Annotated[int | None, Query(ge=-(2**62), le=2**62)] = None,
    entered_from: Annotated[date | None, Query(description="Entry on this day or later.")] = None,
    entered_before: Annotated[date | None, Query(description="Entry before this day.")] = None,
) -> dict[str, Any]:
    """Return the filters of a list of customers, by the names that the listing knows them by."""
    letters = sound_prefix(name) if name and not is_chinese(name) else ""
    return {
        "library": None if library is LibraryChoice.ALL else library.value,
        "kind": kind,
        "level": level,
        "unit": unit,
        "manager": manager,
        "brand": brand,
        "contract_term": contract_term,
        "name": None if letters else name,
        "sound": letters or None,
        "msisdn": msisdn,
        "document": document_indexes(context.cipher, document) if document else None,
        "contact": _contact_indexes(context.cipher, contact) if contact else None,
        "min_monthly_charge_fen": min_monthly_charge_fen,
        "max_monthly_charge_fen": max_monthly_charge_fen,
        "entered_from": entered_from,
        "entered_before": entered_before,
    }


def _contact_indexes(cipher: Cipher, value: str) -> list[bytes]:
    """Return the blind indexes of a contact value of any kind."""
    forms = {contact_form(kind, value) for kind in MediumKind}
    return [index for form in forms for index in cipher.indexes(form)]
