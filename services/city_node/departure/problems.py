"""Why something about the catalogue of departures is refused."""

from shared.kernel.language import Text
from shared.kernel.problems import Fault, Problem


class CatalogueEntryUnknown(Problem):
    """The catalogue has no such entry."""

    status = 404
    title = Text("Not in the catalogue", "目录中没有此项")
    sentence = Text(
        "There is no {noun} {code}: list them at `GET /{path}`.",
        "没有 {noun} {code}，请查询 GET /{path}。",
    )


class CatalogueEntryTaken(Problem):
    """The catalogue has an entry of that code."""

    status = 409
    title = Text("Code in use", "代码已存在")
    sentence = Text(
        "There is a {noun} {code} already: change that one, or choose another code.",
        "{noun} {code} 已存在：请修改该项，或换用其他代码。",
    )

    def __init__(self, noun: str, code: str) -> None:
        super().__init__(faults=[Fault("/code", "in use")], noun=noun, code=code)


class ReasonOtherNeeded(Problem):
    """The reason that stands for all others was to be put out of use."""

    status = 409
    title = Text("Reason `other` is needed", "“其他”原因不可停用")
    sentence = Text(
        "What the catalogue does not have is counted as `other`: it cannot be put out of use.",
        "目录中没有的原因归入 other，因此不能停用。",
    )


class CompetitorUnknown(Problem):
    """A customer was to have gone to a competitor whom the catalogue does not have."""

    status = 422
    title = Text("Competitor unknown", "竞争对手不存在")
    sentence = Text(
        "There is no active competitor {code}: choose one of `GET /competitors`, or add it there.",
        "没有启用的竞争对手 {code}，请从 GET /competitors 中选择或先行添加。",
    )

    def __init__(self, code: str) -> None:
        super().__init__(faults=[Fault("/competitor", "no active competitor")], code=code)
