"""Why something about loan handsets is refused."""

from uuid import UUID

from shared.kernel.language import Text
from shared.kernel.problems import Fault, Problem


class LoanHandsetNotFound(Problem):
    """There is no such handset in the caller's units."""

    status = 404
    title = Text("Loan handset not found", "备用机不存在")
    sentence = Text(
        "There is no loan handset {handset} in your units. `GET /loan-handsets` lists those there are.",
        "您所辖单位没有备用机 {handset}，可用 GET /loan-handsets 查询。",
    )

    def __init__(self, handset: UUID) -> None:
        super().__init__(handset=handset)


class NoLoanHandset(Problem):
    """The hall has no handset to lend."""

    status = 409
    title = Text("No loan handset in stock", "无可借备用机")
    sentence = Text(
        "Unit {unit} has no loan handset in stock. Name one of another hall, or wait until one comes back.",
        "单位 {unit} 无库存备用机，可指定其他营业厅的备用机，或等待归还。",
    )

    def __init__(self, unit: str) -> None:
        super().__init__(unit=unit)


class LoanHandsetNotAvailable(Problem):
    """The handset is lent, damaged, lost or withdrawn."""

    status = 409
    title = Text("Loan handset not available", "备用机不可用")
    sentence = Text(
        "Loan handset {handset} is `{state}`: that is not possible with it now.",
        "备用机 {handset} 当前为 {state}，不能执行此操作。",
    )


class LoanOut(Problem):
    """The request has a loan handset that has not come back."""

    status = 409
    title = Text("Loan handset is out", "备用机未归还")
    sentence = Text(
        "Request {request} has loan handset {handset}. Take it back first, or say that it is lost: `POST /repairs/{request}/loan/end`.",
        "请求 {request} 借出的备用机 {handset} 尚未归还，请先办理归还或登记遗失（POST /repairs/{request}/loan/end）。",
    )


class NoLoanOut(Problem):
    """The request has no loan handset that could come back."""

    status = 409
    title = Text("No loan handset is out", "无借出的备用机")
    sentence = Text(
        "Request {request} has no loan handset now.",
        "请求 {request} 当前没有借出的备用机。",
    )

    def __init__(self, request: UUID) -> None:
        super().__init__(request=request)


class DepositExceeded(Problem):
    """More is to be kept of a deposit than it is, or something of a handset that came back whole."""

    status = 422
    title = Text("Deposit exceeded", "扣留金额超过押金")
    sentence = Text(
        "Of this deposit at most {most} fen can be kept.",
        "此押金最多可扣留 {most} 分。",
    )

    def __init__(self, most: int) -> None:
        super().__init__(faults=[Fault("/kept_fen", f"at most {most}")], most=most)


class LoanHandsetsInConflict(Problem):
    """Handsets that are to be loaded are in another unit's stock, or twice in the list."""

    status = 409
    title = Text("Loan handsets in conflict", "备用机冲突")
    sentence = Text(
        "{count} of the handsets cannot be loaded; `errors` names up to {most} of them. None was loaded.",
        "有 {count} 台备用机无法入库，errors 列出其中至多 {most} 台；未入库任何备用机。",
    )
