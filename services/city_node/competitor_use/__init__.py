"""What a customer has from other operators (竞争对手产品使用情况): the ground that is still to be won.

A *competitor use* is one service of one other operator, from ``since`` up to, and without, ``until``. For a
group, ``share_percent`` is the part of what it spends on that service which goes to that operator; the
shares of one service at one time add up to 100 at most. ``expires_on`` is when the customer's contract
there ends: the day to be there before.
"""

from services.city_node.competitor_use.held import competitor_uses
from services.city_node.held.endpoints import router_of
from shared.capability import Capability
from shared.kernel.language import Text

capability = Capability(
    name="competitor-use",
    summary=Text("Use of competitors' products", "竞争对手产品使用"),
    routers=(router_of(competitor_uses),),
    offers=(competitor_uses.part,),
)
