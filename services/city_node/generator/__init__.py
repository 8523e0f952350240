"""A plausible city, made from a seed: for measuring at scale, for training and for showing.

What is made
------------
Customers, individuals and groups, with identity documents, contact media, lines and SIMs; some months of bills and of
usage; contacts with the call centre; for groups the enterprise, key persons and an agreement. All of it passes the
constraints and conventions that real data passes, has ``generated`` as its source, and was issued to nobody: region
codes of documents and prefixes of mobile numbers are of ranges that are not in use.

How it hangs together
---------------------
Spend is heavy-tailed (lognormal), moves with the seasons and wavers. A few customers are on a *decline*, month by
month; some pay late; some complain, those in decline more often. The chance of leaving follows from these causes and
from the contract (:mod:`~services.city_node.generator.behaviour`), so that a model of churn has something to find.
Levels follow from spend, usage from the bills.

How it is made
--------------
In one transaction: an interrupted run leaves nothing. Customers are drawn in batches, each from its own random source,
and copied while the next is drawn; usage is made within PostgreSQL from the bills. Memory does not grow with the city.
The same seed, options and day make the same city, but for the nonces under which document numbers are encrypted.
"""

from services.city_node.generator.commands import app
from shared.capability import Capability
from shared.kernel.language import Text

capability = Capability(
    name="generator",
    summary=Text("Made-up cities for measuring and training", "模拟城市数据生成"),
    commands=(("generate", app),),
)
