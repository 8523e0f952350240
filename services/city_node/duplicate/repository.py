"""The statements of a scan, and the queries about candidates."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer.identity import contact_form
from services.city_node.customer.models import CustomerKind, MediumKind
from services.city_node.customer.privacy import birth_date
from services.city_node.duplicate.models import DuplicateCandidate, DuplicateScan, KeyKind
from services.city_node.duplicate.problems import CandidateNotFound
from services.city_node.duplicate.scoring import (
    LARGEST_BLOCK,
    THRESHOLD,
    WEIGHTS,
    normalised_name,
    normalised_sound,
)
from shared.kernel.database import copy_rows
from shared.kernel.encryption import Cipher
from shared.kernel.listing import Listing, Sort

# ruff: noqa: S608 - put together from the expressions declared here and in scoring, never from input
_PORTION = 10_000
OVERLAP = timedelta(days=1)
"""A scan looks again at what changed so long before the last one: a long import is dated by its beginning."""

_TOUCHED = """
    CREATE TEMPORARY TABLE duplicate_touched ON COMMIT DROP AS
    SELECT id FROM customer c WHERE c.library IN ('in_network', 'retained')"""
_WITH_BIRTH = "CASE c.kind WHEN 'individual' THEN {} || c.birth_date ELSE {} END"
_OF_CUSTOMER = "customer c JOIN duplicate_touched t ON t.id = c.id"
_OF_MEDIA = """
    SELECT m.customer_id, encode(m.value_index, 'hex')
    FROM contact_medium m JOIN duplicate_touched t ON t.id = m.customer_id WHERE m.kind = '{kind}'"""
"""Values are encrypted: their blind indexes are compared, which are made of one form however a value was typed."""
_LINES = """
    SELECT s.customer_id, s.msisdn FROM subscription s JOIN duplicate_touched t ON t.id = s.customer_id WHERE s.status <> 'ended'"""
"""An ended line's number may be somebody else's by now."""
_NAME, _SOUND = normalised_name("c"), normalised_sound("c")
_VALUES = {
    KeyKind.NAME: f"SELECT c.id, {_WITH_BIRTH.format(_NAME, _NAME)} FROM {_OF_CUSTOMER}",
    KeyKind.SOUND: f"SELECT c.id, {_WITH_BIRTH.format(_SOUND, _SOUND)} FROM {_OF_CUSTOMER}",
    KeyKind.PHONE: f"{_OF_MEDIA.format(kind='phone')} UNION ALL SELECT customer_id, encode(number_index, 'hex') FROM duplicate_line",
    KeyKind.EMAIL: _OF_MEDIA.format(kind="email"),
    KeyKind.POSTAL: _OF_MEDIA.format(kind="postal"),
}
_KEYS = "\nUNION ALL ".join(
    f"SELECT k.id, '{kind.value}' AS kind, hashtextextended(k.value, 0) AS hash "
    f"FROM ({values}) k(id, value) WHERE k.value <> ''"
    for kind, values in _VALUES.items()
)
_INSERT_KEYS = f"""
    INSERT INTO duplicate_key (customer_id, kind, value)
    SELECT DISTINCT id, kind, hash FROM ({_KEYS}) k"""
_BLOCKS = """
    CREATE TEMPORARY TABLE duplicate_block ON COMMIT DROP AS
    SELECT kind, value, count(*) AS size FROM duplicate_key {which} GROUP BY value, kind HAVING count(*) > 1"""
_TOUCHED_KEYS = """
    WHERE (value, kind) IN (
        SELECT k.value, k.kind FROM duplicate_key k JOIN duplicate_touched t ON t.id = k.customer_id)"""


def _points(reason: str) -> str:
    """Return the SQL of what a reason counts for a pair."""
    by_kind = " ".join(
        f"WHEN '{kind.value}' THEN {WEIGHTS[kind].get(reason, 0)}" for kind in CustomerKind
    )
    return f"CASE l.kind {by_kind} END"


_REASONS: Mapping[str, str] = {
    "name": "'name' = ANY(p.kinds)",
    "sound": "'sound' = ANY(p.kinds) AND NOT 'name' = ANY(p.kinds)",
    "same_name": f"NOT 'name' = ANY(p.kinds) AND {normalised_name('l')} = {normalised_name('r')}",
    "phone": "'phone' = ANY(p.kinds)",
    "email": "'email' = ANY(p.kinds)",
    "postal": "'postal' = ANY(p.kinds)",
    "document_differs": "l.document_type = r.document_type AND l.document_index <> r.document_index",
    "sex_differs": "l.sex <> r.sex AND l.sex <> 'unknown' AND r.sex <> 'unknown'",
}
_SCORED = " UNION ALL ".join(
    f"SELECT '{reason}', {_points(reason)} WHERE {condition}"
    for reason, condition in _REASONS.items()
)
_CANDIDATES = f"""
    CREATE TEMPORARY TABLE duplicate_pair ON COMMIT DROP AS
    WITH pair AS (
        SELECT a.customer_id AS left_id, b.customer_id AS right_id, array_agg(DISTINCT a.kind) AS kinds
        FROM duplicate_block k
        JOIN duplicate_key a ON a.value = k.value AND a.kind = k.kind
        JOIN duplicate_key b ON b.value = k.value AND b.kind = k.kind AND b.customer_id > a.customer_id
        WHERE k.size <= {LARGEST_BLOCK}
        GROUP BY a.customer_id, b.customer_id)
    SELECT p.left_id, p.right_id, s.score, s.reasons,
           md5(concat_ws('|', s.reasons, l.name, l.birth_date, l.sex, r.name, r.birth_date, r.sex)) AS fingerprint
    FROM pair p JOIN customer l ON l.id = p.left_id JOIN customer r ON r.id = p.right_id AND r.kind = l.kind
    CROSS JOIN LATERAL (
        SELECT least(100, sum(points)) AS score, jsonb_object_agg(reason, points) AS reasons
        FROM ({_SCORED}) reason(reason, points) WHERE points <> 0) s
    WHERE s.score >= {THRESHOLD}"""
_KEEP = """
    INSERT INTO duplicate_candidate AS d
        (id, left_id, right_id, score, reasons, fingerprint, state, found_at, version)
    SELECT gen_random_uuid(), left_id, right_id, score, reasons, fingerprint, 'open', :now, 1 FROM duplicate_pair
    ON CONFLICT (left_id, right_id) DO UPDATE
    SET score = excluded.score, reasons = excluded.reasons, fingerprint = excluded.fingerprint, state = 'open',
        found_at = excluded.found_at, version = d.version + 1,
        decided_at = NULL, decided_by = NULL, decision = NULL, merge_id = NULL
    WHERE d.state IN ('obsolete', 'merged') OR d.fingerprint <> excluded.fingerprint"""
_FORGET_GONE = """
    UPDATE duplicate_candidate d SET state = 'obsolete', version = version + 1
    WHERE d.state = 'open' {which}
      AND NOT EXISTS (SELECT FROM duplicate_pair p WHERE p.left_id = d.left_id AND p.right_id = d.right_id)"""
_OF_TOUCHED = (
    """AND EXISTS (SELECT FROM duplicate_touched t WHERE t.id IN (d.left_id, d.right_id))"""
)


async def touch(session: AsyncSession, since: datetime | None) -> int:
    """Choose the customers who are compared: those changed since, or all; return how many."""
    if since is None:
        await session.execute(text(_TOUCHED))
    else:
        await session.execute(
            text(f"{_TOUCHED} AND c.updated_at >= CAST(:since AS timestamptz)"), {"since": since}
        )
    await session.execute(text("ALTER TABLE duplicate_touched ADD PRIMARY KEY (id)"))
    await session.execute(text("ANALYZE duplicate_touched"))
    return int((await session.execute(text("SELECT count(*) FROM duplicate_touched"))).scalar_one())


async def make_keys(session: AsyncSession, cipher: Cipher, *, full: bool) -> int:
    """Make the keys of those chosen anew; return how many."""
    await _index_lines(session, cipher)
    if full:
        await session.execute(text("DELETE FROM duplicate_key"))
    else:
        for gone in ("duplicate_touched", "merged_customer"):
            await session.execute(
                text(f"DELETE FROM duplicate_key k USING {gone} g WHERE k.customer_id = g.id")
            )
    return await _run(session, _INSERT_KEYS)


async def _index_lines(session: AsyncSession, cipher: Cipher) -> None:
    """Give the lines' numbers the blind index that a contact medium with the number has."""
    await session.execute(
        text(
            "CREATE TEMPORARY TABLE duplicate_line (customer_id uuid, number_index bytea) ON COMMIT DROP"
        )
    )
    lines = await session.stream(text(_LINES), execution_options={"yield_per": _PORTION})
    async for portion in lines.partitions():
        indexed = [
            (line.customer_id, cipher.index(contact_form(MediumKind.PHONE, line.msisdn)))
            for line in portion
        ]
        await copy_rows(session, "duplicate_line", ("customer_id", "number_index"), indexed)


