"""Addresses of the test server's databases."""

from shared.kernel.embedded_postgres import NODE_ROLE, SUPERUSER


def as_node(owner_url: str) -> str:
    """Return the address of a database of the test's server as the role that nodes work as."""
    return owner_url.replace(f"//{SUPERUSER}@", f"//{NODE_ROLE}@")
