"""What stands against working at a till."""

from shared.kernel.language import Text
from shared.kernel.problems import Problem


class ShiftNotOpen(Problem):
    """Cash moves only in an open shift of whoever moves it."""

    status = 409
    title = Text("No shift open", "未开班")
    sentence = Text(
        "You have no open shift: count the float and open one (`POST /tills/shifts`) before you take or give cash.",
        "您没有已开的班次：请清点备用金并开班（POST /tills/shifts）后再收付现金。",
    )


class ShiftAlreadyOpen(Problem):
    """A cashier has one drawer at a time."""

    status = 409
    title = Text("Shift already open", "班次已开")
    sentence = Text(
        "You have been working at shift {shift} since {since}: cash it up before you open another.",
        "您的班次 {shift} 自 {since} 起未结班，请先结班再开新班。",
    )


class ShiftNotFound(Problem):
    """There is no such shift, or it belongs to units that the caller does not see."""

    status = 404
    title = Text("Shift not found", "班次不存在")
    sentence = Text(
        "There is no shift {shift} in your units. `GET /tills/shifts` lists those there are.",
        "您所辖单位内没有班次 {shift}，可用 GET /tills/shifts 查询。",
    )


class ShiftStateUnfit(Problem):
    """The shift is not in the state that this needs."""

    status = 409
    title = Text("Shift state unfit", "班次状态不符")
    sentence = Text(
        "The shift is {state}; this is possible only while it is {needed}.",
        "该班次状态为 {state}，仅在 {needed} 状态下可执行。",
    )


class ShiftNotYours(Problem):
    """A shift is cashed up by its own cashier."""

    status = 403
    title = Text("Shift not yours", "非本人班次")
    sentence = Text(
        "This is the shift of {cashier}, who counts the drawer and cashes it up.",
        "这是 {cashier} 的班次，须由本人清点并结班。",
    )