async def rotated_since(session: AsyncSession, moment: datetime) -> bool:
    """Tell whether the keys of blind indexes were rotated since."""
    query = text("SELECT EXISTS (SELECT FROM personal_data_rotation WHERE ended_at >= :moment)")
    return bool(await session.scalar(query, {"moment": moment}))


async def compare(session: AsyncSession, *, full: bool) -> tuple[int, int]:
    """Find the candidates among those chosen; return how many, and how many blocks were too large."""
    await session.execute(text("SET LOCAL work_mem = '128MB'"))
    await session.execute(text(_BLOCKS.format(which="" if full else _TOUCHED_KEYS)))
    await session.execute(text("ANALYZE duplicate_block"))
    left_out = await session.execute(
        text(f"SELECT count(*) FROM duplicate_block WHERE size > {LARGEST_BLOCK}")
    )
    return await _run(session, _CANDIDATES), int(left_out.scalar_one())


async def keep_candidates(session: AsyncSession, *, full: bool, now: datetime) -> int:
    """Open what was found, and give up what is no longer; return how many were opened."""
    await session.execute(text(_FORGET_GONE.format(which="" if full else _OF_TOUCHED)))
    return await _run(session, _KEEP, {"now": now})


async def take_turns(session: AsyncSession) -> None:
    """Let scans be one at a time."""
    await session.execute(text("LOCK TABLE duplicate_scan IN SHARE ROW EXCLUSIVE MODE"))


