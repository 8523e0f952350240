"""Keys for personal values: added, noticed, and dropped."""

from pathlib import Path

import pytest

from shared.kernel.encryption import Cipher, DecryptionFailed, KeysExhausted


def test_another_process_takes_a_new_key_up_at_its_next_use(tmp_path: Path) -> None:
    ours, theirs = Cipher.load_or_create(tmp_path), Cipher.load_or_create(tmp_path)
    old, old_index = theirs.encrypt("13800138000"), theirs.index("13800138000")
    assert ours.add_key() == 2
    assert (theirs.current.id, theirs.encrypt("x")[0]) == (2, 2)
    assert ours.decrypt(old) == theirs.decrypt(old) == "13800138000"
    assert theirs.index("13800138000") != old_index
    assert theirs.indexes("13800138000") == [theirs.index("13800138000"), old_index]


def test_a_key_that_was_dropped_opens_nothing_any_more(tmp_path: Path) -> None:
    ours, theirs = Cipher.load_or_create(tmp_path), Cipher.load_or_create(tmp_path)
    old = theirs.encrypt("x")
    ours.add_key()
    ours.drop_key(1)
    assert theirs.ring() == ours.ring() == Cipher.load_or_create(tmp_path).ring()
    assert len(ours.ring()) == 1
    with pytest.raises(DecryptionFailed, match=r"personal-data\.N\.key"):
        theirs.decrypt(old)
    assert (tmp_path / "personal-data.2.key").stat().st_mode & 0o077 == 0


def test_the_key_that_seals_is_never_dropped(tmp_path: Path) -> None:
    cipher = Cipher.load_or_create(tmp_path)
    cipher.drop_key(1)
    assert Cipher.load_or_create(tmp_path).ring() == cipher.ring()


def test_a_key_without_number_is_the_first_one_of_older_nodes(tmp_path: Path) -> None:
    (tmp_path / "personal-data.key").write_bytes(b"e" * 32 + b"i" * 32)
    (tmp_path / "personal-data.old.key").write_bytes(b"not a key of ours")
    cipher = Cipher.load_or_create(tmp_path)
    assert cipher.decrypt(Cipher(b"e" * 32, b"i" * 32).encrypt("x")) == "x"
    assert cipher.ring() == Cipher(b"e" * 32, b"i" * 32).ring()


def test_ids_end_where_a_byte_does(tmp_path: Path) -> None:
    (tmp_path / "personal-data.255.key").write_bytes(b"k" * 64)
    with pytest.raises(KeysExhausted):
        Cipher.load_or_create(tmp_path).add_key()


def test_a_lasting_index_outlives_every_rotation(tmp_path: Path) -> None:
    cipher = Cipher.load_or_create(tmp_path)
    before, index = cipher.lasting_index("x"), cipher.index("x")
    cipher.add_key()
    cipher.drop_key(1)
    again = Cipher.load_or_create(tmp_path)
    assert cipher.lasting_index("x") == again.lasting_index("x") == before != index
    assert again.index("x") != index
    assert (tmp_path / "lasting-index.key").stat().st_mode & 0o077 == 0
