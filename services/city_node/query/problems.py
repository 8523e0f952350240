"""Why a query is refused."""

from collections.abc import Sequence

from shared.kernel.language import Text
from shared.kernel.problems import Fault, Problem


class ConditionInvalid(Problem):
    """A condition asks for something that there is not, or is written wrongly."""

    status = 422
    title = Text("Condition invalid", "查询条件无效")
    sentence = Text(
        "{count} place(s) in the condition are wrong; the first: {first}. `GET /customers/query/fields` lists what can be asked for.",
        "查询条件有 {count} 处错误；第一处：{first}。可查询的内容见 GET /customers/query/fields。",
    )

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(faults=faults, count=len(faults), first=faults[0].detail)


class ConditionForbidden(Problem):
    """A condition asks for a field that the caller may not see, or that may not be kept."""

    status = 403
    title = Text("Condition forbidden", "无权使用该查询条件")
    sentence = Text(
        "The condition asks for what is not shown to you or may not be kept: {first}. Leave that part out.",
        "查询条件涉及您无权查看或不得保存的内容：{first}。请去掉该部分。",
    )

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(faults=faults, first=faults[0].detail)


class QueryTookTooLong(Problem):
    """A query was given up because it took too long."""

    status = 503
    title = Text("Query took too long", "查询超时")
    sentence = Text(
        "The query took more than {seconds} seconds and was given up. Narrow the condition, leave `count` out, or export.",
        "查询超过 {seconds} 秒，已中止。请缩小条件、不要求 count，或改用导出。",
    )
