"""What each route of an application asks of its caller, read from the routes themselves."""

from collections.abc import Iterator
from dataclasses import dataclass

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts

from shared.access.dependencies import Requirement


@dataclass(frozen=True, slots=True)
class Guard:
    """One method of one route, and who gets past its door.

    Attributes:
        method: such as ``GET``; empty for a mounted application, which takes any.
        path: as it is declared, ``/customers/{customer_id}``.
        permissions: all of which the caller must hold.
        signed_in: whether it asks for a token at all; without it, anybody is let in.
    """

    method: str
    path: str
    permissions: frozenset[str]
    signed_in: bool


def guards(app: FastAPI) -> Iterator[Guard]:
    """Give every method of every route of ``app``, in the order in which they are tried."""
    for route in iter_route_contexts(app.routes):
        dependant: Dependant | None = getattr(route, "dependant", None)
        asked = list(_requirements(dependant)) if dependant else []
        permissions = frozenset(one.permission for one in asked if one.permission is not None)
        for method in sorted(route.methods or {""}):
            yield Guard(method, route.path or "", permissions, bool(asked))


def _requirements(dependant: Dependant) -> Iterator[Requirement]:
    if isinstance(dependant.call, Requirement):
        yield dependant.call
    for dependency in dependant.dependencies:
        yield from _requirements(dependency)
