"""Proposing, and deciding about proposals."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import asyncpg

from services.city_node.customer import changing
from services.city_node.customer.author import Author
from services.city_node.customer.history import Values, tracked
from services.city_node.customer.identity import document_indexes
from services.city_node.customer.repository import hold_keys_on
from services.city_node.customer.schemas import CustomerPatch
from services.city_node.customer.service import Desk
from services.city_node.customer.stored import Stored, find
from services.city_node.proposal import repository
from services.city_node.proposal.models import CustomerProposal, ProposalState
from services.city_node.proposal.problems import (
    NotTheProposer,
    ProposalDecided,
    ProposalStale,
    ProposalWaiting,
)
from shared.kernel.database import driver_connection
from shared.kernel.encryption import Cipher
from shared.kernel.ids import new_id
from shared.kernel.preconditions import require_version
from shared.kernel.second_person import SecondPersonNeeded
from shared.staff.repository import are_one_person

PATH = "/customer-proposals"
LIFE = timedelta(days=30)
"""How long a proposal waits."""


async def propose(
    connection: asyncpg.Connection, author: Author, customer: Stored, held: CustomerPatch
) -> UUID | None:
    """Make a proposal of what needs a second person, and return its id; nothing, if it would change nothing.

    Every rule has its say before, so that what would be refused is refused now.

    Raises:
        ProposalWaiting: if another person's proposal about the customer waits (409); nothing is changed then.
        Problem: what :func:`services.city_node.customer.changing.judge` refuses.
    """
    _, changes = await changing.judge(connection, author, customer, held)
    if not changes:
        return None
    await _make_room(connection, author, customer.id)
    await hold_keys_on(connection)
    proposal_id = new_id()
    await repository.insert(
        connection,
        proposal_id,
        customer.id,
        changes=changes,
        sealed=author.cipher.encrypt(held.model_dump_json(exclude_unset=True)),
        seen=_seen(author.cipher, customer.values, changes)[0],
        seen_version=customer.version,
        proposer=author.principal,
        at=author.now,
        expires_at=author.now + LIFE,
    )
    return proposal_id


async def approve(desk: Desk, proposal_id: UUID, expected: int) -> None:
    """Let a proposal take effect.

    Raises:
        ProposalNotFound, CustomerNotFound: if there is none in the caller's scope (404).
        VersionStale: if it was decided since (412).
        ProposalDecided: if it is not pending (409).
        SecondPersonNeeded: if the caller proposed it (403).
        ProposalStale: if the fields are not as the proposer saw them (409).
        Problem: what :func:`services.city_node.customer.changing.judge` refuses.
    """
    customer, proposal = await _pending(desk, proposal_id, expected)
    await _require_second_person(desk, proposal)
    if proposal.sealed is None or proposal.seen not in _seen(
        desk.cipher, customer.values, proposal.changes
    ):
        raise ProposalStale(seen=proposal.seen_version)
    patch = CustomerPatch.model_validate_json(desk.cipher.decrypt(proposal.sealed))
    await _decide(desk, proposal.id, ProposalState.APPROVED)
    caused = replace(desk.author, cause_id=proposal.id)
    await changing.apply(await driver_connection(desk.session), caused, customer, patch)


async def reject(desk: Desk, proposal_id: UUID, expected: int, reason: str) -> None:
    """Decide that a proposal does not take effect.

    Raises:
        ProposalNotFound, CustomerNotFound, VersionStale, ProposalDecided, SecondPersonNeeded: as :func:`approve`.
    """
    _, proposal = await _pending(desk, proposal_id, expected)
    await _require_second_person(desk, proposal)
    await _decide(desk, proposal.id, ProposalState.REJECTED, reason)


async def withdraw(desk: Desk, proposal_id: UUID, expected: int) -> None:
    """Take a proposal of one's own back.

    Raises:
        ProposalNotFound, CustomerNotFound, VersionStale, ProposalDecided: as :func:`approve`.
        NotTheProposer: if it is somebody else's (403).
    """
    _, proposal = await _pending(desk, proposal_id, expected)
    if proposal.proposer_id != desk.principal.id:
        raise NotTheProposer(by=proposal.proposed_by)
    await _decide(desk, proposal.id, ProposalState.WITHDRAWN)


async def _make_room(connection: asyncpg.Connection, author: Author, customer_id: UUID) -> None:
    waiting = await repository.pending(connection, customer_id)
    if waiting is None:
        return
    proposal_id, proposer_id, proposed_by = waiting
    if proposer_id != author.principal.id:
        raise ProposalWaiting(proposal=proposal_id, by=proposed_by)
    await repository.decide(
        connection,
        proposal_id,
        ProposalState.WITHDRAWN,
        at=author.now,
        by=author.principal.username,
    )


async def _pending(desk: Desk, proposal_id: UUID, expected: int) -> tuple[Stored, CustomerProposal]:
    customer_id = await repository.customer_of(desk.session, proposal_id)
    # The customer first, as everybody who changes one does.
    connection = await driver_connection(desk.session)
    customer = await find(connection, customer_id, desk.principal.unit_path, lock=True)
    proposal = await repository.lock_proposal(desk.session, proposal_id)
    require_version(proposal.version, expected)
    if proposal.state != ProposalState.PENDING or proposal.expires_at <= desk.now:
        state = proposal.state
        raise ProposalDecided(state="expired" if state == ProposalState.PENDING else state)
    return customer, proposal


async def _require_second_person(desk: Desk, proposal: CustomerProposal) -> None:
    if await are_one_person(desk.session, desk.principal.id, proposal.proposer_id):
        raise SecondPersonNeeded(by=proposal.proposed_by)


async def _decide(
    desk: Desk, proposal_id: UUID, state: ProposalState, reason: str | None = None
) -> None:
    await repository.decide(
        await driver_connection(desk.session),
        proposal_id,
        state,
        at=desk.now,
        by=desk.principal.username,
        reason=reason,
    )


def _seen(cipher: Cipher, customer: Values, changes: Iterable[dict[str, object]]) -> Sequence[str]:
    """Return the digests that the present values of what is to change may have, that of today first.

    A document is compared by its whole number's blind index, which is another one under each of the node's keys: what
    was proposed before a rotation is the same after it, as long as the old key is there.
    """
    present = tracked(customer)
    names = sorted(str(change["field"]) for change in changes)
    indexes: Sequence[bytes | None] = (None,)
    if customer["document_cipher"] is not None:
        indexes = document_indexes(cipher, cipher.decrypt(customer["document_cipher"]))
    seen = []
    for index in indexes:
        values = {**present, "document_number": (customer["document_masked"], index)}
        digest = hashlib.sha256(repr([(name, values.get(name)) for name in names]).encode())
        seen.append(digest.hexdigest())
    return seen
