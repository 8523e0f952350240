"""Who bears what of a repair: one small rule, which both ends compute for themselves.

The home city bears its promised share of the cost, rounded down to a fen, up to its cap. The visited city bears what
it lets the customer off. The customer bears the rest.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol


class Item(Protocol):
    """A part that is used."""

    quantity: int
    unit_fen: int


@dataclass(frozen=True, slots=True)
class Split:
    """Who bears what, in fen."""

    customer_fen: int
    home_fen: int
    visited_fen: int


def total(parts: Iterable[Item], labour_fen: int) -> int:
    """Return what parts and labour cost together."""
    return sum(part.quantity * part.unit_fen for part in parts) + labour_fen


def home_part(total_fen: int, *, share_permille: int, cap_fen: int) -> int:
    """Return what the home city bears of a cost."""
    return min(total_fen * share_permille // 1000, cap_fen)


def split(total_fen: int, *, share_permille: int, cap_fen: int, goodwill_fen: int = 0) -> Split:
    """Return who bears what; goodwill covers no more than what is left of the cost."""
    home = home_part(total_fen, share_permille=share_permille, cap_fen=cap_fen)
    visited = min(goodwill_fen, total_fen - home)
    return Split(total_fen - home - visited, home, visited)


def settled(total_fen: int, customer_fen: int, home_fen: int) -> Split:
    """Return who bears what where the customer has paid already: home no more than the rest, the visited city that."""
    home = min(home_fen, total_fen - customer_fen)
    return Split(customer_fen, home, total_fen - customer_fen - home)
