"""What nodes lack in the short runs, and that nothing but what it leads to counts as found."""

from dataclasses import replace

import pytest

from tests.chaos.checker import Violations
from tests.chaos.counter.checker import Broken
from tests.chaos.run import Report
from tests.chaos.sabotage import SABOTAGES
from tests.chaos.traps import SHORT_TRAPS, TRAPS, Trap

WELL = Report(14, 100, {}, Violations(), {}, {}, Broken())
TRAP = Trap({"dedupe": ("lost", "inversions"), "payments": ("payments_violated",)}, ())


def test_each_lack_has_its_trap_in_either_form() -> None:
    alone = [lack for trap in TRAPS for lack in trap.lacks]
    together = [lack for trap in SHORT_TRAPS for lack in trap.lacks]

    assert sorted(alone) == sorted(together) == sorted(SABOTAGES.keys() - {"fence"})


@pytest.mark.parametrize(
    ("report", "missed"),
    [
        (WELL, ["dedupe", "payments"]),
        (replace(WELL, violations=Violations(inversions=1)), ["payments"]),
        (replace(WELL, broken=Broken(payments_violated=2)), ["dedupe"]),
        (replace(WELL, broken=Broken(owners_violated=2)), ["dedupe", "payments"]),
        (replace(WELL, violations=Violations(lost=1), broken=Broken(payments_violated=1)), []),
    ],
    ids=["nothing", "messages", "payments", "something else", "both"],
)
def test_what_is_not_found_is_missed(report: Report, missed: list[str]) -> None:
    assert TRAP.missed(report) == missed


def test_where_nothing_was_requested_nothing_is_found() -> None:
    found = replace(WELL, requests=0, violations=Violations(lost=1))

    assert TRAP.missed(found) == ["dedupe", "payments"]
