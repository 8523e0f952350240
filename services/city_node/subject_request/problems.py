"""Why something about a person's request is refused."""

from uuid import UUID

from services.city_node.subject_request.kind import REFUSALS
from shared.kernel.language import Text
from shared.kernel.problems import Fault, Problem


class SubjectRequestNotFound(Problem):
    """There is no such request, or none that the caller's unit may see."""

    status = 404
    title = Text("Person's request not found", "个人信息请求不存在")
    sentence = Text(
        "There is no person's request {request} within your unit's scope: list them at `GET /subject-requests`.",
        "在您所属单位的数据范围内没有个人信息请求 {request}，请查询 GET /subject-requests。",
    )


class SubjectRequestOpen(Problem):
    """The person has a request of that kind that is not settled."""

    status = 409
    title = Text("Request is open already", "已有未办结的请求")
    sentence = Text(
        "This customer has an open request for {kind}: settle that one first.",
        "该客户已有未办结的 {kind} 请求：请先办结。",
    )


class SubjectRequestNotInState(Problem):
    """What was asked for is not possible in the state that the request has reached."""

    status = 409
    title = Text("Not possible in this state", "当前状态不可执行")
    sentence = Text(
        "The request is in state {state}, where `{event}` is not possible. Possible now: {possible}.",
        "请求当前状态为 {state}，不能执行 {event}。当前可执行：{possible}。",
    )


class ErasureBarred(Problem):
    """The law or a contract stands against erasing the person now."""

    status = 409
    title = Text("Erasure barred", "依法不能删除")
    sentence = Text(
        "The person cannot be erased now. {reasons_en} Refuse the request with that reason, or remove the cause.",
        "目前不能删除该人员的信息。{reasons_zh}请以此理由拒绝，或先消除原因。",
    )

    def __init__(self, codes: list[str]) -> None:
        super().__init__(
            faults=[Fault(f"/{code}", REFUSALS[code].en) for code in codes],
            reasons_en=" ".join(REFUSALS[code].en for code in codes),
            reasons_zh="".join(REFUSALS[code].zh for code in codes),
        )


class ProposerMayNotApprove(Problem):
    """Whoever proposed the erasure wanted to approve it."""

    status = 409
    title = Text("Approval takes somebody else", "不得自行复核")
    sentence = Text(
        "You proposed to erase this person: another member of staff has to approve it.",
        "删除申请由您提出，须由另一名工作人员复核。",
    )


class RefusalUnknown(Problem):
    """The reason of a refusal is none of the declared ones."""

    status = 422
    title = Text("Reason of refusal unknown", "拒绝理由不存在")
    sentence = Text(
        "{code} is no reason to refuse a request: use one of {known}.",
        "{code} 不是可用的拒绝理由，可用：{known}。",
    )

    def __init__(self, code: str) -> None:
        known = ", ".join(REFUSALS)
        super().__init__(faults=[Fault("/code", f"one of: {known}")], code=code, known=known)


def not_found(request: UUID) -> SubjectRequestNotFound:
    """Return the refusal for a request that is not there."""
    return SubjectRequestNotFound(request=request)
