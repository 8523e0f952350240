"""Which customers are meant: a condition as somebody may ask it, within their unit, as SQL."""

from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from services.city_node.query.condition import Condition
from services.city_node.query.problems import ConditionForbidden, ConditionInvalid
from services.city_node.query.reading import Reader
from services.city_node.query.statement import Binder, Compiler
from services.city_node.query.text import Text
from services.city_node.query.words import Misspelt, line_and_column
from shared.kernel.encryption import Cipher
from shared.kernel.problems import Fault


def read_condition(
    given: str | dict[str, Any],
    *,
    permissions: frozenset[str] | None,
    is_kept: bool = False,
    pointer: str = "/condition",
) -> Condition:
    """Return the condition that is written in ``given``, in either form.

    Args:
        given: text, or the JSON form.
        permissions: what the caller holds; ``None`` for everything.
        is_kept: whether the condition is going to be kept.
        pointer: where it stands in the request.

    Raises:
        ConditionInvalid: if something in it is wrong (422).
        ConditionForbidden: if it asks for what the caller may not see, or what may not be kept (403).
    """
    reader = Reader(permissions, is_kept)
    if isinstance(given, str):
        try:
            text = Text(given)
        except Misspelt as wrong:
            place = line_and_column(given, wrong.at)
            raise ConditionInvalid([Fault(pointer, f"{place}: {wrong.expected}")]) from None
        condition = reader.read(text.form)

        def placed(fault: Fault) -> Fault:
            place = line_and_column(given, text.place_of(fault.pointer))
            return Fault(pointer, f"{place}: {fault.detail}")
    else:
        condition = reader.read(given)

        def placed(fault: Fault) -> Fault:
            return Fault(pointer + fault.pointer, fault.detail)

    if reader.faults or condition is None:
        raise ConditionInvalid([placed(fault) for fault in reader.faults])
    if reader.forbidden:
        raise ConditionForbidden([placed(fault) for fault in reader.forbidden])
    return condition


class Restriction(Protocol):
    """What else customers must be, such as members of a list."""

    def sql(self, binder: Binder) -> str:
        """Return it as a condition on customer ``c``."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The customers of a unit and below that meet a condition, on a day.

    Attributes:
        condition: what they meet; ``None`` for all of them.
        scopes: paths of units, all of which they are below.
        today: the business day.
        restriction: what else they must be.
    """

    condition: Condition | None
    scopes: tuple[str, ...]
    today: date
    restriction: Restriction | None = None

    def where(self, binder: Binder, cipher: Cipher) -> str:
        """Return the SQL condition on :data:`~services.city_node.customer.profile.SOURCE`."""
        parts = [f"starts_with(u.path, {binder.bind(path, 'text')})" for path in self.scopes]
        if self.condition is not None:
            parts.append(Compiler(binder, self.today, cipher).sql(self.condition))
        if self.restriction is not None:
            parts.append(self.restriction.sql(binder))
        return " AND ".join(parts)
