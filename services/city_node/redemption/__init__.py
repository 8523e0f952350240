"""Redeeming points for rewards (积分兑换).

A *redemption* (兑换) takes a customer's points, the first to expire first, and a reward from stock, in one transaction:
either both are there or nothing happens. It is ``open`` until the reward is handed over and it is ``fulfilled``. An
open one can be *cancelled* (撤销): points and stock come back. A fulfilled one can only be *reversed* (冲正), by a
supervisor, who says whether the reward came back.

Points come back to the very lots that they were taken from. Those whose lot has expired meanwhile can be used for the
days that the policy gives (``reversal_grace_days``), and expire then.

Two who redeem at once for one customer wait for one another at the customer's account; two who want the last of a
reward, at the reward. What is locked first is said in :mod:`~services.city_node.points.ledger`. A request is repeated
safely with its ``Idempotency-Key``.
"""

from services.city_node.redemption.access import permissions
from services.city_node.redemption.endpoints import router
from services.city_node.redemption.events import EVENTS
from services.city_node.redemption.service import ACTIONS
from shared.capability import Capability
from shared.kernel.language import Text

capability = Capability(
    name="redemption",
    summary=Text("Redeeming points for rewards", "积分兑换"),
    routers=(router,),
    permissions=permissions,
    events=EVENTS,
    actions=ACTIONS,
)
