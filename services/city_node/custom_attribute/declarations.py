"""What a node's declarations say about values."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import asyncpg
import orjson

from services.city_node.custom_attribute.models import AppliesTo, AttributeType, CustomAttribute
from services.city_node.custom_attribute.problems import AttributesRefused
from shared.kernel.problems import Fault


@dataclass(frozen=True, slots=True)
class Declarations:
    """The attributes that a node declares.

    Attributes:
        declared: by name.
        strict: whether others are refused.
    """

    declared: Mapping[str, CustomAttribute] = field(default_factory=dict)
    strict: bool = False

    def faults(
        self, kind: str | None, attributes: Mapping[str, object]
    ) -> Iterator[tuple[str, str]]:
        """Give the name of each value that does not fit, and why; ``None`` fits, for it removes a value.

        Without a ``kind``, which a file may leave out for customers who are known, nobody asks to whom a value
        applies.
        """
        for name, value in attributes.items():
            if value is not None:
                reason = self._reason(kind, name, value)
                if reason is not None:
                    yield name, reason

    def require(self, kind: str, attributes: Mapping[str, object]) -> None:
        """Refuse values that do not fit.

        Raises:
            AttributesRefused: with a fault for each of them (422).
        """
        found = [
            Fault(f"/attributes/{_pointer(name)}", reason)
            for name, reason in self.faults(kind, attributes)
        ]
        if found:
            raise AttributesRefused(found)

    def _reason(self, kind: str | None, name: str, value: object) -> str | None:
        attribute = self.declared.get(name)
        if attribute is None:
            return "is not declared on this node" if self.strict else None
        if kind is not None and attribute.applies_to not in {AppliesTo.BOTH, kind}:
            return f"applies to customers of kind {attribute.applies_to}"
        return misfit(attribute, value)


def misfit(attribute: CustomAttribute, value: object) -> str | None:
    """Return why ``value`` is none of this attribute, or ``None`` if it is."""
    match AttributeType(attribute.type):
        case AttributeType.TEXT:
            return _misfit_text(attribute, value)
        case AttributeType.BOOLEAN:
            return None if isinstance(value, bool) else "must be true or false"
        case AttributeType.ENUM:
            choices: Sequence[object] = attribute.choices or ()
            return None if value in choices else f"must be one of: {', '.join(map(str, choices))}"
        case AttributeType.DATE:
            return None if _is_day(value) else "must be a date such as 2026-11-01"
        case _:
            return _misfit_number(attribute, value)


def _misfit_text(attribute: CustomAttribute, value: object) -> str | None:
    if not isinstance(value, str):
        return "must be a text"
    if attribute.max_length is not None and len(value) > attribute.max_length:
        return f"is longer than {attribute.max_length} characters"
    return None


def _misfit_number(attribute: CustomAttribute, value: object) -> str | None:
    whole = attribute.type == AttributeType.INTEGER
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        return "must be a whole number" if whole else "must be a number"
    if attribute.minimum is not None and value < attribute.minimum:
        return f"lies below {attribute.minimum:g}"
    if attribute.maximum is not None and value > attribute.maximum:
        return f"lies above {attribute.maximum:g}"
    return None


def _is_day(value: object) -> bool:
    try:
        return isinstance(value, str) and date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def _pointer(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


async def declarations(connection: asyncpg.Connection, *, strict: bool) -> Declarations:
    """Return what the node declares at present."""
    rows = await connection.fetch(
        "SELECT name, type, applies_to, choices::text, minimum, maximum, max_length FROM custom_attribute"
    )
    declared = (
        CustomAttribute(**{**row, "choices": orjson.loads(row["choices"] or "null")})
        for row in rows
    )
    return Declarations({attribute.name: attribute for attribute in declared}, strict)
