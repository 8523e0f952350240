"""Loading many customers at once, from the extracts of other systems.

Vocabulary
----------
An *import* loads one CSV file by one *mapping*, a TOML file that says which *column*, by which *conversion*, or which
*constant* fills which *target* (``customer.level``, ``subscription.msisdn``, ``bill.charge_fen`` ...). The mapping
names a *source* and the *key* column: source and key together are how a row finds its customer again. A row with a
*fault* is *rejected*: reported with line, column, value and reason, with nothing of it loaded; the others go on.

How a file is loaded
--------------------
In one transaction, in batches, with a fixed amount of memory: while PostgreSQL works on one batch, the next is
read, converted, checked and sealed (document numbers are encrypted as they pass).

1. What the batch's rows *claim* (keys, documents, numbers, units) is compared set-wise with itself, with the batches
   before, and with the node; what contradicts is rejected (:mod:`~services.city_node.customer_import.checking`).
2. Rows of new customers are copied straight into the tables, with their history.
3. Rows of known customers are locked and compared value by value; only what differs is changed, each difference
   in the history (:mod:`~services.city_node.customer_import.changing`). So the same file again changes nothing.

Rules
-----
The file wins over what is there, for the targets that its mapping fills; others are not touched. A row of the
retained library ends the customer's lines; a row never brings a customer back from it: that is a decision of
somebody at a desk. A SIM that is known stays as it is; a new one on a line replaces the one in use.

Failure
-------
A mapping with a mistake is refused before a row is read. A file that cannot be read to its end, or a crash, loads
nothing. Imports of a node take turns; customers that an import changes wait for its end, and readers do not. A
number that somebody else takes while the file is loaded undoes the import; run again, it names the row.
"""

from services.city_node.customer_import.audited import IMPORTED
from services.city_node.customer_import.commands import app
from services.city_node.customer_import.endpoints import IMPORT, router
from shared.capability import Capability, Permission, Role
from shared.kernel.language import Text

capability = Capability(
    name="customer-import",
    summary=Text("Import of customers from files", "客户批量导入"),
    routers=(router,),
    permissions=(
        Permission(
            IMPORT,
            Text("load files of customers into one's unit", "向本单位批量导入客户"),
            frozenset({Role.SUPERVISOR, Role.OPERATOR, Role.INTEGRATION}),
        ),
    ),
    actions=(IMPORTED,),
    commands=(("customer", app),),
)
