"""The key customers of a city: profiles, what they hold, and everything that ever changed about them.

Vocabulary
----------
A *customer* (客户) is a person or a group (集团) with one *profile*. The profile is in one of two *libraries*: the
*in-network* library (在网档案库), or, after the customer left, the *retained* library (保留档案库). A customer holds
*subscriptions* (lines with an MSISDN, brand and plan); a line in use has one active *SIM* at most, and a SIM is never
on two lines. *Bills* are monthly, one for each line. *Contact media* say how the customer is reached. A *change* is a
row of history: who, when, from where, each field's old and new value. A *look* is each time that somebody read a
profile; it is in the audit log (:mod:`~services.city_node.customer.looks`).

Life cycle
----------
A customer is made at a desk or by :mod:`~services.city_node.customer_import`; changed against the version that was
read (``If-Match``); *retired* into the retained library, whole, with the lines and SIMs ended; and *restored* from
it, with the history kept: the same number, the same day of entry, from which tenure counts as if the customer had
never left. Long after leaving a customer is *erased* (:mod:`~services.city_node.erasure`): in no library, shown by id
as erased (410), found by nothing. Nothing else is deleted.

Who may write
-------------
This package at the desk; ``customer_import`` set-wise; requests between cities (card replacement) for the SIM in use.
All of them lock the customer's row first, raise its version, and write the change and its audit record in the same
transaction: the customer's row is the lock, and its version the entity tag, of everything the customer holds. Only
where a change is one statement, as most of a profile are, that statement asks for the version instead of the lock
(:mod:`~services.city_node.customer.changing`).

Other nouns that customers hold, key persons, agreements, interactions and so on, have packages of their own and one
form (:mod:`~services.city_node.held`); each offers its part of the customer's page.

Reading
-------
A read is one SQL statement that checks the scope, masks, and builds the JSON, with the parts that were asked for
(:mod:`~services.city_node.customer.profile`, :mod:`~services.city_node.customer.parts`). A customer outside the
reader's unit does not exist for the reader. Document numbers are encrypted (AES-GCM) and found by a blind index, and so
are contact values. Those, dates of birth and the names of third persons are masked for those who lack the permission
of each (:mod:`~services.city_node.customer.privacy`), in the profile, in lists and in history alike.

Failure
-------
Two who change one customer at once: the second is told that the version is stale (412). A number that is in use is
refused (409), also when two take it at the same moment: a unique constraint stands behind each check.
"""

from services.city_node.customer.access import conflicts, permissions
from services.city_node.customer.audited import CHANGES
from services.city_node.customer.change_endpoints import router as change_router
from services.city_node.customer.endpoints import router
from services.city_node.customer.looks import LOOKED, SEARCHED
from shared.capability import Capability
from shared.kernel.language import Text

capability = Capability(
    name="customer",
    summary=Text("Customer profiles, subscriptions and bills", "客户档案、用户与账单"),
    routers=(router, change_router),
    permissions=permissions,
    actions=(LOOKED, SEARCHED, *CHANGES.values()),
    conflicts=conflicts,
)
