"""The ownership directory (归属目录): whose a customer is, once ownership has moved.

Vocabulary
----------
:mod:`shared.ownership` has it, with the messages. The directory has a row for each customer whose ownership has ever
moved: the owner, the epoch, and the transfer by which it came there; and an append-only history of the moves.

The commit point
----------------
A transfer (:mod:`shared.ownership`; the cities' part is the transfer of a customer) is done when one statement has
changed the directory: owner and epoch are compared with what the asker says and replaced together. Two transfers that
ask at once meet at that row; one of them finds it as it said, the other is told who the owner is. Before the statement
the customer is the former owner's whatever happens, after it the new one's whatever happens. Both cities go by what
HQ tells them in the same transaction.

Who may ask: only the present owner, by a message that it has signed; that is part of the comparison. For a customer
who is not in the directory the asker's claim to epoch 1 is believed, as only the city that made the profile knows its
id.

Failure
-------
A question that comes again, or is asked again by the same transfer, finds the move in the history and has the same
answer. HQ restored from a backup enters again what it had told since, from its own messages, before it is asked
anything new on the same links.

Who may write: :mod:`~services.hq_node.ownership.repository` alone.
"""

from services.hq_node.ownership import commands, endpoints, messages
from shared.capability import Capability, Permission, Role
from shared.kernel.language import Text

capability = Capability(
    name="ownership",
    summary=Text("The directory of who owns which customer", "客户归属目录"),
    routers=(endpoints.router,),
    messages=messages.HANDLERS,
    permissions=(
        Permission(
            endpoints.READ,
            Text("See whose a customer is by the directory", "查询客户归属目录"),
            frozenset({Role.OPERATOR, Role.AUDITOR, Role.HQ_ANALYST, Role.INTEGRATION}),
        ),
    ),
    commands=(("ownership", commands.app),),
)
