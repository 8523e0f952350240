"""Short runs of nodes that lack something: what brings it out, and how the checker has to find it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from tests.chaos.checker import Violations
from tests.chaos.counter import payment, transfer
from tests.chaos.counter.clerks import Work
from tests.chaos.run import Report
from tests.chaos.schedule import Kind


@dataclass(frozen=True, slots=True)
class Trap:
    """A run of nodes that lack something.

    Attributes:
        lacks: what, and by which counts that has to show: one of them at least is over 0.
        kinds: which faults bring it out.
        work: what the clerks do meanwhile.
    """

    lacks: Mapping[str, tuple[str, ...]]
    kinds: tuple[Kind, ...]
    work: Work = field(default_factory=Work)

    def missed(self, report: Report) -> list[str]:
        """Return what the nodes lacked and the checker has not found."""
        counts = report.line()
        return [
            lack
            for lack, shows in self.lacks.items()
            if not (report.requests and any(counts[name] for name in shows))
        ]


_OF_MESSAGES = tuple(each.name for each in fields(Violations))
_EPOCHS = Trap({"epochs": _OF_MESSAGES}, (Kind.RESTORED,))
TRAPS = (
    Trap({"dedupe": _OF_MESSAGES}, (Kind.ACKS_LOST, Kind.LATE_DUPLICATES, Kind.LINK_ONE_WAY)),
    _EPOCHS,
    Trap(
        {"ownership": ("owners_violated",)},
        (Kind.LINK_DELAYED,),
        Work((transfer.KIND,), rivals=1),
    ),
    Trap(
        {"payments": ("payments_violated",)},
        (Kind.ACKS_LOST, Kind.LATE_DUPLICATES),
        Work((payment.KIND,)),
    ),
)
"""One for each lack."""
SHORT_TRAPS = (
    Trap(
        {
            "dedupe": _OF_MESSAGES,
            "payments": ("payments_violated",),
            "ownership": ("owners_violated",),
        },
        (Kind.ACKS_LOST, Kind.LATE_DUPLICATES, Kind.LINK_ONE_WAY),
        Work((payment.KIND, transfer.KIND), rivals=1),
    ),
    _EPOCHS,
)
"""What shows apart is lacking at once, in half the time. Without epochs lanes stand still, and all else with them."""