async def last_scan(session: AsyncSession) -> DuplicateScan | None:
    """Return the latest scan."""
    found: DuplicateScan | None = await session.scalar(
        select(DuplicateScan).order_by(DuplicateScan.at.desc()).limit(1)
    )
    return found


async def lock_candidate(
    session: AsyncSession, candidate_id: UUID, unit_path: str
) -> DuplicateCandidate:
    """Return a candidate, locked, both of whose customers are below the unit.

    Raises:
        CandidateNotFound: if there is none (404).
    """
    found = await session.get(DuplicateCandidate, candidate_id, with_for_update=True)
    in_scope = await session.execute(
        text(f"SELECT 1 FROM {candidates.source} WHERE d.id = :id AND {_SCOPE.format(':path')}"),
        {"id": candidate_id, "path": unit_path},
    )
    if found is None or in_scope.first() is None:
        raise CandidateNotFound(candidate=candidate_id)
    return found


def add(session: AsyncSession, row: DuplicateScan) -> None:
    """Add a row, written with the next flush."""
    session.add(row)


async def _run(session: AsyncSession, statement: str, values: Mapping[str, Any] | None = None) -> int:  # fmt: skip
    result: Any = await session.execute(text(statement), values or {})
    return int(result.rowcount)


def _side(customer: str) -> str:
    names = ("id", "customer_number", "kind", "library", "name", "sex", "birth_date", "document_masked", "level", "unit_code", "version")  # fmt: skip
    columns = {name: f"{customer}.{name}" for name in names}
    columns["birth_date"] = birth_date.mark(columns["birth_date"])
    pairs = ", ".join(f"'{name}', {column}" for name, column in columns.items())
    return f"json_build_object({pairs})"


_SCOPE = "starts_with(lu.path, {0}) AND starts_with(ru.path, {0})"
_FIELDS = ("id", "score", "reasons", "state", "found_at", "decided_at", "decided_by", "decision", "merge_id", "version")  # fmt: skip
candidates = Listing(
    source="duplicate_candidate d"
    " JOIN customer l ON l.id = d.left_id JOIN organisation_unit lu ON lu.code = l.unit_code"
    " JOIN customer r ON r.id = d.right_id JOIN organisation_unit ru ON ru.code = r.unit_code",
    key=Sort("d.id", "uuid"),
    columns={
        **{name: f"d.{name}" for name in _FIELDS},
        "left": _side("l"),
        "right": _side("r"),
    },
    sorts={"score": Sort("d.score", "bigint"), "found_at": Sort("d.found_at", "timestamptz")},
    filters={
        "scope": "starts_with(lu.path, {}) AND starts_with(ru.path, {})",
        "id": "d.id = {}",
        "state": "d.state = {}",
        "customer": "(d.left_id = {} OR d.right_id = {})",
        "kind": "l.kind = {}",
        "min_score": "d.score >= {}",
    },
)
"""The candidates of a node whose two profiles both exist; with marks for personal values."""
