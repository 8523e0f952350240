"""Holding records that a court, an authority or a dispute needs (法律保全): they are not erased while a hold stands.

A *legal hold* is on one customer, of either library, and has a reason. Several may stand at once. It stands until one
person has proposed to lift it, with a reason, and another has approved. While one stands, neither the retention period
nor the person's own request erases the customer (:mod:`~services.city_node.erasure`).

Whoever places a hold locks the customer's row, as erasure does, so that of the two one comes first.

Who may write: those with ``customer:hold``, within their unit.
"""

from services.city_node.legal_hold.access import conflicts, permissions
from services.city_node.legal_hold.endpoints import router
from services.city_node.legal_hold.service import LIFT_PROPOSED, LIFTED, PLACED
from shared.capability import Capability
from shared.kernel.language import Text

capability = Capability(
    name="legal-hold",
    summary=Text("Legal holds", "法律保全"),
    routers=(router,),
    permissions=permissions,
    conflicts=conflicts,
    actions=(PLACED, LIFT_PROPOSED, LIFTED),
)
