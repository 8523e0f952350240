"""The products that a customer holds beside the lines: dedicated lines, broadband, cloud, and what else is sold.

A *product holding* is one product, from ``since`` up to, and without, ``until``: how many of it, at what monthly fee.
A line with an MSISDN is no holding but a subscription.
"""

from services.city_node.held.endpoints import router_of
from services.city_node.product_holding.held import products
from shared.capability import Capability
from shared.kernel.language import Text

capability = Capability(
    name="product-holding",
    summary=Text("Products that customers hold", "客户持有产品"),
    routers=(router_of(products),),
    offers=(products.part,),
)
