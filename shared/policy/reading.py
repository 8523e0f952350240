"""Reading a document of a kind: what is wrong with it is told by JSON pointer, in both languages."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from pydantic import ValidationError

from shared.capability import D, PolicyKind
from shared.kernel.language import Text
from shared.kernel.problems import Fault, pointer_of
from shared.policy.declaration import RuleBroken

_WORDS: Mapping[str, Text] = {
    "missing": Text("this field is missing", "缺少此字段"),
    "extra_forbidden": Text("there is no such field", "没有此字段"),
    "int_type": Text("must be a whole number", "必须是整数"),
    "int_from_float": Text("must be a whole number", "必须是整数"),
    "string_type": Text("must be a text", "必须是文本"),
    "bool_type": Text("must be true or false", "必须是 true 或 false"),
    "list_type": Text("must be a list", "必须是列表"),
    "tuple_type": Text("must be a list", "必须是列表"),
    "dict_type": Text("must be an object", "必须是对象"),
    "model_type": Text("must be an object", "必须是对象"),
    "model_attributes_type": Text("must be an object", "必须是对象"),
    "date_type": Text("must be a date such as 2026-12-01", "必须是日期，如 2026-12-01"),
    "date_parsing": Text("must be a date such as 2026-12-01", "必须是日期，如 2026-12-01"),
    "date_from_datetime_parsing": Text(
        "must be a date such as 2026-12-01", "必须是日期，如 2026-12-01"
    ),
    "literal_error": Text("must be {expected}", "必须是 {expected}"),
    "enum": Text("must be {expected}", "必须是 {expected}"),
    "greater_than": Text("must be greater than {gt}", "必须大于 {gt}"),
    "greater_than_equal": Text("must be at least {ge}", "不得小于 {ge}"),
    "less_than": Text("must be less than {lt}", "必须小于 {lt}"),
    "less_than_equal": Text("must be at most {le}", "不得大于 {le}"),
    "multiple_of": Text("must be a multiple of {multiple_of}", "必须是 {multiple_of} 的倍数"),
    "string_too_short": Text(
        "must have at least {min_length} characters", "至少 {min_length} 个字符"
    ),
    "string_too_long": Text(
        "must have at most {max_length} characters", "最多 {max_length} 个字符"
    ),
    "string_pattern_mismatch": Text("must match {pattern}", "必须符合 {pattern}"),
    "too_short": Text("must have at least {min_length} items", "至少 {min_length} 项"),
    "too_long": Text("must have at most {max_length} items", "最多 {max_length} 项"),
}
"""What pydantic's errors are called here; those that are left out are told in its own English."""


def read(kind: PolicyKind[D], document: Any) -> D:
    """Return a document, given as JSON values, in the form of its kind.

    Raises:
        ValidationError: if it does not have that form; :func:`faults_of` tells where.
    """
    return kind.document.model_validate_json(orjson.dumps(document))


def written(document: D) -> Any:
    """Return a document as JSON values, with every field that has a default."""
    return document.model_dump(mode="json")


def faults_of(error: ValidationError) -> Sequence[Fault]:
    """Return what is wrong in a document, with pointers into it."""
    return [_fault(each) for each in error.errors(include_url=False, include_input=False)]


def _fault(error: Mapping[str, Any]) -> Fault:
    pointer = pointer_of(("body", *error["loc"]))
    context = error.get("ctx", {})
    broken = context.get("error")
    if isinstance(broken, RuleBroken):
        return Fault.of(
            pointer + pointer_of(("body", *broken.at)), broken.sentence, **broken.values
        )
    words = _WORDS.get(error["type"])
    if words is None:
        return Fault(pointer, str(error["msg"]).removeprefix("Value error, "))
    return Fault.of(pointer, words, **context)
