"""What a package says about a noun that customers hold."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from services.city_node.customer.models import Customer, CustomerKind, MediumKind
from services.city_node.customer.parts import UNIT_PATH, Part, json_list
from services.city_node.customer.privacy import PersonalField, contact_value
from services.city_node.customer.profile import SOURCE
from services.city_node.customer.schemas import Body
from services.city_node.customer.service import Desk
from shared.kernel.database import Base
from shared.kernel.listing import Listing, Sort
from shared.kernel.problems import Problem

# ruff: noqa: S608 - put together from declarations, never from input
SCOPE = "{scope}"
"""Stands for the reader's unit path in an expression, where a statement has it."""
_LISTED_SCOPE = "$1"
"""A page of a listing is always filtered by scope first."""


async def no_filters() -> dict[str, Any]:
    """Return the filters of a collection that offers none."""
    return {}


@dataclass(frozen=True, eq=False, kw_only=True)
class Held:
    """One noun that customers hold.

    Attributes:
        name: plural, as ``include``, the page and history name it; with hyphens, the last word of its path.
        title: singular, for descriptions.
        model: its table, with ``id`` and ``customer_id``.
        body: what is taken; the whole of it after a patch, too.
        out: what is answered; each field is a column of the table unless ``expressions`` says otherwise.
        sorts: orders of the collection by name; the first is its default, and with ``newest_first`` backwards.
        shown: how many of them the customer's page has.
        expressions: SQL of fields that are no columns of the table ``p``, nor of what is joined.
        joins: SQL that joins what expressions need.
        private: fields that are a third person's telephone number or e-mail address.
        personal: fields that hold another personal value.
        holder: the kind of customer that has it; any without it.
        removable: whether it may be deleted; history may not.
        check: rules that need the node's data; raises a problem.
        refusals: what a breach of a unique constraint means, by the constraint's name.
        filters: dependency that reads the collection's own query parameters.
        conditions: SQL condition of each of them.
    """

    name: str
    title: str
    model: type[Base]
    body: type[Body]
    out: type[BaseModel]
    sorts: Mapping[str, Sort]
    newest_first: bool = False
    shown: int = 20
    expressions: Mapping[str, str] = field(default_factory=dict)
    joins: str = ""
    private: Mapping[str, MediumKind] = field(default_factory=dict)
    personal: Mapping[str, PersonalField] = field(default_factory=dict)
    holder: CustomerKind | None = None
    removable: bool = True
    check: Callable[[Desk, Customer, Any], Awaitable[None]] | None = None
    refusals: Mapping[str, Callable[[], Problem]] = field(default_factory=dict)
    filters: Callable[..., Awaitable[dict[str, Any]]] = no_filters
    conditions: Mapping[str, str] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """The last word of the collection's path."""
        return self.name.replace("_", "-")

    @property
    def default_sort(self) -> str:
        """How the collection is sorted unless asked."""
        return f"{'-' if self.newest_first else ''}{next(iter(self.sorts))}"

    def columns(self, scope: str) -> dict[str, str]:
        """Return the SQL of each field, for a statement that has the reader's unit path as ``scope``."""
        columns = {}
        for name in self.out.model_fields:
            sql = self.expressions.get(name, f"p.{name}").replace(SCOPE, scope)
            kind = contact_value if name in self.private else self.personal.get(name)
            columns[name] = kind.mark(sql) if kind else sql
        return columns

    @cached_property
    def part(self) -> Part:
        """Its part of the customer's page."""
        columns = self.columns(UNIT_PATH)
        values = ", ".join(f"{expression} AS {name}" for name, expression in columns.items())
        sort = next(iter(self.sorts.values())).expression
        direction = "DESC" if self.newest_first else "ASC"
        return Part(
            self.name,
            json_list(
                f"SELECT {values} FROM {self.model.__tablename__} p {self.joins} WHERE p.customer_id = c.id "
                f"ORDER BY {sort} {direction}, p.id {direction} LIMIT {self.shown}"
            ),
            told=True,
            # Expressions tell about other rows, which change by themselves.
            versioned=not self.expressions,
        )

    @cached_property
    def listing(self) -> Listing:
        """Its collection, of one customer or of all in scope."""
        customer = SOURCE.replace("customer c", "customer c ON c.id = p.customer_id", 1)
        return Listing(
            source=f"{self.model.__tablename__} p JOIN {customer} {self.joins}",
            key=Sort("p.id", "uuid"),
            columns=self.columns(_LISTED_SCOPE),
            sorts=self.sorts,
            filters={
                "scope": "starts_with(u.path, {})",
                "customer": "p.customer_id = {}",
                "id": "p.id = {}",
                **self.conditions,
            },
        )

    def values(self, row: Any) -> dict[str, Any]:
        """Return a row's values as a body has them."""
        return {name: getattr(row, name) for name in self.body.model_fields}

    def history(self, item: UUID, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return a row's values as history keeps them: by path, private ones masked by the caller."""
        return {f"{self.name}/{item}/{name}": value for name, value in values.items()}
