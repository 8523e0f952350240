"""Whom a measure is about, where its dataset's count of people does not say it all."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Within:
    """What a measure that counts a part of the cells follows from: cells told apart by these dimensions too.

    Attributes:
        dimensions: the dimensions.
        values: the values of the first that count; none if it is not that simple.
        excluded: whether all values count but these.
    """

    dimensions: tuple[str, ...]
    values: tuple[str, ...] = ()
    excluded: bool = False

    def holds(self, value: str | None) -> bool:
        """Tell whether cells of a value of the first dimension count."""
        return not self.values or (value in self.values) != self.excluded
