"""Parts of a customer's page: what ``include`` adds to a profile.

A part is the SQL of one JSON value about the customer ``c``, read in the one statement that reads the profile. Other
packages offer theirs through their capability; a node's page has the parts of the capabilities it is made of.
"""

from dataclasses import dataclass

UNIT_PATH, TODAY = "$2", "$3"
"""What a part's SQL may refer to beside ``c``: the reader's unit, and the business day."""


@dataclass(frozen=True, eq=False, slots=True)
class Part:
    """One part of the page, and the key of what is cached about it: two parts are never equal.

    Attributes:
        name: as ``include`` and the page name it.
        sql: SQL of its JSON, with marks for personal values (:mod:`~services.city_node.customer.privacy`).
        told: whether history tells what it was at an earlier moment.
        versioned: whether it changes with the customer's version alone, so that who has the version has the part.
    """

    name: str
    sql: str
    told: bool = False
    versioned: bool = True


def json_list(query: str) -> str:
    """Return the SQL of the JSON array of what ``query`` gives, in its order."""
    return f"(SELECT coalesce(json_agg(item), '[]') FROM ({query}) item)"  # noqa: S608 - declared SQL alone
