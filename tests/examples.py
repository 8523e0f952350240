"""How many examples a property test that works on a database tries.

Few in the run that people wait for, and other ones each time; ``PROPERTY_TIMES=10`` tries ten times as many.
"""

import os

_TIMES = int(os.environ.get("PROPERTY_TIMES", "1"))


def examples(usual: int) -> int:
    """Return the number for a test that usually tries so many."""
    return usual * _TIMES
