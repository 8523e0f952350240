"""How far an override may go: where a document differs from the national one, and what the bounds say there.

Every place at which the two differ must be covered by a bound, and the value there must be within it. A bound covers
the part that it points at and all below; of several the one that points most exactly counts. To add or to remove an
item or a key, a bound without limits must cover it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from shared.capability import Bound
from shared.kernel.language import Text
from shared.kernel.problems import Fault, pointer_of

_UNBOUNDED = Text(
    "HQ alone sets this: the national value is {national}, given is {given}",
    "此项仅总部可设：全国值为 {national}，所填为 {given}",
)
_FIXED_MEMBER = Text(
    "nothing may be added or removed here, within the bounds that HQ has set",
    "按总部所设范围，此处不得增删",
)
_BELOW = Text("must be at least {limit}, given is {given}", "不得小于 {limit}，所填为 {given}")
_ABOVE = Text("must be at most {limit}, given is {given}", "不得大于 {limit}，所填为 {given}")
_NOT_ONE_OF = Text(
    "must be one of {limit}, given is {given}", "必须是 {limit} 之一，所填为 {given}"
)
_NOT_A_NUMBER = Text("must be a whole number, given is {given}", "必须是整数，所填为 {given}")

Path = tuple[str | int, ...]


class _Absent:
    """What stands where a document has nothing."""

    def __repr__(self) -> str:
        return "nothing"


ABSENT = _Absent()


@dataclass(frozen=True, slots=True)
class Difference:
    """A place at which two documents differ: a value, or a member that one of them has not."""

    path: Path
    before: Any
    after: Any

    @property
    def pointer(self) -> str:
        """JSON pointer of the place."""
        return pointer_of(("body", *self.path))


def differences(before: Any, after: Any, path: Path = ()) -> Iterator[Difference]:
    """Give the places at which two documents of JSON values differ, in order.

    Objects are compared by key and lists by index; what only one of the two has is one difference, as a whole.
    """
    members = _members(before), _members(after)
    if members[0] is None or members[1] is None or type(before) is not type(after):
        if before != after or type(before) is not type(after):
            yield Difference(path, before, after)
        return
    for name in members[0] | members[1]:
        yield from differences(
            members[0].get(name, ABSENT), members[1].get(name, ABSENT), (*path, name)
        )


def _members(value: Any) -> dict[str | int, Any] | None:
    if isinstance(value, Mapping):
        return dict(value)
    return dict(enumerate(value)) if isinstance(value, list) else None


def outside(national: Any, document: Any, bounds: Sequence[Bound]) -> list[Fault]:
    """Return where a document leaves the bounds around the national one."""
    return [
        fault
        for difference in differences(national, document)
        for fault in _faults(difference, bounds)
    ]


def _faults(difference: Difference, bounds: Sequence[Bound]) -> Iterator[Fault]:
    if difference.before is ABSENT or difference.after is ABSENT:
        bound = _covering(difference.path, bounds)
        if bound is None or _limits(bound):
            yield Fault.of(difference.pointer, _FIXED_MEMBER)
            return
    if difference.after is ABSENT:
        return
    for path, value in _leaves(difference.after, difference.path):
        bound = _covering(path, bounds)
        if bound is None:
            yield Fault.of(
                pointer_of(("body", *path)),
                _UNBOUNDED,
                national=_shown(difference.before),
                given=_shown(value),
            )
        else:
            yield from _against(bound, path, value)


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    members = _members(value)
    if not members:
        yield path, value
        return
    for name, member in members.items():
        yield from _leaves(member, (*path, name))


def _against(bound: Bound, path: Path, value: Any) -> Iterator[Fault]:
    pointer, given = pointer_of(("body", *path)), _shown(value)
    if bound.one_of is not None and value not in bound.one_of:
        yield Fault.of(pointer, _NOT_ONE_OF, limit=", ".join(bound.one_of), given=given)
    if bound.minimum is None and bound.maximum is None:
        return
    if not isinstance(value, int) or isinstance(value, bool):
        yield Fault.of(pointer, _NOT_A_NUMBER, given=given)
    elif bound.minimum is not None and value < bound.minimum:
        yield Fault.of(pointer, _BELOW, limit=bound.minimum, given=given)
    elif bound.maximum is not None and value > bound.maximum:
        yield Fault.of(pointer, _ABOVE, limit=bound.maximum, given=given)


def _limits(bound: Bound) -> bool:
    return (bound.minimum, bound.maximum, bound.one_of) != (None, None, None)


def _covering(path: Path, bounds: Sequence[Bound]) -> Bound | None:
    """Return the bound that covers a place and points most exactly, if any does."""
    names = [str(part) for part in path]
    found: Bound | None = None
    best: tuple[int, int] = (-1, -1)
    for bound in bounds:
        pattern = tokens(bound.pointer)
        covers = len(pattern) <= len(names) and all(
            part in {"*", name} for part, name in zip(pattern, names, strict=False)
        )
        exactness = len(pattern), sum(part != "*" for part in pattern)
        if covers and exactness > best:
            found, best = bound, exactness
    return found


def tokens(pointer: str) -> list[str]:
    """Return the parts of a JSON pointer (RFC 6901)."""
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def _shown(value: Any) -> str:
    return orjson.dumps(value).decode()
