"""Who comes to the counters in a run of the demo: customers in the middle of the table, others each time."""

from collections.abc import Collection, Sequence

from services.demo.people import Person

AT_ONCE = 6
"""How many of a city come in one run."""
LEAST_FEN, MOST_FEN = 3_000, 10_000
"""What silver and gold customers pay a month: they leave a deposit on a loan handset, and get a part of a repair."""


def chosen(people: Sequence[Person], city: str, *, run: int, away: Collection[str]) -> list[Person]:
    """Return those of ``city`` who come in a run.

    Args:
        people: everybody, where the table has settled them.
        city: its division code.
        run: which run it is, from 0.
        away: keys of those who have moved.
    """
    possible = [
        person
        for person in people
        if person.city == city
        and not person.has_left
        and person.key not in away
        and LEAST_FEN <= person.monthly_charge_fen < MOST_FEN
        and int(person.cells["tenure"]) > 0
    ]
    return [possible[(run * AT_ONCE + each) % len(possible)] for each in range(AT_ONCE)]
