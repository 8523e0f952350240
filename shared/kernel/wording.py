"""What is wrong with a value, in both languages: pydantic tells it in English alone.

What a validator of ours finds wrong it says as :class:`Unfit`.
"""

from collections.abc import Mapping
from typing import Any

from shared.kernel.language import Text


class Unfit(ValueError):
    """What a validator says of a value that does not do, in both languages."""

    def __init__(self, text: Text, **values: object) -> None:
        self.text = text.filled(**values)
        super().__init__(self.text.en)


_DATE = Text("must be a date such as 2026-12-01", "必须是日期，如 2026-12-01")
_MOMENT = Text(
    "must be a moment such as 2026-12-01T08:00:00+08:00", "必须是时间，如 2026-12-01T08:00:00+08:00"
)
_WHOLE = Text("must be a whole number", "必须是整数")
_NUMBER = Text("must be a number", "必须是数字")
_TRUTH = Text("must be true or false", "必须是 true 或 false")
_LIST = Text("must be a list", "必须是列表")
_OBJECT = Text("must be an object", "必须是对象")
_TEXT = Text("must be a text", "必须是文本")

WORDS: Mapping[str, Text] = {
    "missing": Text("this field is missing", "缺少此字段"),
    "extra_forbidden": Text("there is no such field", "没有此字段"),
    "int_type": _WHOLE,
    "int_from_float": _WHOLE,
    "int_parsing": _WHOLE,
    "int_parsing_size": Text("is too large a number", "数字过大"),
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": _NUMBER,
    "decimal_parsing": _NUMBER,
    "decimal_type": _NUMBER,
    "string_type": _TEXT,
    "string_unicode": Text("must be a text of whole characters", "必须是完整字符组成的文本"),
    "bool_type": _TRUTH,
    "bool_parsing": _TRUTH,
    "list_type": _LIST,
    "tuple_type": _LIST,
    "dict_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "uuid_type": Text("must be a UUID", "必须是 UUID"),
    "uuid_parsing": Text("must be a UUID", "必须是 UUID"),
    "date_type": _DATE,
    "date_parsing": _DATE,
    "date_from_datetime_parsing": _DATE,
    "date_from_datetime_inexact": _DATE,
    "datetime_type": _MOMENT,
    "datetime_parsing": _MOMENT,
    "datetime_from_date_parsing": _MOMENT,
    "timezone_aware": Text("must have a time zone, such as +08:00", "必须带时区，如 +08:00"),
    "moment_beyond": Text("must lie in the years 1 to 9999", "须在公元 1 年至 9999 年之间"),
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
"""By the type of pydantic's error; what is left out is told in its own English."""


def in_chinese(error: Mapping[str, Any]) -> str | None:
    """Return what one of pydantic's errors says, in Chinese; nothing if it has not been put into it."""
    own = error.get("ctx", {}).get("error")
    if isinstance(own, Unfit):
        return own.text.zh
    words = WORDS.get(error["type"])
    if words is None:
        return None
    return filled(words, error.get("ctx", {})).zh


def filled(words: Text, context: Mapping[str, Any]) -> Text:
    """Put the context of one of pydantic's errors into words of ours."""
    values = dict(context)
    if "expected" in values:  # a list that pydantic has written out
        values["expected"] = Text(
            values["expected"], values["expected"].replace(", ", "、").replace(" or ", "或")
        )
    return words.filled(**values)
