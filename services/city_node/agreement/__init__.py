"""What the operator and a customer have agreed: agreements (协议) with their term and what happens at its end.

An *agreement* is in force from ``starts_on`` up to, and without, ``expires_on``; with no expiry it runs until it is
ended. With ``auto_renews`` it is renewed by ``renewal_months`` unless one side gives notice ``notice_days`` before.
Which agreements of one's unit expire soon is asked of ``GET /agreements?expiring_within=90``.
"""

from services.city_node.agreement.endpoints import router
from services.city_node.agreement.held import agreements
from services.city_node.held.endpoints import router_of
from shared.capability import Capability
from shared.kernel.language import Text

capability = Capability(
    name="agreement",
    summary=Text("Agreements with customers", "客户协议"),
    routers=(router, router_of(agreements)),
    offers=(agreements.part,),
)
