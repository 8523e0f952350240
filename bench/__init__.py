"""Measures the program against a ceiling in the same run.

A benchmark is a module here with a ``BENCHMARK``: it measures the program and its ceiling alternately, several rounds
each, and gives the medians. Only their ratio means anything: machines differ, and so do hours of the day.
"""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured, in the benchmark's unit: medians over the rounds; and what else there is to say of it."""

    value: float
    ceiling: float
    details: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One thing to measure.

    Attributes:
        name: how the command line names it.
        summary: what is compared with what.
        unit: of the value and the ceiling.
        target: the ratio to reach.
        run: measures; ``run(quick)`` with a smaller size for a first look.
        smaller_is_better: whether the value is a cost; the ratio is then ceiling over value.
    """

    name: str
    summary: str
    unit: str
    target: float
    run: Callable[[bool], Coroutine[Any, Any, Result]]
    smaller_is_better: bool = False

    def ratio(self, result: Result) -> float:
        """Return how near the value comes to the ceiling; 1 is the ceiling itself."""
        over, under = result.value, result.ceiling
        if self.smaller_is_better:
            over, under = under, over
        return over / under if under else 0.0
