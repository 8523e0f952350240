"""Sketches: what is kept of people and of values where sums cannot tell what is asked.

Two kinds, both in the serialized forms of Apache DataSketches, which its libraries in Java, C++, Python and Rust read:

- *Distinct people*, an HLL: of the first 64 bits of the SHA-256 of each person's id, the first 14 choose one of 16384
  registers, which keeps the greatest place of the first 1 among the others. Two are merged register by register, so
  whoever is in both is counted once.
- *A distribution*, a KLL: values in order, of which one stands for 1, 2, 4 and so on of its neighbours. Up to 512
  values stand for themselves.

What a library makes of a stream depends on the order of the stream and on tossed coins. Here each set of people, and
each collection of values, has exactly one *image*: the registers alone, and the middle of each run of equally many
values in order. So figures that have not changed have the same hash, and whoever verifies an image makes it anew.

Merged are registers, and values with their weights. Neither loses anything, so that it does not matter in which order
or over how many tiers; DataSketches' own merge of two KLL would toss coins again.
"""

import base64
import binascii
import hashlib
import struct
from bisect import insort
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

DISTINCT_FAMILY, DISTRIBUTION_FAMILY = 7, 15
"""By which DataSketches tells its sketches apart: the third byte of an image."""
REGISTER_BITS = 14
REGISTERS = 1 << REGISTER_BITS
MOST_RANK = 64 - REGISTER_BITS + 1
"""Of a hash without any 1 after the bits that choose the register."""
VALUES = 512
"""A distribution keeps at most so many values of equal weight, and fewer than 32 beside them."""
DISTINCT_ERROR = 0.0163
"""The relative error that a distinct count keeps to in 95 of 100 cases, as DataSketches states it."""
RANK_ERROR = 1 / VALUES
"""By how much the rank of a told quantile differs at most from what was asked for; see :func:`_runs`."""

_LEAST_CAPACITY = 8
_MOST_COUNT = 1 << 39
_SORTED = 2
_COMPACT, _OUT_OF_ORDER = 8, 16
_HLL_8 = 2 | 2 << 2  # in the mode of registers, eight bits each
_DISTINCT_HEAD = struct.Struct("<8B3d2I")
_DISTRIBUTION_HEAD = struct.Struct("<4BH2BQH2B")
_SINGLE = struct.Struct("<4BH2Bd")
_ONE = 1


class SketchInvalid(ValueError):
    """A text or an image is no sketch in a form that this node knows."""


class Registers:
    """Distinct people as they are counted: the registers of an HLL."""

    def __init__(self) -> None:
        self._ranks = bytearray(REGISTERS)

    def add(self, register: int, rank: int) -> None:
        """Raise a register to a rank."""
        self._ranks[register] = max(self._ranks[register], rank)

    def add_person(self, id_: UUID) -> None:
        """Count a person, as the city's statement does (``services.city_node.rollup.sketching``)."""
        hashed = int.from_bytes(hashlib.sha256(id_.bytes).digest()[:8])
        rest = hashed & ((1 << (64 - REGISTER_BITS)) - 1)
        self.add(hashed >> (64 - REGISTER_BITS), MOST_RANK - rest.bit_length())

    def image(self) -> bytes:
        """Return the one image of these people."""
        return _distinct(bytes(self._ranks))


