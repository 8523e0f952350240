"""Finding profiles that may be of one customer, for a person to decide.

Vocabulary
----------
A *key* is a normalised value by which profiles are compared: a name (width and case folded, a company's legal form
taken off, a person's birth date added), its pinyin, a telephone number, an e-mail or postal address. Profiles that
share a key stand in one *block*. A *candidate* (疑似重复) is a pair of one block or several whose *score* reaches
:data:`~services.city_node.duplicate.scoring.THRESHOLD`; its *reasons* say what counted, for and against.

How a city is scanned
---------------------
Set-wise, without comparing everybody with everybody: keys stand in an indexed table, as hashes, so that it holds no
number in clear; pairs are made within blocks, and a block of more than ``LARGEST_BLOCK`` (the number of a
switchboard) makes none. The nightly scan takes what changed since the last one; a full one makes all keys anew.

Two profiles of a node never have the same document: a unique index on its blind index refuses the second when it is
made. So documents speak against a pair only: two of one type that differ.

Review
------
A candidate is *open* until somebody who holds ``customer:merge`` *dismisses* it, with a reason, or merges the two
(:mod:`~services.city_node.merge`). A dismissed pair stays so until what was compared changes; an open one whose
reason has gone is *obsolete*. An undone merge is found again by the next scan.
"""

from services.city_node.duplicate.commands import app
from services.city_node.duplicate.endpoints import router
from services.city_node.duplicate.jobs import nightly
from shared.capability import Capability
from shared.kernel.language import Text

capability = Capability(
    name="duplicate",
    summary=Text("Finding and reviewing duplicate profiles", "疑似重复客户的发现与审核"),
    routers=(router,),
    jobs=(nightly,),
    commands=(("duplicate", app),),
)
