"""The contracts of the ports: what each is asked, and what it answers. ``docs/ports.md`` has them for their builders.

What is sent follows from what has happened and from nothing else, the time of sending least of all: a node whose
database was restored from a backup makes the same call again, under the same key, and the port has to know it again.
"""

from typing import Any

from shared.port.contracts import billing, card_supplier, network, receipt_printer, sms
from shared.port.declaration import Operation, Port

PORTS: tuple[Port, ...] = (
    network.PORT,
    sms.PORT,
    billing.PORT,
    card_supplier.PORT,
    receipt_printer.PORT,
)
OPERATIONS: tuple[Operation[Any, Any], ...] = (
    *network.OPERATIONS,
    *sms.OPERATIONS,
    *billing.OPERATIONS,
    *card_supplier.OPERATIONS,
    *receipt_printer.OPERATIONS,
)


def port_named(name: str) -> Port:
    """Return the port of that name."""
    return next(port for port in PORTS if port.name == name)


def operations_of(port: Port) -> tuple[Operation[Any, Any], ...]:
    """Return what a port can be asked."""
    return tuple(operation for operation in OPERATIONS if operation.port is port)
