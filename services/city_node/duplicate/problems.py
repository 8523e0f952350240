"""Why something about duplicates is refused."""

from shared.kernel.language import Text
from shared.kernel.problems import Fault, Problem


class CandidateNotFound(Problem):
    """There is no such candidate, or none of two customers that the caller's unit may see."""

    status = 404
    title = Text("Candidate not found", "疑似重复记录不存在")
    sentence = Text(
        "There is no pair {candidate} of customers within your unit's scope.",
        "在您所属单位的数据范围内没有疑似重复记录 {candidate}。",
    )


class CandidateDecided(Problem):
    """A candidate was decided already, or its reason has gone."""

    status = 409
    title = Text("Candidate is not open", "疑似重复记录已处理")
    sentence = Text(
        "This pair is {state}: only an open one can be dismissed or merged.",
        "该疑似重复记录状态为 {state}：只能处理待审核的记录。",
    )


class NotOfThePair(Problem):
    """A pair was to be merged into somebody else."""

    status = 422
    title = Text("Not of the pair", "不属于该对客户")
    sentence = Text(
        "`survivor_id` and `merged_id` must be the two profiles of the pair.",
        "survivor_id 与 merged_id 必须是该对客户。",
    )

    def __init__(self) -> None:
        super().__init__(faults=[Fault("/survivor_id", "the profiles of the pair")])
