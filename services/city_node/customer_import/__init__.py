"""Loading many records at once, from the extracts of other systems: customers, lines, bills, usage, interactions.

Vocabulary
----------
An *import* loads one file, CSV or Parquet, by one *mapping*, a TOML file that says which kind of *records* the rows
are, and which *column*, by which *conversion*, or which *constant* fills which *target* (``customer.level``,
``bill.charge_fen`` ...). Each kind has a *natural key* by which a row finds its record again: a customer its source and
key, a line its customer and number, a bill its line and month, usage its line, month, kind and hours, an interaction
its source and key. A row with a *fault* is *rejected*: kept with line, column, value and reason, with nothing of it
loaded; the others go on.

Life cycle
----------
::

    queued -> loading -> completed | rehearsed (a dry run) | cancelled | failed
    cancelled, failed -> queued or loading (resumed)
    completed, cancelled, failed, undone -> undoing -> undone

A file is loaded in *portions*. Each is one transaction: rows, faults, and the counts of the import, which are its
cursor. So a crash costs a portion that nobody saw; whoever *resumes* the import, with the same file by its SHA-256,
goes on behind the last row that is done and ends in the same state. While PostgreSQL works on one portion, the next is
read, converted, checked and sealed (document numbers are encrypted as they pass). The outcome is that of loading the
rows one after the other, whatever the size of a portion.

All or nothing is had in two ways: a *dry run* does everything in one transaction, reports, and rolls it back; an *undo*
(:mod:`~services.city_node.customer_import.undoing`) takes a whole import back afterwards.

How a portion is loaded
-----------------------
Customers and lines: what the rows *claim* (keys, documents, numbers, units) is compared set-wise with one another and
with the node (:mod:`~services.city_node.customer_import.checking`); rows of new customers are copied straight into the
tables, with their history; rows of known customers are locked and compared value by value, and only what differs is
changed, each difference in the history (:mod:`~services.city_node.customer_import.changing`). Bills, usage and
interactions: :mod:`~services.city_node.customer_import.line_loading`. So the same file again changes nothing.

Rules
-----
The file wins over what is there, for the targets that its mapping fills; others are not touched. A row of the
retained library ends the customer's lines; a row never brings a customer back from it: that is a decision of
somebody at a desk. A SIM that is known stays as it is; a new one on a line replaces the one in use. Bills move the
charges of their customers (:mod:`~services.city_node.customer_import.charging`). ``import_number`` of a bill, usage or
interaction names the import that wrote it last; whoever else changes one sets it to NULL.

What is kept, and how long
--------------------------
Rejected rows, whole and encrypted, and what records were before an import changed them: each for a time by setting, and
deleted at night (:mod:`~services.city_node.customer_import.retention`). Then the import can be resumed, or undone, no
more. A rejected row is nobody's record yet: an erasure does not look into it, and the retention ends it.

Failure
-------
A mapping with a mistake, or a file without the columns that it names, is refused before a row is read. Where a file
cannot be read any further, the import *fails*; what stands before is loaded. Imports of a node take turns, under an
advisory lock of a connection that also holds their temporary tables, so that both are gone with the program. A portion
for which somebody else takes a number at the same moment is loaded again, and the row named. What was uploaded is
loaded by a job of the leading process, and taken up again by the next one.
"""

from services.city_node.customer_import.audited import IMPORTED, UNDONE
from services.city_node.customer_import.commands import app
from services.city_node.customer_import.endpoints import IMPORT, IMPORT_ERASED, router
from services.city_node.customer_import.jobs import GO_ON, RETAIN
from shared.capability import Capability, Permission, Role
from shared.kernel.language import Text

capability = Capability(
    name="customer-import",
    summary=Text("Import of customers from files", "客户批量导入"),
    routers=(router,),
    jobs=(GO_ON, RETAIN),
    permissions=(
        Permission(
            IMPORT,
            Text("load files of customers into one's unit", "向本单位批量导入客户"),
            frozenset({Role.SUPERVISOR, Role.OPERATOR, Role.INTEGRATION}),
        ),
        Permission(
            IMPORT_ERASED,
            Text(
                "let a file make customers anew who were erased",
                "允许导入文件重新建立已删除的客户",
            ),
            frozenset({Role.SUPERVISOR}),
        ),
    ),
    actions=(IMPORTED, UNDONE),
    commands=(("customer", app),),
)
