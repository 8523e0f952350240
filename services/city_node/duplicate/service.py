"""Scanning, and the decisions about what was found."""

from datetime import datetime
from uuid import UUID

from services.city_node.customer.service import Desk
from services.city_node.duplicate import repository
from services.city_node.duplicate.models import (
    CandidateState,
    DuplicateCandidate,
    DuplicateScan,
)
from services.city_node.duplicate.problems import CandidateDecided, NotOfThePair
from services.city_node.duplicate.schemas import Dismissal
from services.city_node.merge import service as merging
from services.city_node.merge.schemas import MergeCreate
from services.city_node.personal_data.service import hold_keys_for_bulk
from shared.kernel.database import Database
from shared.kernel.encryption import Cipher
from shared.kernel.ids import new_id
from shared.kernel.preconditions import require_version


async def scan(
    database: Database, cipher: Cipher, *, full: bool = False, now: datetime
) -> DuplicateScan:
    """Compare those who changed since the last scan, or everybody, with all others, in one transaction.

    Everybody is compared, too, when the keys were rotated since: what is compared by its blind index has another one.

    Raises:
        KeysRotating, ValuesInClear: while personal values are sealed anew (409).
    """
    async with database.transaction() as session:
        await hold_keys_for_bulk(session)
        await repository.take_turns(session)
        last = await repository.last_scan(session)
        full = full or last is None or await repository.rotated_since(session, last.at)
        since = None if full or last is None else last.at - repository.OVERLAP
        customers = await repository.touch(session, since)
        keys = await repository.make_keys(session, cipher.pinned(), full=full)
        found, left_out = await repository.compare(session, full=full)
        opened = await repository.keep_candidates(session, full=full, now=now)
        done = DuplicateScan(
            id=new_id(),
            at=now,
            full=full,
            customers=customers,
            keys=keys,
            blocks_left_out=left_out,
            candidates=found,
            opened=opened,
        )
        repository.add(session, done)
    return done


async def dismiss(desk: Desk, candidate_id: UUID, expected: int, dismissal: Dismissal) -> None:
    """Note that the two are not one customer: they are not found again until what was compared changes.

    Raises:
        CandidateNotFound: if there is none in the caller's scope (404).
        VersionStale: if it was decided or found anew since (412).
        CandidateDecided: if it is not open (409).
    """
    candidate = await _open(desk, candidate_id, expected)
    _decide(desk, candidate, CandidateState.DISMISSED)
    candidate.decision = dismissal.reason


async def merge(desk: Desk, candidate_id: UUID, expected: int, body: MergeCreate) -> UUID:
    """Merge the two, and return the merge's id.

    Raises:
        CandidateNotFound, VersionStale, CandidateDecided: as :func:`dismiss`.
        NotOfThePair: if others are named (422).
        Problem: what :func:`services.city_node.merge.service.merge` refuses.
    """
    candidate = await _open(desk, candidate_id, expected)
    if {body.survivor_id, body.merged_id} != {candidate.left_id, candidate.right_id}:
        raise NotOfThePair
    candidate.merge_id = await merging.merge(desk, body)
    _decide(desk, candidate, CandidateState.MERGED)
    return candidate.merge_id


async def _open(desk: Desk, candidate_id: UUID, expected: int) -> DuplicateCandidate:
    candidate = await repository.lock_candidate(
        desk.session, candidate_id, desk.principal.unit_path
    )
    require_version(candidate.version, expected)
    if candidate.state != CandidateState.OPEN:
        raise CandidateDecided(state=candidate.state)
    return candidate


def _decide(desk: Desk, candidate: DuplicateCandidate, state: CandidateState) -> None:
    candidate.state = state.value
    candidate.decided_at, candidate.decided_by = desk.now, desk.principal.username
    candidate.version += 1
