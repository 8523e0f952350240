"""What the lines of a customer used, month by month: voice, messages and data, by hours of the day.

A row is a line's *quantity* and charge of one *kind* in one month and one *band* of hours. Quantities are whole
numbers in the unit of their kind: seconds of voice (local 市话, long-distance 长途, roaming 漫游), messages, kilobytes
of data. The bands are day (08-18), evening (18-24) and night (00-08); ``all`` stands for a source that does not tell
them apart, and a month of a line and kind has either that row or rows of the three.

Rows are written by imports from billing and never at a desk.
"""

from services.city_node.usage.endpoints import router
from services.city_node.usage.reading import part
from shared.capability import Capability
from shared.kernel.language import Text

capability = Capability(
    name="usage",
    summary=Text("Usage by month and kind", "月度用量"),
    routers=(router,),
    offers=(part,),
)
