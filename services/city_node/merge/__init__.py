"""Merging two profiles of the same customer into one, and taking that back.

Vocabulary
----------
A *merge* (合并) keeps one profile, the *survivor*, and ends another, the *merged* one. For each field a person may
choose whose value stays. Everything that the merged customer held *moves* to the survivor; a row that would contradict
one of the survivor's (the same agreement twice, a second register entry where there is one) is *set aside*. The merged
profile leaves a *redirect*: whoever asks for the old id is told the survivor's (410, ``customer-merged``).

The source whose row the merged profile was knows it by a key. That key leads to the survivor from then on, so that the
next extract finds one customer and makes no second (:mod:`~services.city_node.customer_import.knowing`).

How everything moves
--------------------
What refers to a customer is derived from the tables themselves (:mod:`~services.city_node.merge.references`): each
foreign key to ``customer.id`` is one statement, and what contradicts is read from the unique indexes. The merged
profile is deleted at the end: a table that was forgotten makes PostgreSQL refuse the merge, and a test refuses it
earlier. History and the records of this package keep the old id on purpose; the history of both can be read.

Undo
----
Each moved row is remembered by its key and a digest, each row set aside and the merged profile itself as a whole.
An undo puts everything back where it was. Bills and usage that came since for a line that goes back go with the line;
other fields of the survivor that changed since stay. What the merge had moved or set and what was changed since
cannot be put back: then nothing is, and the refusal lists it. After ``UNDO_DAYS`` the copies are deleted, and the
merge is final.

Who may write
-------------
Holders of ``customer:merge`` whose unit covers both. Both profiles are locked in the order of their ids and compared
with the versions that were seen. A merge is the decision of a person about sensitive fields and needs no proposal.
"""

from services.city_node.merge.access import permissions
from services.city_node.merge.endpoints import router
from services.city_node.merge.jobs import forget_copies
from shared.capability import Capability
from shared.kernel.language import Text

capability = Capability(
    name="merge",
    summary=Text("Merging profiles, and undoing it", "客户档案合并与撤销"),
    routers=(router,),
    jobs=(forget_copies,),
    permissions=permissions,
)
