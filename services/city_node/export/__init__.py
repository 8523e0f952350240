"""Customers as files that people and their tools open: CSV, Excel, Parquet; of any size (导出).

Vocabulary
----------
An *export* is asked for with a condition or a segment, some *columns* and a *format*; it is a piece of long work
(:mod:`shared.work`) of the same id, and in the end a file in the node's directory, readable by the node alone, with its
number of rows, size and SHA-256. Whoever asked for it, and nobody else, downloads it until it expires.

How a file is made
------------------
PostgreSQL sends the rows with one ``COPY``, all of one moment (repeatable read). CSV passes through; Parquet and XLSX
are made of the same stream in a thread (:mod:`~services.city_node.export.files`). Nothing holds more than a few chunks
or one group of rows, so that a million customers take the memory of a thousand.

What is in it
-------------
What the requester may see: customers of their unit and below, contact media masked unless they hold
``customer:contact``, a document number always masked. Who they are and what they hold is looked up again when the work
begins: somebody who was moved or disabled meanwhile gets the new scope, or nothing. In CSV an apostrophe stands
before a text that a spreadsheet would take for a formula; XLSX holds texts as texts; Parquet has them as they are.

Failure
-------
The file is written beside its place and moved there when it is whole; an interrupted attempt leaves nothing that
counts, and is made anew. A cancelled one ends at the next chunk. A job deletes files whose time is over, and whatever
no export claims.
"""

from services.city_node.export.access import permissions
from services.city_node.export.commands import app
from services.city_node.export.endpoints import router
from services.city_node.export.jobs import DELETE_FILES
from services.city_node.export.service import KIND, make_export
from shared.capability import Capability, WorkKind
from shared.kernel.language import Text

capability = Capability(
    name="customer-export",
    summary=Text("Export of customers to files", "客户导出"),
    routers=(router,),
    jobs=(DELETE_FILES,),
    works=(WorkKind(KIND, Text("Export customers to a file", "导出客户文件"), make_export, 2),),
    permissions=permissions,
    commands=(("customer", app),),
)
