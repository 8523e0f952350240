"""What a customer likes and wishes (偏好): how bills come, whether offers are welcome, language, interests.

A *preference* is one value of one *topic*. What the system acts on has fixed values: ``marketing`` is
``welcome`` or ``refused``, ``bill_medium`` is ``paper``, ``email``, ``sms`` or ``none``, ``language`` a tag
of BCP 47. Those have one value each; of interests, gifts and the rest there may be several. How and when a
customer wants to be reached stands with the contact media.
"""

from services.city_node.held.endpoints import router_of
from services.city_node.preference.held import preferences
from shared.capability import Capability
from shared.kernel.language import Text

capability = Capability(
    name="preference",
    summary=Text("Preferences of customers", "客户偏好"),
    routers=(router_of(preferences),),
    offers=(preferences.part,),
)
