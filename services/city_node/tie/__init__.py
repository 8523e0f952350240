"""Who is what to a person: family and social ties (家庭与社会关系) of individual customers.

A *tie* leads to another customer of this node, or to a named person who is none. It is written from one side: the wife
of a customer is a tie of kind ``spouse`` on the husband's page, and shows on hers as a tie that leads to her
(``tied_by``). A named person's telephone number is masked as contact media are.
"""

from services.city_node.held.endpoints import router_of
from services.city_node.tie.held import ties
from services.city_node.tie.reading import tied_by
from shared.capability import Capability
from shared.kernel.language import Text

capability = Capability(
    name="tie",
    summary=Text("Family and social ties", "家庭与社会关系"),
    routers=(router_of(ties),),
    offers=(ties.part, tied_by),
)
