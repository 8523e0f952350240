"""Whatever the database's superuser does to the sealed log is found, and named."""
# ruff: noqa: S608 - the statements are this file's own

import dataclasses
import hashlib
from pathlib import Path

import pytest

from shared.audit.chain import digest_of
from shared.audit.head import FILE, Head, note
from shared.audit.sealing import seal
from shared.audit.verification import Tampering, verify
from shared.federation.keyring import KeyRing
from shared.federation.post import PostOffice
from tests.audit.conftest import Log


async def test_an_untouched_log_verifies(sealed: Log) -> None:
    await sealed.write("late")
    found = await sealed.verify()
    assert (found.broken, found.seals, found.unsealed) == (None, 3, 1)
    assert found.records == len(await sealed.ids()) - 1
    assert found.rewritable == []


@pytest.mark.parametrize(
    "change",
    [
        "\"by\" = 'nobody'",
        "at = at - interval '1 microsecond'",
        "subject_id = '0.9'",
        "fields = '[]'",
        "detail = detail || '{\"n\": 2}'",
        "role = 'operator'",
        "cause_id = gen_random_uuid()",
    ],
)
async def test_a_changed_record(sealed: Log, change: str) -> None:
    ids = await sealed.ids()
    await sealed.superuser.execute(f"UPDATE audit_record SET {change} WHERE id = $1", ids[4])
    found = await sealed.broken()
    assert (found.tampering, found.seal, found.record) == (Tampering.CHANGED, 2, ids[4])
    assert str(ids[4]) in found.sentence


async def test_a_removed_record(sealed: Log) -> None:
    ids = await sealed.ids()
    await sealed.superuser.execute("DELETE FROM audit_record WHERE id = $1", ids[8])
    found = await sealed.broken()
    assert (found.tampering, found.seal, found.record) == (Tampering.REMOVED, 3, ids[8])


async def test_a_record_put_into_a_sealed_range(sealed: Log) -> None:
    ids = await sealed.ids()
    columns = "at, by, action, source, era, xid"
    made = await sealed.superuser.fetchval(
        f"INSERT INTO audit_record ({columns}) SELECT {columns} FROM audit_record WHERE id = $1 RETURNING id",
        ids[1],
    )
    found = await sealed.broken()
    assert (found.tampering, found.seal, found.record) == (Tampering.INSERTED, 1, made)


async def test_a_record_of_a_time_that_never_was(sealed: Log) -> None:
    made = await sealed.superuser.fetchval(
        "INSERT INTO audit_record (at, by, action, source, era) VALUES (now(), 'nobody', 'test.done', 'rest', 7) RETURNING id"
    )
    found = await sealed.broken()
    assert (found.tampering, found.record) == (Tampering.INSERTED, made)


async def test_records_in_another_order(log: Log) -> None:
    await log.write("a", "b")
    await log.seal()
    first, second = await log.ids()
    await log.superuser.execute(
        "UPDATE audit_record r SET xid = (SELECT xid FROM audit_record o WHERE o.id = $1 + $2 - r.id) WHERE id IN ($1, $2)",
        first,
        second,
    )
    found = await log.broken()
    assert (found.tampering, found.seal) == (Tampering.REORDERED, 1)
    assert found.record in {first, second}


async def test_a_record_moved_to_another_seal(sealed: Log) -> None:
    ids = await sealed.ids()
    await sealed.superuser.execute(
        "UPDATE audit_record SET xid = (SELECT xid FROM audit_record WHERE id = $2) WHERE id = $1",
        ids[0],
        ids[8],
    )
    found = await sealed.broken()
    assert (found.tampering, found.seal, found.record) == (Tampering.REMOVED, 1, ids[0])


@pytest.mark.parametrize(
    "change",
    [
        "records = records - 1",
        "digests = digests || digests",
        "at = at - interval '1 second'",
        "until_xid = until_xid + 1",
        "in_progress = in_progress || 3::bigint",
        "link = previous",
        "last_at = last_at - interval '1 day'",
    ],
)
async def test_a_changed_seal(sealed: Log, change: str) -> None:
    await sealed.superuser.execute(f"UPDATE audit_seal SET {change} WHERE number = 2")
    found = await sealed.broken()
    assert (found.tampering, found.seal, found.record) == (Tampering.CHANGED, 2, None)


