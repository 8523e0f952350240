"""What any service needs and no business would recognise.

Clock, ids, settings, database, problem details, paging, preconditions, idempotency, logging, encryption.
Nothing here knows a customer, a message between nodes or a division code beyond its shape, and nothing is
decided at import: every object is made from a :class:`~shared.kernel.settings.Settings` by whoever composes a
node, so that a test runs a city, its province and HQ in one process.
"""
