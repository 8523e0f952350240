"""Changing a profile: one statement reads what the rules need, one writes all that a change leaves behind.

Between the two the rules are plain Python on the values that were read; what only some changes need, such as who else
has a document, is asked in between. Both ways to the database end here: the desk's hot writes on bare connections, and
those whose transaction is a session, on the session's own one.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from services.city_node.customer import profile, rules
from services.city_node.customer.audited import record_of
from services.city_node.customer.author import Author
from services.city_node.customer.history import Changes, Entry, Values, differences, tracked
from services.city_node.customer.models import ChangeAction, ChangeSource, CustomerKind
from services.city_node.customer.naming import name_sort
from services.city_node.customer.profile import Reading
from services.city_node.customer.review import Review
from services.city_node.customer.schemas import CustomerPatch, Document
from services.city_node.customer.stored import Outrun, Stored, find, keep
from shared.kernel.preconditions import require_version

_SEALED = frozenset(Document.model_fields)
"""Members that are sealed, under keys that must not be replaced before the commit."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A customer as a change leaves it.

    Attributes:
        version: the present version.
        shown: the JSON of the profile, as it was asked for.
        proposal_id: the proposal that was made of what needs a second person, if any was.
    """

    version: int
    shown: str
    proposal_id: UUID | None


@dataclass(frozen=True, slots=True)
class Change:
    """What somebody wants to change about a customer; no version passes, if it is so already.

    Attributes:
        author: who.
        customer_id: whom.
        expected: the version that the author has seen.
        patch: what.
        review: what becomes of that which needs a second person.
        how: how the customer is then shown to the author.
    """

    author: Author
    customer_id: UUID
    expected: int
    patch: CustomerPatch
    review: Review
    how: Reading

    async def at_once(self, connection: asyncpg.Connection) -> Changed | None:
        """Change it by one statement; return nothing, and change nothing, if it takes a transaction.

        Raises:
            Problem: as :meth:`make`.
        """
        customer = await self._find(connection, lock=False)
        if self.patch.model_fields_set & (customer.sensitive | _SEALED):
            return None
        try:
            customer, shown = await apply(
                connection, self.author, customer, self.patch, self.how.columns
            )
        except Outrun:
            return None  # who looks again, with the lock, can say what is there now
        return await self._changed(connection, customer, shown)

    async def make(self, connection: asyncpg.Connection) -> Changed:
        """Change it within a transaction, but for what needs a second person.

        Raises:
            CustomerNotFound: if there is none in the author's scope (404).
            CustomerErased, CustomerMerged: if there was one (410).
            VersionStale: if it was changed since the version that is expected (412).
            DocumentTaken: if another customer of the city has the document (409).
            UnitOutOfScope, ManagerUnknown, DatesContradict, AttributesRefused: if a value breaks a rule (422).
            Problem: what the review refuses.
        """
        customer = await self._find(connection, lock=True)
        now, held = _divided(self.patch, customer.sensitive)
        customer, shown = await apply(connection, self.author, customer, now, self.how.columns)
        proposal_id = None
        if held is not None:
            proposal_id = await self.review.propose(connection, self.author, customer, held)
        return await self._changed(connection, customer, shown, proposal_id)

    async def _find(self, connection: asyncpg.Connection, *, lock: bool) -> Stored:
        unit_path = self.author.principal.unit_path
        customer = await find(
            connection, self.customer_id, unit_path, self.review.sensitive, lock=lock
        )
        require_version(customer.version, self.expected)
        return customer

    async def _changed(
        self,
        connection: asyncpg.Connection,
        customer: Stored,
        shown: str | None,
        proposal_id: UUID | None = None,
    ) -> Changed:
        if shown is not None:
            return Changed(customer.version, shown, proposal_id)
        unit_path = self.author.principal.unit_path
        version, shown = await profile.read(connection, self.how, customer.id, unit_path)
        return Changed(version, shown, proposal_id)


async def apply(
    connection: asyncpg.Connection,
    author: Author,
    customer: Stored,
    patch: CustomerPatch,
    shown: str = "c.id",
) -> tuple[Stored, str | None]:
    """Change a customer; return it as it is now and, if anything changed, the JSON of the columns ``shown``.

    Raises:
        Outrun: if the customer was not locked, and somebody else has changed it.
        Problem: what :func:`judge` refuses.
    """
    new, changes = await judge(connection, author, customer, patch)
    if not changes:
        return customer, None
    action, principal = ChangeAction.CHANGED, author.principal
    entry = Entry(
        action, changes, author.now, principal.username, ChangeSource.REST, author.cause_id
    )
    record = record_of(principal, action, customer.id, changes, at=author.now)
    return await keep(connection, customer, new, entry=entry, record=record, shown=shown)


async def judge(
    connection: asyncpg.Connection, author: Author, customer: Stored, patch: CustomerPatch
) -> tuple[Values, Changes]:
    """Return the columns that a patch changes, and the same as the history tells it; nothing is changed yet.

    Raises:
        DocumentTaken, UnitOutOfScope, ManagerUnknown, DatesContradict, AttributesRefused: as :meth:`Change.make`.
    """
    if not patch.model_fields_set:
        return {}, []
    present = customer.values
    new: dict[str, Any] = patch.model_dump(exclude_unset=True)
    if "document_type" in new:
        kind, number = new.pop("document_type"), new.pop("document_number")
        new |= await rules.document_columns(
            connection, author, customer.id, present, kind=kind, number=number
        )
    if "attributes" in new:
        await rules.require_attributes(connection, author, present["kind"], new["attributes"])
        new["attributes"] = rules.merge_patch(present["attributes"], new["attributes"])
    if "unit_code" in new:
        await rules.require_unit(connection, author, new["unit_code"])
    if "manager_id" in new:
        await rules.require_manager(connection, new["manager_id"])
    if "name" in new:
        person = present["kind"] == CustomerKind.INDIVIDUAL
        new["name_sort"] = name_sort(new["name"], person=person)
    future = {**present, **new}
    rules.require_days(author.today, future)
    return new, differences(tracked(present), tracked(future))


def _divided(
    patch: CustomerPatch, sensitive: frozenset[str]
) -> tuple[CustomerPatch, CustomerPatch | None]:
    """Return what of a patch takes effect now, and what needs a second person."""
    members = sensitive & patch.model_fields_set
    if not members:
        return patch, None
    given = patch.model_dump(exclude_unset=True)
    now = {name: value for name, value in given.items() if name not in members}
    held = {name: value for name, value in given.items() if name in members}
    return CustomerPatch.model_validate(now), CustomerPatch.model_validate(held)
