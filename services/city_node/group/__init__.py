"""What is known of a group customer (集团客户): the enterprise, who decides there, who belongs to it.

Vocabulary
----------
The *enterprise* is the group's one record of facts: its *industry* by GB/T 4754-2017 (a section letter or
the two digits of a division), its *size class* by the statistical classes (large, medium, small, micro),
people, capital, turnover, and the group above it. A *key person* (关键人物) has a say in what the group buys;
the *decision chain* is the key persons in the order of their ``decision_order``, each with a role and an
influence from 1 to 5. A *member* (成员客户) is an individual customer of this node who belongs to the group
from ``since`` up to, and without, ``until``; to one group at a time.

The group above
---------------
A group may be part of one that another city looks after, whose customers this node cannot see.
``parent_customer_number`` is therefore a number and no foreign key: its form is checked, a division code of
the network and eight digits, and so is that it is not the group's own; whether it exists is for the node of
that division to say.

Who may write
-------------
Those who change customers. The enterprise is replaced whole (``PUT``) against the customer's ETag.
"""

from services.city_node.group.endpoints import router
from services.city_node.group.enterprise import enterprise_part
from services.city_node.group.held import groups_of_member, key_persons, members
from services.city_node.group.industry import ensure_industries
from services.city_node.held.endpoints import router_of
from shared.capability import Capability
from shared.kernel.language import Text

capability = Capability(
    name="group",
    summary=Text("Group customers", "集团客户"),
    routers=(router, router_of(key_persons), router_of(members)),
    offers=(enterprise_part, key_persons.part, members.part, groups_of_member),
    on_start=(ensure_industries,),
)
