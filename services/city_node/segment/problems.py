"""Why something about a segment is refused."""

from shared.kernel.language import Text
from shared.kernel.problems import Fault, Problem


class SegmentNotFound(Problem):
    """There is no such segment, or none that the caller's unit may see."""

    status = 404
    title = Text("Segment not found", "客户群不存在")
    sentence = Text(
        "There is no segment {segment} within your unit's scope.",
        "在您所属单位的数据范围内没有客户群 {segment}。",
    )


class SegmentNameTaken(Problem):
    """Another segment of the unit has the name."""

    status = 409
    title = Text("Segment name taken", "客户群名称已被使用")
    sentence = Text(
        "Unit {unit} has a segment '{name}' already: choose another name.",
        "单位 {unit} 已有名为“{name}”的客户群，请另取名称。",
    )

    def __init__(self, unit: str, name: str) -> None:
        super().__init__(faults=[Fault("/name", "taken")], unit=unit, name=name)


class SegmentIsLocked(Problem):
    """A locked segment was to be locked or given another condition."""

    status = 409
    title = Text("Segment is locked", "客户群已锁定")
    sentence = Text(
        "The segment is a fixed list: refresh it to make the list anew, or unlock it first.",
        "该客户群已锁定为固定名单：可刷新名单，或先解除锁定。",
    )


class SegmentIsLiving(Problem):
    """A living segment was to be refreshed or unlocked."""

    status = 409
    title = Text("Segment is living", "客户群未锁定")
    sentence = Text(
        "The segment has no list: its members are those who meet its condition now. Lock it to make a list.",
        "该客户群没有固定名单，成员为当前符合条件的客户；如需名单请先锁定。",
    )
