"""Every contact between a customer and the operator, whatever the channel and whoever began it: one history.

An *interaction* (接触) is one contact: when, by which *channel*, of which *kind* (inquiry, complaint, visit ...), about
what, with what outcome and by whom. It is noted at a desk or loaded from other systems; a record of another system
is known by its *source* and *source key*, and loaded once. Interactions are history: they may be corrected, with the
correction kept, and are not deleted.
"""

from services.city_node.held.endpoints import router_of
from services.city_node.interaction.held import interactions
from shared.capability import Capability
from shared.kernel.language import Text

capability = Capability(
    name="interaction",
    summary=Text("Contacts with customers", "客户接触与服务历史"),
    routers=(router_of(interactions),),
    offers=(interactions.part,),
)
