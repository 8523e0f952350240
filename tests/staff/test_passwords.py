"""What a password must be, and how it is kept."""

import time

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.low_level import Type

from shared.staff import passwords
from shared.staff.passwords import PasswordUnfit, hash_password, is_outdated, is_right, require_fit


@pytest.fixture(autouse=True)
def hashing() -> None:
    """Hash as at work, and not as other tests do."""
    passwords._nobody.cache_clear()


async def test_a_hash_is_argon2id_salted_and_says_its_parameters() -> None:
    one, two = (
        await hash_password("correct-horse-battery"),
        await hash_password("correct-horse-battery"),
    )
    assert one != two
    parameters = extract_parameters(one)
    assert parameters.type is Type.ID
    assert parameters.memory_cost * parameters.time_cost >= 19 * 1024 * 2
    assert not is_outdated(one)


async def test_only_the_password_itself_is_right() -> None:
    kept = await hash_password("correct-horse-battery")
    assert await is_right("correct-horse-battery", kept)
    for wrong in ("correct-horse-batterz", "", "correct-horse-battery ", "x" * 10**6):
        assert not await is_right(wrong, kept)
    assert not await is_right("correct-horse-battery", None)
    assert not await is_right("correct-horse-battery", "no hash at all")


async def test_spellings_that_input_methods_mix_up_are_one_password() -> None:
    kept = await hash_password("ｃafé 密码 １２３４５")
    assert await is_right("cafe\u0301 密码 12345", kept)


async def test_a_long_password_is_right_as_a_whole() -> None:
    kept = await hash_password("x" * 199 + "y")
    assert await is_right("x" * 199 + "y", kept)
    assert not await is_right("x" * 200, kept)


async def test_a_hash_of_weaker_parameters_is_outdated_and_still_right() -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash("correct-horse")
    assert is_outdated(weak)
    assert await is_right("correct-horse", weak)


async def test_nobody_costs_about_as_much_as_somebody() -> None:
    kept = await hash_password("correct-horse-battery")
    somebody, nobody = [], []
    for _ in range(7):
        start = time.perf_counter()
        await is_right("wrong-password-1", kept)
        middle = time.perf_counter()
        await is_right("wrong-password-1", None)
        somebody.append(middle - start)
        nobody.append(time.perf_counter() - middle)
    assert 0.2 < min(nobody) / min(somebody) < 5


@pytest.mark.parametrize(
    "password", ["a" * 12, "a" * 200, "十二个汉字足够作为密码了", "correct horse"]
)
def test_a_fit_password(password: str) -> None:
    require_fit(password, "li.wei")


@pytest.mark.parametrize(
    "password", ["", "a" * 11, "a" * 201, "li.wei.li.wei", "LI.WEI.LI.WEI", "ｌi.wei.li.wei"]
)
def test_an_unfit_password_is_refused_where_it_stands(password: str) -> None:
    with pytest.raises(PasswordUnfit) as refused:
        require_fit(password, "li.wei.li.wei", "/new")
    assert refused.value.faults[0].pointer == "/new"
    assert password not in str(refused.value) or not password
