"""Why something about evaluations is refused."""

from shared.kernel.language import Text
from shared.kernel.problems import Problem


class EvaluationUnderWay(Problem):
    """A customer was to be evaluated while many are."""

    status = 409
    title = Text("Evaluation under way", "评定正在进行")
    sentence = Text(
        "Many customers are being evaluated by the rule `{rule}` at the moment. Ask again when that is done: it takes seconds.",
        "正在按规则 {rule} 批量评定客户，请稍后（数秒）再试。",
    )


class TrialNotFound(Problem):
    """There is no such dry run, or none of the caller's unit."""

    status = 404
    title = Text("Dry run not found", "试算不存在")
    sentence = Text(
        "There is no dry run {trial} within your unit's scope.",
        "在您所属单位的数据范围内没有试算 {trial}。",
    )
