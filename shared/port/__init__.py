"""Ports: systems outside of the federation that a node makes act, each call exactly once in effect.

Vocabulary
----------
A *port* (外部接口) is a system such as the network's register, an SMS gateway or a billing system. Its *contract*
(:mod:`shared.port.contracts`) lists its *operations*: a form that is sent and a form of the answer. An *effect*
(:class:`~shared.port.declaration.Effect`) is an operation as one capability uses it, with what follows on the answer.
A *call* (外部调用) is one row of the outbox. Its *key* is derived from what it follows from, its *cause*; the port does
what has one key once, and repeats its answer when it is asked again.

Life cycle
----------
1. The business calls in the transaction of its change (:func:`~shared.port.service.call`): the call exists exactly
   when the change does. While a port has no address it is *off*, and nothing is queued.
2. After the commit the process that leads sends it (:mod:`~shared.port.dispatching`), woken by a notification. Calls
   with the same *order* follow one another; all others are sent beside one another, a few at a time for each port.
3. *done*: the answer is kept, and what follows happens, in one transaction. What was sent is forgotten.

Failure
-------
An attempt that fails is repeated with full jitter, from a second doubling to five minutes, or when the port says.
A port that is away, busy or does not let the node in is left alone as a whole, and then tried by one call.

A *refusal* for good goes to whoever declared the effect. If that does not settle it, the call is *handed over*: it
waits for a person, and so does what comes after it in its order. People try it again, or give it up, two of them
(:mod:`~shared.port.mending`).

Whatever dies in between, the call is made again with its key: the port has done it or not, and does it once. A
database restored from a backup makes calls again that it had made since; they come out with the same key and the same
content, because both follow from the cause alone.

What is sent may name a customer. It is kept encrypted, sealed anew when keys are rotated, shown to nobody, and
forgotten when the call ends. Erasing a customer deletes the calls whose cause is a request or a line of theirs: make
calls that name a customer for nothing else.

How to add a call
-----------------
Declare the effect beside the business that it belongs to, offer it, and call it in the transaction of the change::

    TELL_NETWORK = Effect("card-replacement.switch", network.SWITCH_SIM, done=note_it)

    capability = Capability(..., offers=(TELL_NETWORK,))

    await port.call(
        context, session, TELL_NETWORK, network.SimSwitch(msisdn=..., iccid=..., imsi=..., replaces=...),
        cause=request.id, order=str(line.id), now=now,
    )

A new port or operation is a module or a line in :mod:`shared.port.contracts`, a setting ``port_<name>_url``, and a
behaviour in ``services/simulator``.

Who may write: :mod:`~shared.port.service`, :mod:`~shared.port.dispatching` and :mod:`~shared.port.mending`.
"""

from shared.capability import Capability, Conflict, Permission, Role
from shared.kernel.language import Text
from shared.port.commands import app
from shared.port.declaration import Call, Effect, Refusal
from shared.port.endpoints import router
from shared.port.jobs import FORGET
from shared.port.mending import ACTIONS
from shared.port.service import call, is_on

__all__ = ["Call", "Effect", "Refusal", "call", "capability", "is_on"]

capability = Capability(
    name="port",
    summary=Text("Systems outside: network, SMS, billing, cards, receipts", "外部接口与外部调用"),
    routers=(router,),
    jobs=(FORGET,),
    actions=ACTIONS,
    permissions=(
        Permission(
            "port:read",
            Text("See the node's ports and what was asked of them", "查看外部接口与外部调用"),
            frozenset({Role.OPERATOR, Role.SUPERVISOR}),
        ),
        Permission(
            "port:mend",
            Text("Retry and give up refused calls of ports", "重试或放弃被拒绝的外部调用"),
            frozenset({Role.OPERATOR}),
        ),
    ),
    commands=(("port", app),),
    conflicts=(
        Conflict(
            frozenset({"port:mend"}),
            frozenset({"port:mend"}),
            Text(
                "who proposed to give a call up does not approve it",
                "提出与批准放弃外部调用不得为同一人",
            ),
            of_one_change=True,
        ),
    ),
)
