"""The keys of a node: at every moment there is a whole one to sign with, and one that others accept."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.federation.keyring import NEXT_FILE, OLD_FILE, KeyRing
from shared.federation.keys import KEY_FILE, KeyUnusable
from shared.federation.models import RegistryEntry
from shared.federation.registry import new_key
from shared.federation.rotation import Stage, rotation_of, with_next


class Crash(BaseException):
    """The process ends here."""


def crashing_after(calls: int) -> "list[object]":
    """Patch what changes files, so that the call after so many never comes back."""
    left = [calls]

    def counted(function: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **named: object) -> object:
            if left[0] == 0:
                raise Crash
            left[0] -= 1
            return function(*arguments, **named)

        return call

    return [
        patch.object(owner, name, counted(getattr(owner, name)))
        for owner, name in ((os, "link"), (os, "fsync"), (Path, "replace"), (Path, "unlink"))
    ]


def interrupted(act: Callable[[], object], calls: int) -> bool:
    """Do ``act`` as far as a crash after so many calls lets it; tells whether it was done."""
    patches = crashing_after(calls)
    for each in patches:
        each.start()  # type: ignore[attr-defined]
    try:
        act()
    except Crash:
        return False
    finally:
        for each in patches:
            each.stop()  # type: ignore[attr-defined]
    return True


def test_the_next_key_signs_once_it_is_switched_to_and_the_one_before_is_kept(
    tmp_path: Path,
) -> None:
    ring = KeyRing.load_or_create(tmp_path)
    first = ring.current.public
    made = ring.make_next().public
    assert (ring.current.public, ring.make_next().public) == (first, made)
    ring.switch()
    assert [key.public for key in ring.all()] == [made, first]
    assert ring.next is None
    ring.switch()
    assert ring.current.public == made
    assert {file.name for file in tmp_path.iterdir()} == {KEY_FILE, OLD_FILE}
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in tmp_path.iterdir())


def test_every_process_of_the_node_changes_over_at_once(tmp_path: Path) -> None:
    one, other = KeyRing.load_or_create(tmp_path), KeyRing.load_or_create(tmp_path)
    one.make_next()
    assert other.next is not None
    one.switch()
    assert other.current.public == one.current.public
    assert other.next is None


def test_what_the_parent_refuses_is_not_called_with_again(tmp_path: Path) -> None:
    ring = KeyRing.load_or_create(tmp_path)
    ring.refused(ring.calling)
    assert ring.calling.public == ring.current.public, "there is no other"
    first = ring.current
    following = ring.make_next().public
    ring.refused(first)
    ring.refused(first)
    assert ring.calling.public == following
    ring.switch()
    assert ring.calling.public == ring.current.public == following
    ring.refused(ring.calling)
    assert ring.calling.public == first.public


def test_a_key_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    ring = KeyRing.load_or_create(tmp_path)
    ring.make_next()
    (tmp_path / NEXT_FILE).chmod(0o644)
    with pytest.raises(KeyUnusable, match="mode 0644"):
        KeyRing.load_or_create(tmp_path)


@given(st.lists(st.tuples(st.sampled_from(["make", "switch"]), st.integers(0, 9)), max_size=12))
def test_a_crash_at_any_line_leaves_the_key_from_before_or_the_next(
    steps: list[tuple[str, int]],
) -> None:
    with TemporaryDirectory() as home:
        directory = Path(home)
        ring = KeyRing.load_or_create(directory)
        for name, calls in steps:
            before, following = ring.current.public, ring.next
            done = interrupted(ring.make_next if name == "make" else ring.switch, calls)
            ring = KeyRing(directory)  # the process that is started next
            allowed = {before} | ({following.public} if following and name == "switch" else set())
            assert ring.current.public in allowed
            if following and ring.current.public == before:
                assert ring.next is not None
                assert ring.next.public == following.public, "announced, and so never lost"
            if ring.current.public != before:
                assert ring.old is not None
                assert ring.old.public == before, "to open what was sealed for it"
            if done and name == "make":
                assert ring.next is not None
        if ring.next is not None:
            expected = ring.next.public
            ring.switch()
            assert ring.current.public == expected


@given(
    st.lists(
        st.one_of(st.sampled_from(["make", "publish", "step"]), st.integers(1, 24 * 9)),
        max_size=25,
    )
)
def test_whatever_is_late_the_node_holds_a_key_that_the_registry_accepts(
    events: list[str | int],
) -> None:
    """A number is hours that pass. A node that was not away for longer than the overlap signs with such a key."""
    now = datetime(2026, 11, 23, 4, tzinfo=UTC)
    settle, overlap, life = timedelta(hours=1), timedelta(days=7), timedelta(days=730)
    with TemporaryDirectory() as home:
        ring = KeyRing.load_or_create(Path(home))
        first = new_key(ring.current.public.to_text(), now=now, life=life)
        own = RegistryEntry(code="440300", status="active", entered_at=now, keys=[first])
        stepped = now
        for event in events:
            stage = rotation_of(ring, own, settle=settle, now=now)
            following = ring.next
            if isinstance(event, int):
                now += timedelta(hours=event)
            elif event == "make" and stage.stage is Stage.IDLE:
                ring.make_next()
            elif event == "publish" and stage.stage is Stage.MADE and following is not None:
                text = following.public.to_text()
                own.keys = with_next(own.all_keys(), text, overlap=overlap, life=life, now=now)
                stepped = now
            elif event == "step":
                if (
                    stage.stage is Stage.PUBLISHED
                    and stage.until is not None
                    and stage.until <= now
                ):
                    ring.switch()
                stepped = now
            accepted = own.keys_at(now)
            held = {key.public for key in (ring.current, ring.next) if key is not None}
            assert 1 <= len(accepted) <= 2
            assert held & set(accepted), "one of the two is accepted after any absence"
            if now - stepped < overlap - settle:
                assert ring.current.public in accepted
            if ring.old is not None and ring.old.public in accepted:
                assert rotation_of(ring, own, settle=settle, now=now).stage is Stage.OVERLAP
