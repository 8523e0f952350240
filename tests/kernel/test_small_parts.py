"""Language, ids, masking and encryption."""

from pathlib import Path
from typing import Annotated
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AfterValidator, TypeAdapter, ValidationError

from shared.kernel.backoff import LONGEST_BACKOFF, backoff
from shared.kernel.encryption import Cipher, DecryptionFailed, mask
from shared.kernel.ids import derived_id, new_id
from shared.kernel.language import Language, Text, preferred_language
from shared.kernel.problems import invalid_input
from shared.kernel.wording import Unfit

CIPHER = Cipher(b"e" * 32, b"i" * 32)


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, Language.ENGLISH),
        ("zh-CN,zh;q=0.9,en;q=0.8", Language.CHINESE),
        ("en-GB,zh;q=0.5", Language.ENGLISH),
        ("fr, zh;q=0.1", Language.CHINESE),
        ("de;q=x,,;;", Language.ENGLISH),
    ],
)
def test_the_language_that_is_asked_for(header: str | None, language: Language) -> None:
    assert preferred_language(header) is language


@given(st.text())
def test_any_header_gives_a_language(header: str) -> None:
    assert preferred_language(header) in Language


def test_a_text_speaks_both_languages() -> None:
    text = Text("{n} customers", "{n} 名客户")
    assert text.speak(Language.ENGLISH, n=3) == "3 customers"
    assert text.speak(Language.CHINESE, n=3) == "3 名客户"


def test_new_ids_are_ordered_by_time() -> None:
    ids = [new_id() for _ in range(100)]
    assert ids == sorted(ids)
    assert {i.version for i in ids} == {7}


def test_derived_ids_come_out_the_same() -> None:
    cause = UUID(int=1)
    assert derived_id(cause, "a", "b") == derived_id(cause, "a", "b")
    assert derived_id(cause, "a", "b") != derived_id(cause, "ab")


@given(st.text())
def test_what_is_encrypted_is_read_again_and_differs_each_time(value: str) -> None:
    once, again = CIPHER.encrypt(value), CIPHER.encrypt(value)
    assert once != again
    assert CIPHER.decrypt(once) == CIPHER.decrypt(again) == value


def test_altered_or_foreign_values_are_refused() -> None:
    stored = CIPHER.encrypt("11010519491231002X")
    with pytest.raises(DecryptionFailed, match=r"personal-data\.key"):
        CIPHER.decrypt(stored[:-1] + bytes([stored[-1] ^ 1]))
    with pytest.raises(DecryptionFailed):
        Cipher(b"o" * 32, b"i" * 32).decrypt(stored)


def test_keys_are_made_once_and_kept_to_the_node(tmp_path: Path) -> None:
    made, found = (Cipher.load_or_create(tmp_path / "keys") for _ in range(2))
    assert made.ring() == found.ring()
    assert (tmp_path / "keys" / "personal-data.key").stat().st_mode & 0o077 == 0


def test_equal_numbers_have_equal_indexes_under_one_key_only() -> None:
    assert CIPHER.index("123") == CIPHER.index("123") != CIPHER.index("124")
    assert CIPHER.index("123") != Cipher(b"e" * 32, b"j" * 32).index("123")


@given(st.text(min_size=1))
def test_a_mask_keeps_the_length_and_hides_most(value: str) -> None:
    masked = mask(value)
    assert len(masked) >= len(value)
    if len(value) > 8:
        assert set(masked[4:-4]) == {"*"}


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_backoff_grows_to_five_minutes_and_never_stands_still(failures: int, chance: float) -> None:
    assert 0.25 <= backoff(failures, chance) <= LONGEST_BACKOFF
    assert backoff(failures, 1.0) <= backoff(failures + 1, 1.0)


def test_what_a_validator_of_ours_refuses_is_told_in_both_languages() -> None:
    def refuse(given: int) -> int:
        raise Unfit(Text("{given} will not do", "{given} 不可用"), given=given)

    with pytest.raises(ValidationError) as refused:
        TypeAdapter(Annotated[int, AfterValidator(refuse)]).validate_python(3)

    (fault,) = invalid_input(refused.value.errors()).faults
    assert [fault.speak(each) for each in (Language.ENGLISH, Language.CHINESE)] == [
        *("3 will not do", "3 不可用"),
    ]
