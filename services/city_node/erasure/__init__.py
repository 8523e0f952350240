"""Erasing customers who left (保留期满删除): what is personal goes, what is counted stays, and a proof says so.

Vocabulary
----------
The *retention period* is how long after leaving a customer's records are kept: that of the reason for leaving and the
kind of customer (:mod:`~services.city_node.departure`), or the setting ``retention_days``. A customer of the retained
library whose period has passed is *due*. *Erasure* takes away everything that the *register*
(:mod:`~services.city_node.erasure.register`) calls personal: who the customer is, documents with their blind index,
contact media, line and card numbers, third persons, free text, and the personal values in the history. The *proof* is
one row: who, when, why, and which classes of data.

What stays
----------
A row under an id that leads to nobody: kind, level, unit, days, charges, the code of the reason; lines without their
numbers; bills and usage. So every figure of every period comes out the same after as before. The log of looks, and
whatever else names customers by id alone, is untouched.

Life cycle
----------
Each night, by ``guanxi customer erase --due``, or at once when two people carry out a person's request
(:mod:`~services.city_node.subject_request`). It works set-wise, in portions of some hundred customers, each in a
transaction of its own: it may be interrupted anywhere and run again. Somebody erased is in neither library, found by
nothing, and cannot be changed or restored; by id the answer is 410 with the day.

What is remembered
------------------
An extract that is older than the erasure, or a system that still has the person, would make the customer anew.
Blind indexes of the source's keys and of the document number stay (:mod:`~services.city_node.erasure.suppression`);
an import rejects the rows of new customers that they fit, unless it is given leave to take them.

What stands in the way
----------------------
A legal hold (:mod:`~services.city_node.legal_hold`), and a request of the person that is not settled. A hold placed at
the very moment is seen: whoever places one locks the customer, and erasure looks again under its own lock.

Failure
-------
A database restored from a backup has back who was erased since. Those whose period has passed are erased again in the
next night; the others are listed by the proofs, which ``GET /erasures`` gives for keeping outside.

Who may write: :mod:`~services.city_node.erasure.service` alone.
"""

from services.city_node.erasure.access import permissions
from services.city_node.erasure.commands import app
from services.city_node.erasure.endpoints import router
from services.city_node.erasure.jobs import nightly
from services.city_node.erasure.service import ERASED
from shared.capability import Capability
from shared.kernel.language import Text

capability = Capability(
    name="erasure",
    summary=Text("Erasure after the retention period", "保留期满删除"),
    routers=(router,),
    jobs=(nightly,),
    permissions=permissions,
    actions=(ERASED,),
    commands=(("customer", app),),
)
