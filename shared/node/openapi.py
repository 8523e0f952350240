"""The interface's description of itself, where FastAPI alone would say more than is true.

With ``fields=`` an answer holds only what was asked for, so nothing in it can be required: every operation that takes
``fields`` is described with a partial form of its schema.
"""

from typing import Any

from fastapi import FastAPI

_REFERENCE = "#/components/schemas/"


def describe_partial_answers(app: FastAPI) -> None:
    """Let ``app`` describe the answers of operations that take ``fields`` as partial ones."""
    describe = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            description = describe()
            for operations in description["paths"].values():
                if any(
                    p["name"] == "fields" for p in operations.get("get", {}).get("parameters", ())
                ):
                    _make_partial(operations["get"], description["components"]["schemas"])
            app.openapi_schema = description
        return app.openapi_schema

    # FastAPI's documented way to change it.
    app.openapi = openapi  # type: ignore[method-assign]


def _make_partial(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    for content in operation["responses"]["200"].get("content", {}).values():
        schema = content.get("schema", {})
        name = schema.get("$ref", "").removeprefix(_REFERENCE)
        if not name:
            continue
        whole = schemas[name]
        items = whole.get("properties", {}).get("items", {}).get("items", {}).get("$ref", "")
        if items:  # a page: the page is whole, its items are partial
            partial_item = _partial(items.removeprefix(_REFERENCE), schemas)
            page = {**whole["properties"]["items"], "items": {"$ref": _REFERENCE + partial_item}}
            schemas[name] = {**whole, "properties": {**whole["properties"], "items": page}}
        else:
            content["schema"] = {"$ref": _REFERENCE + _partial(name, schemas)}


def _partial(name: str, schemas: dict[str, Any]) -> str:
    """Add the form of a schema in which nothing is required; returns its name."""
    partial = name if name.endswith("Partial") else f"{name}Partial"
    if partial not in schemas:
        schemas[partial] = {key: value for key, value in schemas[name].items() if key != "required"}
        schemas[partial]["title"] = partial
    return partial
