"""Who owns a customer: what cities and HQ's directory say to one another about it.

Vocabulary
----------
The *owner* (归属地) of a customer is the one city that may change the record. A customer begins with the city that made
the profile, in *epoch* (归属纪元) 1; each time ownership moves, the epoch is one more. HQ's *directory*
(``services.hq_node.ownership``) has the customers whose ownership has ever moved: who is not in it belongs to the city
that made the profile. So HQ learns of ids that moved, and of no customer who did not.

Messages
--------
The owner asks HQ to *move* ownership from its epoch to another city; HQ moves it if, and only if, the directory says
that the asker is the owner in that epoch: a compare-and-swap in one statement. HQ tells the owner and the city that it
moves to, or tells the asker who the owner is instead. Either may *inquire* at any time. HQ's word is final: a city
whose database was restored from a backup, and which believes otherwise, goes by it.
"""

from shared.ownership.messages import (
    INQUIRED,
    MOVE_ASKED,
    MOVED,
    NOT_MOVED,
    TOLD,
    Inquiry,
    MoveAsked,
    Word,
)

FIRST_EPOCH = 1
"""The epoch of a customer whose ownership has never moved."""

__all__ = (
    "FIRST_EPOCH",
    "INQUIRED",
    "MOVED",
    "MOVE_ASKED",
    "NOT_MOVED",
    "TOLD",
    "Inquiry",
    "MoveAsked",
    "Word",
)
