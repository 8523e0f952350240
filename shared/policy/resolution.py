"""Which versions are in force: a pure function of those that are known, whatever order they came in."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Generic

from pydantic import ValidationError

from shared.capability import Bound, D, PolicyKind
from shared.kernel.problems import Fault
from shared.kernel.settings import HQ_CODE
from shared.policy.bounds import outside
from shared.policy.declaration import PolicyInForce
from shared.policy.merging import merged
from shared.policy.reading import faults_of, read, written


@dataclass(frozen=True, slots=True)
class Version:
    """What one publisher published about one kind.

    Attributes:
        publisher: division code.
        number: its place among the publisher's versions, from 1; ``None`` for a draft.
        digest: SHA-256 of what was signed.
        effective_from: the first day on which it may be in force.
        document: HQ's whole document, or another's merge patch.
        bounds: HQ's own bounds; ``None`` for those that ship with the program, and for overrides.
        published_at: when.
        published_by: who approved it.
        withdrawn_at: when it was withdrawn, if it was.
    """

    publisher: str
    number: int | None
    digest: str
    effective_from: date
    document: Any
    bounds: tuple[Bound, ...] | None = None
    published_at: datetime | None = None
    published_by: str | None = None
    withdrawn_at: datetime | None = None

    @property
    def name(self) -> str:
        """How references name it."""
        return "draft" if self.number is None else str(self.number)


@dataclass(frozen=True, slots=True)
class Layer:
    """What a publisher contributes to what is in force.

    Attributes:
        publisher: division code.
        version: the version that it has in force; ``None`` for the default that ships with the program.
        faults: why the version is set aside, with pointers into the document; empty if it holds.
        is_malformed: whether that is because it does not have the form of its kind, and not because of the bounds.
    """

    publisher: str
    version: Version | None
    faults: tuple[Fault, ...] = ()
    is_malformed: bool = False

    @property
    def holds(self) -> bool:
        """Whether it is part of what is in force."""
        return not self.faults


@dataclass(frozen=True, slots=True)
class Resolution(Generic[D]):
    """What is in force at a node on a date, and how it came about.

    Attributes:
        kind: of which kind.
        document: what is in force.
        national: the national document as JSON values, by which the overrides were checked.
        bounds: of the national document.
        layers: the national one first, then the overrides from above; those set aside are among them.
    """

    kind: PolicyKind[D]
    document: D
    national: Any
    bounds: tuple[Bound, ...]
    layers: tuple[Layer, ...]

    @property
    def reference(self) -> str:
        """Which versions made it."""
        first, *others = (layer for layer in self.layers if layer.holds)
        national = first.version.name if first.version else "default"
        overrides = (f" + {o.publisher}:{o.version.name}" for o in others if o.version)
        return f"{self.kind.name} {national}{''.join(overrides)}"

    @property
    def national_reference(self) -> str:
        """Which national version it is: ``level 3``."""
        return self.reference.partition(" + ")[0]

    @property
    def effective_from(self) -> date:
        """The day on which the latest of these versions took effect."""
        held = (layer.version for layer in self.layers if layer.holds and layer.version)
        return max((version.effective_from for version in held), default=date.min)

    @property
    def in_force(self) -> PolicyInForce[D]:
        """What a rule is given."""
        return PolicyInForce(self.document, self.reference, self.effective_from)


def counted(versions: Iterable[Version]) -> list[Version]:
    """Leave out contradicted versions: of two under one number the one that was published first counts.

    Two there are only if a publisher was restored from an old backup and gave a number again.
    """
    first: dict[tuple[str, int | None], Version] = {}
    for version in sorted(versions, key=_order):
        first.setdefault((version.publisher, version.number), version)
    return list(first.values())


def _order(version: Version) -> tuple[str, str]:
    return version.published_at.isoformat() if version.published_at else "", version.digest


def resolve(
    kind: PolicyKind[D],
    line: Sequence[str],
    versions: Iterable[Version],
    on: date,
    draft: Version | None = None,
) -> Resolution[D]:
    """Return what is in force.

    Args:
        kind: which policy.
        line: division codes from HQ down to the node that goes by it.
        versions: all that are known of this kind.
        on: the day.
        draft: what takes the place of what its publisher has in force.
    """
    known = counted(versions)

    def candidates(publisher: str) -> list[Version]:
        if draft is not None and draft.publisher == publisher:
            return [draft]
        return sorted(
            (v for v in known if v.publisher == publisher and _is_effective(v, on)),
            key=lambda version: (version.effective_from, version.number or 0),
            reverse=True,
        )

    layers, document, bounds = _national(kind, candidates)
    national = written(document)
    for publisher in line[1:]:
        for override in candidates(publisher)[:1]:
            base = written(document)
            found, faults = _attempt(kind, merged(base, override.document))
            if found is not None:
                faults = outside(national, written(found), bounds)
                document = document if faults else found
            layers.append(Layer(publisher, override, tuple(faults), is_malformed=found is None))
    return Resolution(kind, document, national, bounds, tuple(layers))


def _is_effective(version: Version, on: date) -> bool:
    return version.withdrawn_at is None and version.effective_from <= on


def _national(
    kind: PolicyKind[D], candidates: Callable[[str], list[Version]]
) -> tuple[list[Layer], D, tuple[Bound, ...]]:
    """Return the newest national document that this program can read, after those that it cannot."""
    layers: list[Layer] = []
    for version in candidates(HQ_CODE):
        found, faults = _attempt(kind, version.document)
        if found is not None:
            bounds = kind.bounds if version.bounds is None else version.bounds
            return [Layer(HQ_CODE, version), *layers], found, bounds
        layers.append(Layer(HQ_CODE, version, tuple(faults), is_malformed=True))
    return [Layer(HQ_CODE, None), *layers], kind.default, kind.bounds


def _attempt(kind: PolicyKind[D], document: Any) -> tuple[D | None, Sequence[Fault]]:
    try:
        return read(kind, document), ()
    except ValidationError as error:
        return None, faults_of(error)