class Distribution:
    """A distribution as it is counted: so many values, which come in order.

    Args:
        count: how many values there will be.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._runs = _runs(count)
        self._next = next(self._runs, None)
        self._ends: list[float] = []
        self._levels: dict[int, list[float]] = {}

    def add(self, value: int, reached: int) -> None:
        """Add a value, up to and with which there are so many; but for the ends, those that stand for none may lack."""
        self._ends = [self._ends[0] if self._ends else value, value]
        while self._next is not None and self._next[0] < reached:
            self._levels.setdefault(self._next[1], []).append(value)
            self._next = next(self._runs, None)

    def image(self) -> bytes:
        """Return the one image of these values."""
        values = [value for level in sorted(self._levels) for value in self._levels[level]]
        return _distribution(self._count, self._ends[0], self._ends[-1], values)


class Distinct:
    """Distinct people of several images together."""

    def __init__(self) -> None:
        from datasketches import hll_union  # noqa: PLC0415 - a large library, needed here alone

        self._union = hll_union(REGISTER_BITS)

    def add(self, image: bytes) -> None:
        """Merge an image."""
        from datasketches import hll_sketch  # noqa: PLC0415 - as above

        self._union.update(hll_sketch.deserialize(image))

    def image(self) -> bytes:
        """Return the one image of all these people."""
        from datasketches import tgt_hll_type  # noqa: PLC0415 - as above

        merged = self._union.get_result(tgt_hll_type.HLL_8).serialize_updatable()
        if len(merged) != _DISTINCT_HEAD.size + REGISTERS:  # of nobody
            return _distinct(bytes(REGISTERS))
        return _distinct(merged[_DISTINCT_HEAD.size :])

    def estimate(self) -> int:
        """Return how many people they are, as DataSketches estimates it."""
        estimate: float = self._union.get_estimate()
        return round(estimate)


class Weights:
    """Distributions of several images together: values, and for how many each stands."""

    def __init__(self) -> None:
        self._weights: Counter[int] = Counter()

    def add(self, image: bytes) -> None:
        """Merge an image."""
        for value, weight in weighted(image):
            self._weights[value] += weight

    def quantiles(self, percents: Mapping[str, int]) -> dict[str, int]:
        """Return by code the least value that so many percent of all do not exceed, as ``percentile_disc`` does."""
        found: dict[str, int] = {}
        open_ = sorted(percents, key=lambda code: percents[code])
        total, reached = self._weights.total(), 0
        for value in sorted(self._weights):
            reached += self._weights[value]
            while open_ and reached * 100 >= percents[open_[0]] * total:
                found[open_.pop(0)] = value
        return found


Merging = TypeVar("Merging", bound=Distinct | Weights)


async def merged(
    rows: AsyncIterable[Sequence[Any]], kind: type[Merging]
) -> AsyncIterator[tuple[tuple[Any, ...], Merging]]:
    """Merge images that come in the order of some key, the last thing in each row being the image: one a key."""
    at: tuple[Any, ...] = ()
    merging: Merging | None = None  # made for the first image: without any, no library is loaded
    async for *key, image in rows:
        if merging is None or tuple(key) != at:
            if merging is not None:
                yield at, merging
            at, merging = tuple(key), kind()
        merging.add(image)
    if merging is not None:
        yield at, merging


def weighted(image: bytes) -> Iterator[tuple[int, int]]:
    """Return the values that a distribution keeps, and for how many each stands."""
    count, _, _, values = _opened(image)
    place = 0
    for level, size in enumerate(_sizes(count)):
        for value in values[place : place + size]:
            yield int(value), 1 << level
        place += size


def digest(image: bytes) -> int:
    """Return a number that is another for another image: 48 bits, so that some can be added up and still be exact."""
    return int.from_bytes(hashlib.sha256(image).digest()[:6])


DIGEST = "('x' || encode(substr(sha256({}), 1, 6), 'hex'))::bit(48)::bigint"
""":func:`digest` of an image in SQL."""


def write(image: bytes) -> str:
    """Return an image as slices have it: its form and version, and Base64."""
    return f"{_FORMS[image[2]]}:{base64.b64encode(image).decode()}"


def read(text: object) -> bytes:
    """Return the image that a slice has in a text, if it is the one image of what it says.

    Raises:
        SketchInvalid: if it is not.
    """
    form, _, encoded = text.partition(":") if isinstance(text, str) else ("", "", "")
    if form not in _VERIFIERS:
        raise SketchInvalid(
            f"a sketch of the form {form[:20]!r}; known are {', '.join(_VERIFIERS)}"
        )
    try:
        image = base64.b64decode(encoded, validate=True)
        is_whole = _VERIFIERS[form](image) == image
    except (binascii.Error, struct.error, IndexError, ValueError, OverflowError):
        is_whole = False
    if not is_whole:
        raise SketchInvalid(f"a sketch of the form {form} that is damaged, or not in its one image")
    return image


def family(image: bytes) -> int:
    """Return by which number DataSketches tells the kind of an image."""
    return image[2]


def _distinct(ranks: bytes) -> bytes:
    counts = {rank: ranks.count(rank) for rank in range(MOST_RANK + 1)}
    if sum(counts.values()) != REGISTERS:
        raise SketchInvalid("registers that no hash gives")
    small, large = (
        sum(counts[rank] * 2.0**-rank for rank in ranks_)
        for ranks_ in (range(32), range(32, MOST_RANK + 1))
    )
    head = _DISTINCT_HEAD.pack(
        *(10, 1, DISTINCT_FAMILY, REGISTER_BITS, 0, _COMPACT | _OUT_OF_ORDER, 0, _HLL_8),
        *(0.0, small, large, counts[0], 0),
    )
    return head + ranks


def _distinct_anew(image: bytes) -> bytes:
    return _distinct(image[_DISTINCT_HEAD.size :])


def _top(count: int) -> int:
    """Return for two to the power of how many values one stands of so many."""
    return (count // (VALUES + 1)).bit_length()


def _sizes(count: int) -> list[int]:
    """Return how many values of each weight, 1, 2, 4 and so on, stand for so many."""
    top = _top(count)
    return [*((count >> level) & 1 for level in range(top)), count >> top]


def _runs(count: int) -> Iterator[tuple[int, int]]:
    """Return the place of each value, in order, that stands for its run, and the level of its weight.

    Runs of 2^top values come first; one of each smaller length is what remains. A value that lies anywhere in a run
    is at most half a run from its middle, which is less than ``count / VALUES``.
    """
    sizes, place = _sizes(count), 0
    for level in range(len(sizes) - 1, -1, -1):
        for _ in range(sizes[level]):
            yield place + (1 << level) // 2, level
            place += 1 << level


def _capacity(levels: int) -> int:
    """Return how many values DataSketches makes room for."""
    depths = range(levels)
    return sum(max(_LEAST_CAPACITY, ((VALUES * 2 << d) // 3**d + 1) >> 1) for d in depths)


def _distribution(count: int, least: float, greatest: float, values: list[float]) -> bytes:
    if not 0 < count < _MOST_COUNT:
        raise SketchInvalid("a distribution of too many values, or of none")
    head = (DISTRIBUTION_FAMILY, VALUES, _LEAST_CAPACITY, 0)
    if count == _ONE:
        family_, *rest = head
        return _SINGLE.pack(2, 2, family_, _SORTED | 4, *rest, values[0])
    sizes = _sizes(count)
    offset = _capacity(len(sizes)) - len(values)
    offsets = [offset + sum(sizes[:level]) for level in range(len(sizes))]
    family_, *rest = head
    return (
        _DISTRIBUTION_HEAD.pack(5, 1, family_, _SORTED, *rest, count, VALUES, len(sizes), 0)
        + struct.pack(f"<{len(sizes)}I", *offsets)
        + struct.pack(f"<{2 + len(values)}d", least, greatest, *values)
    )


def _opened(image: bytes) -> tuple[int, float, float, list[float]]:
    """Return count, least and greatest value, and the values, of the lower weights first."""
    if len(image) == _SINGLE.size:
        value = _SINGLE.unpack(image)[-1]
        return 1, value, value, [value]
    count = _DISTRIBUTION_HEAD.unpack_from(image)[7]
    if not _ONE < count < _MOST_COUNT:
        raise SketchInvalid("a distribution of too many values, or of none")
    sizes = _sizes(count)
    place = _DISTRIBUTION_HEAD.size + 4 * len(sizes)
    least, greatest, *values = struct.unpack_from(f"<{2 + sum(sizes)}d", image, place)
    return count, least, greatest, values


def _distribution_anew(image: bytes) -> bytes:
    count, least, greatest, values = _opened(image)
    levels: list[list[float]] = []
    place = 0
    for size in _sizes(count):
        levels.append([])
        for value in values[place : place + size]:
            if not (least <= value <= greatest and value == int(value)):
                raise SketchInvalid("a value that is not whole, or beyond the ends")
            insort(levels[-1], value)
        place += size
    return _distribution(count, least, greatest, [value for level in levels for value in level])


_FORMS: Mapping[int, str] = {DISTINCT_FAMILY: "hll.1", DISTRIBUTION_FAMILY: "kll.1"}
"""What slices call the forms: the number is the version of what this module says of them."""
_VERIFIERS: Mapping[str, Callable[[bytes], bytes]] = {
    "hll.1": _distinct_anew,
    "kll.1": _distribution_anew,
}
