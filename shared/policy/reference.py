"""The page of the documentation that lists the kinds of policy, made from their declarations."""

from collections.abc import Iterator
from typing import Any

import orjson

from shared.capability import Bound, PolicyKind
from shared.policy.kinds import KINDS

_DEEPEST = 6
_INTRODUCTION = """\
# Kinds of policy

<!-- Made from the program by `make docs`; change it there. -->

The policies that ship with the program: what their documents say, the national policy that holds until HQ publishes one,
and how far provinces and cities may move it. [Policies](policies.md) has what holds for all of them;
`GET /policies/{kind}/schema` and `guanxi policy show` give the same to programs.
"""


def render_markdown(kinds: tuple[PolicyKind[Any], ...] = KINDS) -> str:
    """Return ``docs/policy-kinds.md``."""
    sections = [line for kind in kinds for line in _section(kind)]
    return "\n".join([_INTRODUCTION, *sections])


def _section(kind: PolicyKind[Any]) -> Iterator[str]:
    yield f"## `{kind.name}` {kind.title.en} {kind.title.zh}\n"
    yield "| field | value | meaning |"
    yield "|---|---|---|"
    schema = kind.document.model_json_schema()
    for name, form, meaning in _fields(schema, schema.get("$defs", {}), ""):
        yield f"| `{name}` | {form} | {meaning} |"
    yield "\n**National policy that ships**\n"
    default = kind.default.model_dump(mode="json")
    yield f"```json\n{orjson.dumps(default, option=orjson.OPT_INDENT_2).decode()}\n```\n"
    yield "**Bounds that ship**\n"
    if not kind.bounds:
        yield "None: HQ alone sets this policy.\n"
        return
    yield "| part | overrides may set |"
    yield "|---|---|"
    for bound in kind.bounds:
        yield f"| `{bound.pointer or '/'}` | {_allowed(bound)} |"
    yield ""


def _fields(
    schema: dict[str, Any], named: dict[str, Any], above: str
) -> Iterator[tuple[str, str, str]]:
    """Give pointer, form and meaning of each field, with those of what it holds after it."""
    if above.count("/") > _DEEPEST:  # a form may hold itself
        return
    for name, field in schema.get("properties", {}).items():
        pointer, form = f"{above}/{name}", _resolved(field, named)
        yield pointer, _form(form, named), _cell(field.get("description", ""))
        yield from _fields(form, named, pointer)
        for inner in ("items", "additionalProperties"):
            if isinstance(form.get(inner), dict):
                yield from _fields(_resolved(form[inner], named), named, f"{pointer}/*")


def _resolved(field: dict[str, Any], named: dict[str, Any]) -> dict[str, Any]:
    """Return what a field refers to; of a field that may be null, the other form."""
    choices = [each for each in field.get("anyOf", ()) if each.get("type") != "null"]
    if len(choices) == 1:
        return _resolved(choices[0], named)
    reference = field.get("$ref")
    return field if reference is None else named[reference.rpartition("/")[2]]


def _form(form: dict[str, Any], named: dict[str, Any]) -> str:
    if "enum" in form or "const" in form:
        return ", ".join(f"`{value}`" for value in form.get("enum", [form.get("const")]))
    if "anyOf" in form or "oneOf" in form:
        choices = form.get("anyOf") or form["oneOf"]
        return " or ".join(_form(_resolved(each, named), named) for each in choices)
    words = [form.get("format") or form.get("type", "any")]
    for name, sign in (
        ("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<"),
        ("minLength", "length ≥"), ("maxLength", "length ≤"), ("minItems", "items ≥"), ("maxItems", "items ≤"),
    ):  # fmt: skip
        if name in form:
            words.append(f"{sign} {form[name]}")
    return ", ".join(words)


def _allowed(bound: Bound) -> str:
    if bound.one_of is not None:
        return "one of " + ", ".join(f"`{choice}`" for choice in bound.one_of)
    limits = [
        f"{sign} {limit}"
        for sign, limit in (("≥", bound.minimum), ("≤", bound.maximum))
        if limit is not None
    ]
    return ", ".join(limits) or "anything of its form, also more or fewer of it"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
