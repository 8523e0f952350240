"""Policies: the documents that rules go by, national, with overrides inside bounds.

Vocabulary
----------
A *policy* (政策) is of a *kind* that a rule declares (:class:`~shared.capability.PolicyKind`): the form of its
documents, the *default* that ships with the program, and default bounds. HQ publishes whole *national* documents. A
province and a city publish *overrides*: merge patches (RFC 7396) that say what differs. A *bound* says how far
overrides may move one part of the document; bounds are part of each national publication, and what has none is HQ's
alone. Each publication is a *version*, numbered densely for each kind and publisher, with an *effective date*.

What is in force
----------------
On a date, of each publisher: the version that is not withdrawn with the greatest effective date that has come, of equal
ones the last. HQ's, or the default without one; into it the province's override is merged, into that the city's. Each
is checked against the national document in force whenever it is asked: if the result does not have the form of its
kind, or differs from the national document where no bound allows it, the override is *set aside* as a whole, and what
is above it holds. A national version that this program cannot read, because the program is older, is set aside for the
one before.

All of that is a pure function of the versions that a node knows (:mod:`~shared.policy.resolution`), so it does not
matter when and in which order they came.

Life of a version
-----------------
Somebody of the node *drafts* it; it is checked, may be previewed and tried by dry runs; another person *publishes* or
*rejects* it. Published, it is a *statement*: a text that the node signs (:mod:`~shared.policy.statement`). It may be
*withdrawn*, by another statement, and is then as if it had never been published. Statements are never changed or
removed.

A statement goes down to all below its publisher and up to HQ, from neighbour to neighbour
(:mod:`~shared.policy.sharing`), so that HQ can say what is in force where, since when and by whom.

Failure
-------
A statement that comes twice is kept once. Nodes compare with their parents once a day what they hold, so that what was
lost in a restore, or was said before a node joined, comes after all. A publisher that was restored from an old backup
may give a number twice: the version that was published first counts, the other is *contradicted*. What is signed by a
key that was revoked is believed by those who heard it before, and refused by all others: publish it anew.

Who may write: :mod:`~shared.policy.repository` alone writes these tables; versions and withdrawals are append-only.
"""

from shared.capability import Capability
from shared.kernel.language import Text
from shared.policy.access import conflicts, permissions
from shared.policy.commands import app
from shared.policy.draft_endpoints import router as draft_router
from shared.policy.drafting import actions
from shared.policy.endpoints import router
from shared.policy.events import EVENTS
from shared.policy.jobs import COMPARE
from shared.policy.kinds import KINDS
from shared.policy.messages import handlers
from shared.policy.version_endpoints import router as version_router

capability = Capability(
    name="policy",
    summary=Text(
        "Policies: published, overridden within bounds, in force", "政策：发布、范围内调整与现行"
    ),
    routers=(draft_router, version_router, router),
    messages=handlers,
    jobs=(COMPARE,),
    permissions=permissions,
    events=EVENTS,
    actions=actions,
    conflicts=conflicts,
    policies=KINDS,
    commands=(("policy", app),),
)
