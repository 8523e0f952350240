"""How long to wait before something that failed is tried again."""

SHORTEST_BACKOFF = 1.0
LONGEST_BACKOFF = 300.0


def backoff(failures: int, chance: float, longest: float = LONGEST_BACKOFF) -> float:
    """Return how many seconds to wait after so many failures in a row: full jitter over a doubling range.

    Args:
        failures: how many attempts failed before this one.
        chance: a number from 0 to 1, drawn anew each time, so that those who failed together do not return together.
        longest: what the range grows to.
    """
    range_ = min(longest, SHORTEST_BACKOFF * 2.0 ** min(failures, 30))
    return max(range_ * chance, SHORTEST_BACKOFF / 4)
