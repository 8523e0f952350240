"""The form of everything small that customers hold: key persons, agreements, ties, interactions and their like.

Each such noun is a table with an id and the customer it belongs to, and all of them are read and changed alike, so a
package declares its noun once (:class:`~services.city_node.held.declaration.Held`) and is given its part of the
customer's page, its collection (``GET /customers/{id}/<noun>``, paged) and its changes (``POST``, ``PATCH``,
``DELETE``).

Rules
-----
The customer's row is the lock and the version of everything the customer holds: a change locks it, raises its version
and writes its history, in one transaction; ``PATCH`` and ``DELETE`` need the customer's ETag (``If-Match``), and every
answer carries the new one. A ``PATCH`` is merged into what is there, and the result is checked whole, by the rules of a
``POST``. History names a value ``<noun>/<id>/<field>``.

A telephone number or e-mail address of a third person is shown as contact media are: in clear to those who hold
``customer:contact``, masked to everybody else and in history. A noun names its other personal fields, too, and they
are masked by :mod:`~services.city_node.customer.privacy`. No collection sorts by a masked field: its cursors would
tell the value.
"""
