"""Asking which customers meet a condition, of any combination of what is known about them (综合查询).

Vocabulary
----------
A *condition* (:mod:`~services.city_node.query.condition`) is a tree of comparisons joined by ``and``, ``or`` and
``not``. It compares *fields* of the customer, counts or looks for *relations* (subscriptions, bills, interactions,
changes ...), and adds up *measures* over months. The *catalogue* (:mod:`~services.city_node.query.catalogue`) says what
there is, with types, units, operators and names in both languages.

Two forms, one meaning
----------------------
A condition is written as JSON, by programs and user interfaces, or as text, by people::

    level in (gold, diamond) and charge(last 3 months) > 300 yuan and not has subscription(brand = "全球通")

The text form is parsed into the JSON form (:mod:`~services.city_node.query.text`), which alone is checked
(:mod:`~services.city_node.query.reading`), so that both mean the same; either is written from the tree without loss
(:mod:`~services.city_node.query.writing`). Every mistake is told with its place: a JSON pointer, or line and column.

From a condition to rows
------------------------
:mod:`~services.city_node.query.statement` puts SQL together from the catalogue's expressions alone; every value goes
beside it as a parameter. Depth, parts, values and lengths are limited. The reader's organisation unit is part of every
statement (:mod:`~services.city_node.query.selection`). Relative dates are of the business day on which it is evaluated.

What a reader may not see cannot be asked for: a field with a permission is refused to who lacks it, so that no
sequence of questions reveals what masking hides. A document number is found by its blind index, only exactly, only
with ``customer:document``, and never in a condition that is kept.

Failure
-------
A question that takes longer than :data:`~services.city_node.query.service.LONGEST_SECONDS` is given up; an export
has the time that it takes.
"""

from services.city_node.query.bulk_read import BULK_READ
from services.city_node.query.commands import app
from services.city_node.query.endpoints import router
from shared.capability import Capability
from shared.kernel.language import Text

capability = Capability(
    name="customer-query",
    summary=Text("Query of customers by any condition", "客户综合查询"),
    routers=(router,),
    actions=(BULK_READ,),
    commands=(("customer", app),),
)
