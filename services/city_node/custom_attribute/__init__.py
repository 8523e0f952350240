"""Attributes that a node declares for its customers' profiles: open where the system does not compute, yet checked.

A profile's ``attributes`` are open: any JSON of reasonable size. A *custom attribute* (自定义属性) declares one name of
them: its *type*, the values it may have, whom it *applies to*, and how it is labelled in Chinese and English, so that
an interface can show and ask for it.

Rules
-----
A declared attribute is checked on every way in: at the desk and in files. What is checked is what is *given*: a
declaration does not touch the profiles that are there, and a profile whose old value no longer fits can still be
changed elsewhere; the value itself must fit when it is given anew. ``null`` removes a value and is always allowed.
Attributes that nobody declared are accepted, unless the setting ``undeclared_attributes`` is ``refuse``.

A declaration is replaced against its ETag. Removing one makes the name open again; no profile changes.

This package knows no customers: those who change them ask it.
"""

from services.city_node.custom_attribute.endpoints import MANAGE, router
from shared.capability import Capability, Permission, Role
from shared.kernel.language import Text

capability = Capability(
    name="custom-attribute",
    summary=Text("Attributes that the node declares", "自定义属性"),
    routers=(router,),
    permissions=(
        Permission(
            MANAGE,
            Text("declare the node's custom attributes", "维护自定义属性"),
            frozenset({Role.SUPERVISOR, Role.OPERATOR}),
        ),
    ),
)
