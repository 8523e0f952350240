"""The catalogue of rewards (积分礼品): what customers get for points.

A *reward* (礼品) has a price in points, a validity, levels of customers who may have it, and a *stock* (库存) unless it
is not counted, like a month of a data package. It is known by its code and never deleted: it ends, and redemptions go
on naming it.

Stock goes and comes only by :func:`~services.city_node.reward.repository.book` and
:func:`~services.city_node.reward.repository.put_back`, which change it by what a redemption takes, in the database, and
never below nothing; or by what somebody counted in or out. That is why it is no part of what a patch changes, and why
it does not raise the version. The row of a reward is locked after the accounts of the customer
(:mod:`~services.city_node.points.ledger`).
"""

from services.city_node.reward.access import permissions
from services.city_node.reward.endpoints import router
from services.city_node.reward.service import CHANGED, CREATED, STOCKED
from shared.capability import Capability
from shared.kernel.language import Text

capability = Capability(
    name="reward",
    summary=Text("Rewards for points", "积分礼品目录"),
    routers=(router,),
    permissions=permissions,
    actions=(CREATED, CHANGED, STOCKED),
)
