"""The kinds of policy that ship, and their page in the documentation."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from shared.capability import PolicyKind
from shared.policy.bounds import outside, tokens
from shared.policy.declaration import PolicyDeclaredTwice, PolicyDocument, kinds_of
from shared.policy.kinds import KINDS
from shared.policy.kinds.level import LEVEL, Thresholds
from shared.policy.reading import read, written
from shared.policy.reference import render_markdown
from shared.statistics.definition import INDICATOR
from tests.policy.thresholds import THRESHOLDS

ALL = pytest.mark.parametrize("kind", [THRESHOLDS, *KINDS, INDICATOR], ids=lambda kind: kind.name)


@ALL
def test_the_default_can_be_written_and_read(kind: PolicyKind[Any]) -> None:
    assert read(kind, written(kind.default)) == kind.default


def forms(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give every object that a document is made of."""
    yield "the document", schema
    yield from schema.get("$defs", {}).items()


@ALL
def test_every_field_is_described_and_nothing_is_a_float(kind: PolicyKind[Any]) -> None:
    for name, form in forms(kind.document.model_json_schema()):
        if "properties" not in form:
            continue  # an enumeration
        assert form["additionalProperties"] is False, name
        for field, described in form["properties"].items():
            assert described.get("description"), f"{name}.{field} of {kind.name}"
            assert described.get("type") != "number", f"{name}.{field} of {kind.name}"


@ALL
def test_documents_are_strict_and_frozen(kind: PolicyKind[Any]) -> None:
    assert issubclass(kind.document, PolicyDocument)
    config = kind.document.model_config
    assert (config.get("strict"), config.get("frozen"), config.get("extra")) == (
        True,
        True,
        "forbid",
    )


def reached(value: Any, parts: list[str]) -> bool:
    """Tell whether a pointer with ``*`` names a part of a document; of an empty list or object, anything may be."""
    if not parts:
        return True
    first, *others = parts
    members = dict(enumerate(value)) if isinstance(value, list) else value
    if not isinstance(members, dict):
        return False
    if first == "*":
        return not members or any(reached(member, others) for member in members.values())
    return first in members and reached(members[first], others)


@ALL
def test_every_bound_is_of_a_part_that_there_is(kind: PolicyKind[Any]) -> None:
    default = written(kind.default)
    for bound in kind.bounds:
        assert reached(default, tokens(bound.pointer)), bound.pointer
    assert outside(default, default, kind.bounds) == []


@ALL
def test_the_page_has_a_section_with_every_field_and_bound(kind: PolicyKind[Any]) -> None:
    page = render_markdown((kind,))
    assert f"## `{kind.name}` {kind.title.en} {kind.title.zh}" in page
    for field in kind.document.model_fields:
        assert f"| `/{field}` |" in page
    for bound in kind.bounds:
        assert f"| `{bound.pointer}` |" in page


def test_the_page_says_what_may_be_set() -> None:
    page = render_markdown((THRESHOLDS,))
    assert "| `/gold/from_fen` | integer, ≥ 0 | From this spend on. |" in page
    assert "| `/campaigns/*/permille` | integer, ≥ 0 | Of the usual. |" in page
    assert "| `/mode` | one of `mean`, `median` |" in page
    assert "| `/campaigns` | anything of its form, also more or fewer of it |" in page


@pytest.mark.parametrize(
    ("changed", "at"),
    [({"gold_fen": 1}, "gold_fen"), ({"diamond_fen": 1}, "diamond_fen")],
)
def test_a_level_that_does_not_descend_is_named(changed: dict[str, int], at: str) -> None:
    thresholds = LEVEL.default.thresholds.model_dump() | changed
    with pytest.raises(ValidationError) as refused:
        Thresholds.model_validate(thresholds)
    (error,) = refused.value.errors()
    assert error["ctx"]["error"].at == (at,)


def test_two_kinds_of_one_name_are_refused() -> None:
    assert list(kinds_of((THRESHOLDS, THRESHOLDS))) == ["thresholds"]
    other = PolicyKind("thresholds", THRESHOLDS.title, THRESHOLDS.document, THRESHOLDS.default)
    with pytest.raises(PolicyDeclaredTwice, match="thresholds"):
        kinds_of((THRESHOLDS, other))
