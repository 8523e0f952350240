"""The audit log: who did what, who looked at whom, and proof that nobody has altered it since.

Vocabulary
----------
A *record* says who (the person, the role and unit that the person then had), did what (an *action* that a capability
declares, ``customer.looked``), to whom or what (the *subject*), when, through what (the *source*), and which fields
were seen or changed. It holds no personal data: ids, names of fields, and blind indexes of what was searched for.

A *seal* is a link of a hash chain. It covers the records of the transactions that ended since the seal before, with a
digest of each, and is signed with the node's key. The *head* is the newest seal; noted outside the database it shows
when the end of the chain is cut off.

Life of a record
----------------
Written in the transaction of what it records (:func:`~shared.audit.recording.record`), or, for a look, on disk before
the answer, with those of others in one commit (:func:`~shared.audit.recording.record_now`). Nothing is chained then:
a chain through the business transactions would let one at a time commit. A job of the leading process seals what has
been committed (:mod:`~shared.audit.sealing`). After the retention the owner of the tables may drop the records of the
oldest seals (:mod:`~shared.audit.retention`); the seals stay.

Who may write
-------------
Everything that acts, by adding. No role may change or remove: the tables belong to the owner, and the node's database
role can only read them and add (:mod:`shared.kernel.privileges`). Auditors and supervisors search, within their unit;
auditors and operators check. A search is recorded, too.

Failure
-------
A look that cannot be recorded is not answered. A record of a transaction that is rolled back is gone with it: nothing
happened. Records between the last seal and now, some seconds, are protected by the privileges alone. Whoever has the
superuser's rights can alter everything in the database, and :mod:`~shared.audit.verification` then says where: for a
chain that is written anew from end to end, the node's key and the noted head are needed as well.
"""

from shared.audit import access
from shared.audit.commands import app
from shared.audit.endpoints import router
from shared.audit.jobs import jobs, warn_if_rewritable
from shared.audit.models import Source
from shared.audit.recording import Actor, Subject, insertion, record, record_now, values_of
from shared.audit.retention import DROPPED
from shared.capability import Capability
from shared.kernel.language import Text

__all__ = [
    "Actor",
    "Source",
    "Subject",
    "capability",
    "insertion",
    "record",
    "record_now",
    "values_of",
]

capability = Capability(
    name="audit",
    summary=Text("Who did what, and who looked at whom", "审计日志"),
    routers=(router,),
    jobs=jobs,
    permissions=access.permissions,
    actions=(access.SEARCHED, access.VERIFIED, DROPPED),
    commands=(("audit", app),),
    on_start=(warn_if_rewritable,),
)
