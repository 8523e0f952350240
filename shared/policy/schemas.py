"""Policies over the wire."""

from datetime import date, datetime
from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
)

from shared.federation.statement import Code
from shared.kernel.language import Language
from shared.kernel.problems import Fault
from shared.policy.declaration import PolicyKind
from shared.policy.models import PolicyVersion, PolicyWithdrawal
from shared.policy.resolution import Layer, Resolution
from shared.policy.service import Place
from shared.policy.statement import Statement

VersionState = Literal["published", "withdrawn", "contradicted"]
_ON = Field(description="The day that is answered for, in Beijing.")


class BoundOut(BaseModel):
    """How far overrides may move one part of the document."""

    model_config = ConfigDict(from_attributes=True)

    pointer: str
    minimum: int | None
    maximum: int | None
    one_of: list[str] | None


class ErrorOut(BaseModel):
    """One place in a document that is wrong."""

    pointer: str
    detail: str

    @classmethod
    def of(cls, fault: Fault, language: Language) -> Self:
        """Return ``fault`` in words of ``language``."""
        return cls(pointer=fault.pointer, detail=fault.speak(language))


class LayerOut(BaseModel):
    """What one publisher contributes."""

    publisher: Code
    number: int | None = Field(
        description="`null` for the default that ships with the program, and for a draft."
    )
    status: Literal["in_force", "set_aside"]
    effective_from: date | None
    published_at: datetime | None
    published_by: str | None
    digest: str | None
    errors: list[ErrorOut] = Field(description="Why it is set aside.")

    @classmethod
    def of(cls, layer: Layer, language: Language) -> Self:
        """Return ``layer`` as it is shown."""
        version = layer.version
        return cls(
            publisher=layer.publisher,
            number=version.number if version else None,
            status="in_force" if layer.holds else "set_aside",
            effective_from=version.effective_from if version else None,
            published_at=version.published_at if version else None,
            published_by=version.published_by if version else None,
            digest=(version.digest or None) if version else None,
            errors=[ErrorOut.of(fault, language) for fault in layer.faults],
        )


class KindOut(BaseModel):
    """A kind of policy, and what of it is in force at this node."""

    name: str = Field(examples=["level"])
    title: str
    reference: str = Field(examples=["level 3 + 440000:1"])
    effective_from: date | None = Field(description="`null` for the default that ships.")
    set_aside: int = Field(description="How many versions are set aside.")

    @classmethod
    def of(cls, found: Resolution[Any], language: Language) -> Self:
        """Return what is in force of a kind."""
        return cls(
            name=found.kind.name,
            title=found.kind.title.speak(language),
            reference=found.reference,
            effective_from=_day(found),
            set_aside=sum(not layer.holds for layer in found.layers),
        )


def _day(found: Resolution[Any]) -> date | None:
    return None if found.effective_from == date.min else found.effective_from


class KindsOut(BaseModel):
    """Every kind of policy that the node knows."""

    items: list[KindOut]


class SchemaOut(BaseModel):
    """The form of a kind's documents."""

    name: str
    title: str
    form: dict[str, Any] = Field(description="JSON Schema of a whole document.")
    default: dict[str, Any] = Field(description="The national policy that ships.")
    bounds: list[BoundOut] = Field(description="The bounds that ship.")

    @classmethod
    def of(cls, kind: PolicyKind[Any], language: Language) -> Self:
        """Return the form of ``kind``."""
        return cls(
            name=kind.name,
            title=kind.title.speak(language),
            form=kind.document.model_json_schema(),
            default=kind.default.model_dump(mode="json"),
            bounds=[BoundOut.model_validate(bound) for bound in kind.bounds],
        )


class InForceOut(BaseModel):
    """What is in force at a node on a day, and how it came about."""

    kind: str
    title: str
    node: Code
    on: date = _ON
    reference: str = Field(description="As results name it.", examples=["level 3 + 440000:1"])
    effective_from: date | None
    document: dict[str, Any]
    bounds: list[BoundOut]
    layers: list[LayerOut] = Field(description="HQ's first, then from above to below.")

    @classmethod
    def of(cls, found: Resolution[Any], node: str, on: date, language: Language) -> Self:
        """Return what is in force as it is shown."""
        return cls(
            kind=found.kind.name,
            title=found.kind.title.speak(language),
            node=node,
            on=on,
            reference=found.reference,
            effective_from=_day(found),
            document=found.document.model_dump(mode="json"),
            bounds=[BoundOut.model_validate(bound) for bound in found.bounds],
            layers=[LayerOut.of(layer, language) for layer in found.layers],
        )


class PlaceOut(BaseModel):
    """What is in force at one node."""

    node: Code
    reference: str
    effective_from: date | None
    layers: list[LayerOut]

    @classmethod
    def of(cls, place: Place, language: Language) -> Self:
        """Return ``place`` as it is shown."""
        found = place.resolution
        return cls(
            node=place.node,
            reference=found.reference,
            effective_from=_day(found),
            layers=[LayerOut.of(layer, language) for layer in found.layers],
        )


class PlacesOut(BaseModel):
    """What is in force where."""

    on: date = _ON
    items: list[PlaceOut]


class VersionRow(BaseModel):
    """A version in a list."""

    kind: str
    publisher: Code
    number: int
    effective_from: date
    note: str | None
    drafted_by: str
    published_at: datetime
    published_by: str
    digest: str
    received_at: datetime = Field(description="When it came to this node.")
    state: VersionState
    withdrawn_at: datetime | None
    withdrawn_by: str | None
    withdrawn_because: str | None


class VersionPage(BaseModel):
    """A page of versions."""

    items: list[VersionRow]
    next: str | None
    count: int | None = None


class VersionOut(BaseModel):
    """A version, whole, with what its publisher signed."""

    kind: str
    publisher: Code
    number: int
    effective_from: date
    document: dict[str, Any]
    bounds: list[BoundOut] | None
    note: str | None
    drafted_by: str
    published_at: datetime
    published_by: str
    received_at: datetime
    withdrawn_at: datetime | None
    withdrawn_by: str | None
    withdrawn_because: str | None
    digest: str = Field(description="SHA-256 of `content`.")
    content: str = Field(
        description="The exact text that was signed.", max_length=Statement.most_characters
    )
    statement: str = Field(description="The publisher's detached JWS (RFC 7515) over `content`.")

    @classmethod
    def of(cls, version: PolicyVersion, withdrawal: PolicyWithdrawal | None) -> Self:
        """Return a version as it is shown."""
        own = {
            name: getattr(version, name)
            for name in cls.model_fields
            if not name.startswith("withdrawn_")
        }
        return cls(
            **own,
            withdrawn_at=withdrawal.withdrawn_at if withdrawal else None,
            withdrawn_by=withdrawal.withdrawn_by if withdrawal else None,
            withdrawn_because=withdrawal.reason if withdrawal else None,
        )
