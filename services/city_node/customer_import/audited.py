"""What an import leaves in the audit log: one record.

Which customers it made and changed, and what in them, is in their history, whose rows name the import as their cause;
the record has the digest of the file and the counts. A record for each customer would say the same a second time, at
the price of a third of the speed.
"""

from shared.capability import Action
from shared.kernel.language import Text

IMPORTED = Action("customer.imported", Text("A file of customers was imported", "批量导入客户"))