async def test_a_removed_seal(sealed: Log) -> None:
    await sealed.superuser.execute("DELETE FROM audit_seal WHERE number = 2")
    found = await sealed.broken()
    assert (found.tampering, found.seal) == (Tampering.REMOVED, 2)


async def test_seals_in_another_order(sealed: Log) -> None:
    for old, new in ((2, 9), (3, 2), (9, 3)):
        await sealed.superuser.execute(
            "UPDATE audit_seal SET number = $2 WHERE number = $1", old, new
        )
    found = await sealed.broken()
    assert (found.tampering, found.seal) == (Tampering.CHANGED, 2)


async def test_the_end_cut_off_with_its_records(sealed: Log) -> None:
    await sealed.superuser.execute(
        "DELETE FROM audit_record WHERE id >= $1", (await sealed.ids())[6]
    )
    await sealed.superuser.execute("DELETE FROM audit_seal WHERE number = 3")
    found = await sealed.broken()
    assert (found.tampering, found.seal) == (Tampering.REMOVED, 3)


async def test_a_log_written_anew_after_the_end_was_cut_off(sealed: Log) -> None:
    await sealed.superuser.execute(
        "DELETE FROM audit_record WHERE id >= $1", (await sealed.ids())[6]
    )
    await sealed.superuser.execute("DELETE FROM audit_seal WHERE number = 3")
    for subject in ("x", "y"):
        await sealed.write(subject)
        await sealed.seal()
    found = await sealed.broken()
    assert (found.tampering, found.seal) == (Tampering.FORGED, 3)


async def test_all_of_it_sealed_anew_with_another_key(sealed: Log, tmp_path: Path) -> None:
    directory = sealed.node.node.settings.directory
    await sealed.superuser.execute("UPDATE audit_record SET \"by\" = 'nobody'")
    await sealed.superuser.execute("TRUNCATE audit_seal")
    (directory / FILE).unlink()
    forger = dataclasses.replace(
        sealed.node.context, post=PostOffice("440300", KeyRing.load_or_create(tmp_path / "forger"))
    )
    await seal(forger, now=sealed.node.clock.now())
    found = await sealed.broken()
    assert (found.tampering, found.seal) == (Tampering.FORGED, 1)


async def test_all_of_it_sealed_anew_with_the_right_key_differs_from_a_head_noted_elsewhere(
    sealed: Log,
) -> None:
    elsewhere = (await sealed.verify()).head
    assert elsewhere is not None
    await sealed.superuser.execute("UPDATE audit_record SET \"by\" = 'nobody'")
    await sealed.superuser.execute("TRUNCATE audit_seal")
    (sealed.node.node.settings.directory / FILE).unlink()
    await sealed.seal(most=1)
    assert (await sealed.verify()).broken is None
    found = (await verify(sealed.node.context, heads=[elsewhere])).broken
    assert found is not None
    assert (found.tampering, found.seal) == (Tampering.FORGED, 3)


async def test_the_seals_before_the_first_that_is_asked_for_are_believed(sealed: Log) -> None:
    await sealed.superuser.execute(
        "UPDATE audit_record SET \"by\" = 'nobody' WHERE id = $1", (await sealed.ids())[0]
    )
    found = await sealed.verify(first=2)
    assert (found.broken, found.seals, found.records) == (None, 2, 6)


async def test_the_documented_form_is_enough_to_check_a_record(log: Log) -> None:
    await log.write("a")
    row = await log.superuser.fetchrow("SELECT * FROM audit_record WHERE action = 'test.done'")
    written = (
        f'[{row["id"]},"2026-11-23T04:00:00.000000+00:00","li.wei",null,null,"440300","000000/440000/440300/","test.done",'
        '"thing","a",["name"],"rest",null,null,{"n":1,"text":"改"}]'
    )
    assert digest_of(row).digest == hashlib.sha256(written.encode()).digest()


async def test_a_head_is_written_as_it_is_read(sealed: Log) -> None:
    head = (await sealed.verify()).head
    assert head is not None
    assert Head.parse(str(head)) == head
    note(sealed.node.node.settings.directory, head)
    assert (await sealed.verify()).broken is None
