"""Proposing, and deciding about proposals."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from services.city_node.customer import service as customers
from services.city_node.customer.history import Changes, snapshot
from services.city_node.customer.identity import document_indexes
from services.city_node.customer.models import Customer
from services.city_node.customer.schemas import CustomerPatch
from services.city_node.customer.service import Desk
from services.city_node.proposal import repository
from services.city_node.proposal.models import CustomerProposal, ProposalState
from services.city_node.proposal.problems import (
    NotTheProposer,
    ProposalDecided,
    ProposalStale,
    ProposalWaiting,
    SecondPersonNeeded,
)
from services.city_node.proposal.sensitive import sensitive_members
from shared.kernel.encryption import Cipher
from shared.kernel.ids import new_id
from shared.kernel.preconditions import require_version
from shared.staff.repository import are_one_person

PATH = "/customer-proposals"
LIFE = timedelta(days=30)
"""How long a proposal waits."""


async def change(desk: Desk, customer_id: UUID, expected: int, patch: CustomerPatch) -> UUID | None:
    """Change what may be changed at once; return the id of the proposal that was made of the rest, if any.

    Raises:
        ProposalWaiting: if another person's proposal about the customer waits (409); nothing is changed then.
        Problem: what :func:`services.city_node.customer.service.change_customer` refuses.
    """
    customer = await desk.locked(customer_id, expected)
    members = await sensitive_members(desk.session, customer.kind) & patch.model_fields_set
    at_once, held = _divided(patch, members)
    if at_once.model_fields_set:
        await customers.change_customer(desk, customer_id, expected, at_once)
    if not members:
        return None
    customer = await desk.locked(customer_id)
    changes = await _try_out(desk, customer, held)
    if not changes:
        return None
    await _make_room(desk, customer_id)
    customer = await desk.locked(customer_id)
    proposal = CustomerProposal(
        id=new_id(),
        customer_id=customer_id,
        state=ProposalState.PENDING.value,
        changes=changes,
        sealed=desk.cipher.encrypt(held.model_dump_json(exclude_unset=True)),
        seen=_seen(desk.cipher, customer, changes)[0],
        seen_version=customer.version,
        proposed_at=desk.now,
        proposed_by=desk.principal.username,
        proposer_id=desk.principal.id,
        expires_at=desk.now + LIFE,
        version=1,
    )
    repository.add(desk.session, proposal)
    await repository.write(desk.session)
    return proposal.id


async def approve(desk: Desk, proposal_id: UUID, expected: int) -> None:
    """Let a proposal take effect.

    Raises:
        ProposalNotFound, CustomerNotFound: if there is none in the caller's scope (404).
        VersionStale: if it was decided since (412).
        ProposalDecided: if it is not pending (409).
        SecondPersonNeeded: if the caller proposed it (403).
        ProposalStale: if the fields are not as the proposer saw them (409).
        Problem: what :func:`services.city_node.customer.service.change_customer` refuses.
    """
    customer, proposal = await _pending(desk, proposal_id, expected)
    await _require_second_person(desk, proposal)
    if proposal.sealed is None or proposal.seen not in _seen(
        desk.cipher, customer, proposal.changes
    ):
        raise ProposalStale(seen=proposal.seen_version)
    patch = CustomerPatch.model_validate_json(desk.cipher.decrypt(proposal.sealed))
    _decide(desk, proposal, ProposalState.APPROVED)
    caused = replace(desk, cause_id=proposal.id)
    await customers.change_customer(caused, customer.id, customer.version, patch)


async def reject(desk: Desk, proposal_id: UUID, expected: int, reason: str) -> None:
    """Decide that a proposal does not take effect.

    Raises:
        ProposalNotFound, CustomerNotFound, VersionStale, ProposalDecided, SecondPersonNeeded: as :func:`approve`.
    """
    _, proposal = await _pending(desk, proposal_id, expected)
    await _require_second_person(desk, proposal)
    _decide(desk, proposal, ProposalState.REJECTED)
    proposal.decision = reason


async def withdraw(desk: Desk, proposal_id: UUID, expected: int) -> None:
    """Take a proposal of one's own back.

    Raises:
        ProposalNotFound, CustomerNotFound, VersionStale, ProposalDecided: as :func:`approve`.
        NotTheProposer: if it is somebody else's (403).
    """
    _, proposal = await _pending(desk, proposal_id, expected)
    if proposal.proposer_id != desk.principal.id:
        raise NotTheProposer(by=proposal.proposed_by)
    _decide(desk, proposal, ProposalState.WITHDRAWN)


def _divided(patch: CustomerPatch, members: frozenset[str]) -> tuple[CustomerPatch, CustomerPatch]:
    given = patch.model_dump(exclude_unset=True)
    return (
        CustomerPatch.model_validate({k: v for k, v in given.items() if k not in members}),
        CustomerPatch.model_validate({k: v for k, v in given.items() if k in members}),
    )


async def _try_out(desk: Desk, customer: Customer, held: CustomerPatch) -> Changes:
    """Return what would change, after every rule has had its say; nothing has changed then."""
    async with desk.session.begin_nested() as trial:
        changes = await customers.change_customer(desk, customer.id, customer.version, held)
        await trial.rollback()
    return changes


async def _make_room(desk: Desk, customer_id: UUID) -> None:
    waiting = await repository.pending(desk.session, customer_id)
    if waiting is None:
        return
    if waiting.proposer_id != desk.principal.id:
        raise ProposalWaiting(proposal=waiting.id, by=waiting.proposed_by)
    _decide(desk, waiting, ProposalState.WITHDRAWN)
    await repository.write(desk.session)


async def _pending(
    desk: Desk, proposal_id: UUID, expected: int
) -> tuple[Customer, CustomerProposal]:
    # The customer first, as everybody who changes one does.
    customer = await desk.locked(await repository.customer_of(desk.session, proposal_id))
    proposal = await repository.lock_proposal(desk.session, proposal_id)
    require_version(proposal.version, expected)
    if proposal.state != ProposalState.PENDING or proposal.expires_at <= desk.now:
        state = proposal.state
        raise ProposalDecided(state="expired" if state == ProposalState.PENDING else state)
    return customer, proposal


async def _require_second_person(desk: Desk, proposal: CustomerProposal) -> None:
    if await are_one_person(desk.session, desk.principal.id, proposal.proposer_id):
        raise SecondPersonNeeded(by=proposal.proposed_by)


def _decide(desk: Desk, proposal: CustomerProposal, state: ProposalState) -> None:
    proposal.state = state.value
    proposal.decided_at, proposal.decided_by = desk.now, desk.principal.username
    proposal.sealed = None
    proposal.version += 1


def _seen(
    cipher: Cipher, customer: Customer, changes: Iterable[dict[str, object]]
) -> Sequence[str]:
    """Return the digests that the present values of what is to change may have, that of today first.

    A document is compared by its whole number's blind index, which is another one under each of the node's keys: what
    was proposed before a rotation is the same after it, as long as the old key is there.
    """
    present = snapshot(customer)
    names = sorted(str(change["field"]) for change in changes)
    indexes: Sequence[bytes | None] = (None,)
    if customer.document_cipher is not None:
        indexes = document_indexes(cipher, cipher.decrypt(customer.document_cipher))
    seen = []
    for index in indexes:
        values = {**present, "document_number": (customer.document_masked, index)}
        digest = hashlib.sha256(repr([(name, values.get(name)) for name in names]).encode())
        seen.append(digest.hexdigest())
    return seen
