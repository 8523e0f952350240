"""Why an import is refused as a whole. What is wrong with single rows is in the import's report."""

from collections.abc import Sequence

from shared.kernel.language import Text
from shared.kernel.problems import Fault, Problem


class MappingInvalid(Problem):
    """The mapping says something that this node does not understand; no row was read."""

    status = 422
    title = Text("Mapping invalid", "映射文件无效")
    sentence = Text(
        "The mapping has {count} mistake(s), the first: {first}. Nothing was read.",
        "映射文件有 {count} 处错误，首处：{first}。未读取任何数据。",
    )

    def __init__(self, faults: Sequence[Fault]) -> None:
        first = f"{faults[0].pointer}: {faults[0].detail}"
        super().__init__(faults=faults, count=len(faults), first=first)


class FileUnusable(Problem):
    """The file cannot be read as the mapping says."""

    status = 422
    title = Text("File unusable", "文件不可用")
    sentence = Text(
        "{file}, line {line}: {reason} Nothing from there on was loaded.",
        "{file} 第 {line} 行：{reason} 该行及其后的数据未导入。",
    )

    def __init__(self, file: str, line: int, reason: str) -> None:
        super().__init__(
            faults=[Fault("/file", f"line {line}: {reason}")], file=file, line=line, reason=reason
        )


class ImportDisturbed(Problem):
    """Numbers of the file were given to other customers again and again while the file was loaded."""

    status = 409
    title = Text("Import disturbed", "导入受扰")
    sentence = Text(
        "Numbers of the file were given to other customers while it was loaded ({constraint}). What was loaded until then stays: resume the import, and it will name the rows.",
        "导入期间有号码被分配给其他客户（{constraint}）。此前已导入的数据保留：请续传，届时将指出相关行。",
    )


class ImportNotFound(Problem):
    """There is no such import, or none that the caller's unit may see."""

    status = 404
    title = Text("Import not found", "导入记录不存在")
    sentence = Text(
        "There is no import {id} within your unit's scope.",
        "在您所属单位的数据范围内没有导入记录 {id}。",
    )


class FileDiffers(Problem):
    """An import is to be resumed with a file that is not the one that it began with."""

    status = 409
    title = Text("File differs", "文件不一致")
    sentence = Text(
        "Import {id} began with another file: SHA-256 {expected}, this one has {found}. Nothing was loaded: resume it with the same file, or import this one anew.",
        "导入 {id} 开始时使用的是另一个文件（SHA-256 {expected}，当前为 {found}）。未导入任何数据：请使用同一文件续传，或重新导入当前文件。",
    )


class ImportStateUnfit(Problem):
    """What is asked of an import does not fit the state that it is in."""

    status = 409
    title = Text("Import state unfit", "导入状态不符")
    sentence = Text(
        "Import {id} is {state}; only one that is {expected} can be {action}.",
        "导入 {id} 当前状态为 {state}；仅状态为 {expected} 时可执行 {action}。",
    )


class ImportOver(Problem):
    """What it would take to undo or resume the import was deleted when its retention period had passed."""

    status = 409
    title = Text("Import over", "导入已归档")
    sentence = Text(
        "Import {id} can no longer be {action}: what that takes was deleted on {day}, when its retention period had passed.",
        "导入 {id} 已无法执行 {action}：所需数据已于 {day} 保存期满后删除。",
    )


class RejectsDeleted(Problem):
    """The rejected rows of an import were deleted when their retention period had passed."""

    status = 410
    title = Text("Rejected rows deleted", "拒绝记录已删除")
    sentence = Text(
        "The rejected rows of import {id} were deleted on {day}, when their retention period had passed.",
        "导入 {id} 的拒绝记录已于 {day} 保存期满后删除。",
    )


class FileNotKept(Problem):
    """An import is to be resumed whose file the node does not have, or not any more."""

    status = 409
    title = Text("File not kept", "文件未保留")
    sentence = Text(
        "The node does not keep the file of import {id}: import it again, which leaves alone what is loaded already.",
        "本节点未保留导入 {id} 的文件：请重新导入，已导入的数据不受影响。",
    )


class ErasedNotAllowed(Problem):
    """A file is to make customers anew who were erased, and the caller may not let it."""

    status = 403
    title = Text("Erased customers not allowed", "不得重建已删除客户")
    sentence = Text(
        "Letting a file make customers anew who were erased takes the permission {permission}. Nothing was read.",
        "允许文件重新建立已删除的客户需要权限 {permission}。未读取任何数据。",
    )
