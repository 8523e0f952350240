"""The query of a request, read all at once.

FastAPI reads the parameters of an endpoint one by one, those that were not given too: for a list that offers twenty of
them, longer than PostgreSQL takes to find a page. Here they are the fields of a dataclass, which pydantic fills in one
call. What FastAPI does not read it does not describe either, so a route names what it reads::

    customers_asked = Parameters(CustomersAsked)

    @router.get("", openapi_extra=customers_asked.described)
    async def list_customers(request: Request, principal: Reader) -> Response:
        asked = customers_asked.of(request)
"""

from dataclasses import fields
from typing import Any, Generic, TypeVar

from fastapi import Request
from pydantic import TypeAdapter, ValidationError

from shared.kernel.listing import PageRequest, ParameterUnknown, require_once
from shared.kernel.problems import invalid_input

Asked = TypeVar("Asked", bound=PageRequest)


class Parameters(Generic[Asked]):
    """What the query of a request may ask of a collection: the fields of the dataclass ``form``."""

    def __init__(self, form: type[Asked]) -> None:
        self._read = TypeAdapter(form)
        self._names = frozenset(field.name for field in fields(form))

    def of(self, request: Request) -> Asked:
        """Read the query of ``request``.

        Raises:
            ParameterUnknown, ParameterRepeated: if it has one that the collection does not know, or one twice (400).
            InputInvalid: if a value does not have the parameter's form (422).
        """
        query = dict(request.query_params)
        for name in query:
            if name not in self._names:
                raise ParameterUnknown(name, ", ".join(sorted(self._names)))
        require_once(request, query)
        try:
            return self._read.validate_python(query)
        except ValidationError as error:
            raise invalid_input(
                [{**each, "loc": ("query", *each["loc"])} for each in error.errors()]
            ) from None

    @property
    def described(self) -> dict[str, Any]:
        """The parameters as OpenAPI describes them, for the route that takes them."""
        schema = self._read.json_schema()
        declared = schema.get("$defs", {})
        return {
            "parameters": [
                {"name": name, "in": "query", "required": False, **_with_description(whole)}
                for name, part in schema["properties"].items()
                for whole in [_resolved(part, declared)]
            ]
        }


def _resolved(schema: Any, declared: dict[str, Any]) -> Any:
    """Return ``schema`` with what it refers to in the place of each reference."""
    if isinstance(schema, list):
        return [_resolved(each, declared) for each in schema]
    if not isinstance(schema, dict):
        return schema
    own = {name: _resolved(each, declared) for name, each in schema.items() if name != "$ref"}
    if "$ref" not in schema:
        return own
    return {**_resolved(declared[schema["$ref"].rpartition("/")[2]], declared), **own}


def _with_description(schema: dict[str, Any]) -> dict[str, Any]:
    said = {"description": schema["description"]} if "description" in schema else {}
    return {**said, "schema": schema}
