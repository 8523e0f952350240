"""Why something about a legal hold is refused."""

from shared.kernel.language import Text
from shared.kernel.problems import Problem


class HoldNotFound(Problem):
    """There is no such hold, or none that the caller's unit may see."""

    status = 404
    title = Text("Legal hold not found", "法律保全不存在")
    sentence = Text(
        "There is no legal hold {hold} within your unit's scope: list them at `GET /legal-holds`.",
        "在您所属单位的数据范围内没有法律保全 {hold}，请查询 GET /legal-holds。",
    )


class HoldLifted(Problem):
    """The hold has been lifted already."""

    status = 409
    title = Text("Legal hold lifted", "法律保全已解除")
    sentence = Text(
        "Legal hold {hold} was lifted already: place a new one if it is needed again.",
        "法律保全 {hold} 已解除：如仍需要请另行设置。",
    )


class LiftNotProposed(Problem):
    """Nobody has proposed to lift the hold."""

    status = 409
    title = Text("Lifting not proposed", "尚未申请解除")
    sentence = Text(
        "Nobody has proposed to lift legal hold {hold}: do so with a reason first, and let somebody else approve.",
        "尚无人申请解除法律保全 {hold}：请先说明理由提出申请，再由他人复核。",
    )
