"""Somebody who has every answer that can be asked for, knows regions and values, and solves for the rest."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

PRIME = (1 << 61) - 1
"""Numbers are computed modulo a prime: what does not follow then does not follow at all."""

Sum = Mapping[Any, int | Fraction]
"""So many times each unknown."""


class Attacker:
    """Knows the value of sums of unknowns, and of everything that follows from them by linear algebra."""

    def __init__(self) -> None:
        self._rows: dict[Any, dict[Any, int]] = {}

    def learn(self, told: Sum) -> None:
        """Learn the value of a sum."""
        left = self._reduced(told)
        if left:
            pivot = min(left, key=str)
            inverse = pow(left[pivot], -1, PRIME)
            self._rows[pivot] = {each: x * inverse % PRIME for each, x in left.items()}

    def knows(self, wanted: Sum) -> bool:
        """Tell whether the value of a sum follows."""
        return not self._reduced(wanted)

    def _reduced(self, given: Sum) -> dict[Any, int]:
        left = {each: _modulo(x) for each, x in given.items() if x}
        waiting = [each for each in left if each in self._rows]
        while waiting:
            pivot = waiting.pop()
            if factor := left.get(pivot):
                for each, x in self._rows[pivot].items():
                    left[each] = (left.get(each, 0) - factor * x) % PRIME
                    if left[each] and each in self._rows and each != pivot:
                        waiting.append(each)
        return {each: x for each, x in left.items() if x}


def _modulo(x: int | Fraction) -> int:
    return x.numerator * pow(x.denominator, -1, PRIME) % PRIME
