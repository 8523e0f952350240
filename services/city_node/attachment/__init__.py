"""Attachments of a request between cities (附件): a photo of a document, a signature, a form.

Vocabulary
----------
Staff of either end *add* an attachment to a request: a JPEG, PNG or PDF of at most 2 MB, told by its content and not
by its name. Its *digest* is the SHA-256 of its bytes. Its bytes are kept in *chunks* of 32 KB, each encrypted under the
node's data key, so that no work on them needs more memory than one.

Life cycle
----------
Adding writes row and chunks, and posts in the same transaction: an announcement with digest and size on the ``request``
lane, behind whatever the request's own messages are; and the chunks on the ``bulk`` lane, each sealed for the other
end, so that a photo never delays a card. There the announcement makes a row that is *expected*, and chunks are kept as
they come, before or after it. With the last of the two the whole is put together: if size, digest and type are as
announced it is *held*, otherwise *spoiled*. The trail at both ends says what was added, and what has come.

A request that follows its customer to another home (:mod:`services.city_node.service_request.following`) has what was
attached at the visited node sent there, too, by a job.

Whoever looks at the bytes leaves a record in the audit log. Ninety days after the request's end at a node, and with the
personal data of its customer, the bytes are *erased* there; that there was an attachment remains.

Failure
-------
Repeated announcements and chunks change nothing. Chunks whose announcement never comes are deleted after a week. A
spoiled attachment calls for a person, who may *ask again* for it: the other end sends the chunks anew. A node that was
restored from a backup hears what others had sent by the lanes as ever; what it had added itself after the backup it
learns from its own announcement, which a peer gives back, and asks that peer for the content. An attachment that the
other end no longer holds stays expected, and asking again says so in the trail.

Who may write: :mod:`~services.city_node.attachment.service` for staff,
:mod:`~services.city_node.attachment.arrival` for the other end's messages.
"""

from services.city_node.attachment import endpoints, jobs, messages
from services.city_node.attachment.service import LOOKED
from shared.capability import Capability, Permission, Role
from shared.kernel.language import Text

capability = Capability(
    name="attachment",
    summary=Text("Photos, signatures and forms of requests between cities", "跨地区请求的附件"),
    routers=(endpoints.router,),
    messages=messages.HANDLERS,
    jobs=(jobs.FORWARD, jobs.ERASURE),
    actions=(LOOKED,),
    permissions=(
        Permission(
            "attachment:read",
            Text("See the attachments of requests, and their content", "查看请求附件及内容"),
            frozenset({Role.CLERK, Role.ACCOUNT_MANAGER, Role.SUPERVISOR}),
        ),
        Permission(
            "attachment:add",
            Text("Add attachments to requests, and ask again for one", "添加、重新索取请求附件"),
            frozenset({Role.CLERK, Role.ACCOUNT_MANAGER, Role.SUPERVISOR}),
        ),
    ),
)
