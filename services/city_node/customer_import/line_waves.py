"""The records of a portion in *waves*: so that none meets another with its natural key, or one that it excludes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any

from shared.kernel.copy_text import rows_as_text

Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Wave:
    """Records that are loaded together.

    Attributes:
        size: how many.
        columns: their columns.
        rows: their rows as ``COPY`` takes them.
    """

    size: int
    columns: Sequence[str]
    rows: bytes


def waves(
    columns: Mapping[str, Sequence[Any]], key: Sequence[str], alone: str | None
) -> list[Wave]:
    """Divide records into as many waves as the most frequent natural key among them needs, in their order.

    Args:
        columns: the records.
        key: columns of their natural key.
        alone: value of the last of these that cannot stand beside others.
    """
    keys: list[Key] = list(zip(*(columns[name] for name in key), strict=True))
    if not keys:
        return []
    if _are_apart(keys, alone):
        return [_wave(columns)]
    turns = _turns(keys, alone)
    chosen = ([turn == nth for turn in turns] for nth in range(max(turns) + 1))
    return [
        _wave({name: list(compress(values, own)) for name, values in columns.items()})
        for own in chosen
    ]


def _are_apart(keys: Sequence[Key], alone: str | None) -> bool:
    if len(set(keys)) < len(keys):
        return False
    if alone is None:
        return True
    whole = {key[:-1] for key in keys if key[-1] == alone}
    return whole.isdisjoint(key[:-1] for key in keys if key[-1] != alone)


def _turns(keys: Sequence[Key], alone: str | None) -> list[int]:
    """Return the wave of each record."""
    found = list[int]()
    latest = dict[Key, tuple[int, set[Any]]]()
    for key in keys:
        group, member = (key, None) if alone is None else (key[:-1], key[-1])
        turn, members = latest.get(group, (0, set()))
        if member in members or (members and alone in {member, *members}):
            turn, members = turn + 1, set()
        latest[group] = turn, members | {member}
        found.append(turn)
    return found


def _wave(columns: Mapping[str, Sequence[Any]]) -> Wave:
    values = list(columns.values())
    return Wave(len(values[0]), tuple(columns), rows_as_text(values))
