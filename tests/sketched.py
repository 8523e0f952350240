"""Sketches made by hand, of people and values that a test knows one by one."""

from collections.abc import Iterable
from uuid import NAMESPACE_OID, UUID, uuid5

from shared.statistics.sketches import Distribution, Registers


def persons(number: int, first: int = 0) -> list[UUID]:
    """So many people, always the same; those from another first on may be among them."""
    return [uuid5(NAMESPACE_OID, str(nth)) for nth in range(first, first + number)]


def distinct(people: Iterable[UUID]) -> bytes:
    """The image of people."""
    registers = Registers()
    for each in people:
        registers.add_person(each)
    return registers.image()


def distribution(values: Iterable[int]) -> bytes:
    """The image of values."""
    ordered = sorted(values)
    made = Distribution(len(ordered))
    for reached, each in enumerate(ordered, start=1):
        made.add(each, reached)
    return made.image()


def rank_missed(ordered: list[int], value: int, percent: int) -> float:
    """By how much the rank of a value, among all of them in order, misses what was asked for."""
    below = sum(each < value for each in ordered) / len(ordered)
    up_to = sum(each <= value for each in ordered) / len(ordered)
    return max(0.0, below - percent / 100, percent / 100 - up_to)
