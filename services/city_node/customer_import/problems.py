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
    """The file cannot be read to its end as the mapping says; nothing of it was loaded."""

    status = 422
    title = Text("File unusable", "文件不可用")
    sentence = Text(
        "{file}, line {line}: {reason} Nothing was loaded.",
        "{file} 第 {line} 行：{reason} 未导入任何数据。",
    )

    def __init__(self, file: str, line: int, reason: str) -> None:
        super().__init__(
            faults=[Fault("/file", f"line {line}: {reason}")], file=file, line=line, reason=reason
        )


class ImportDisturbed(Problem):
    """A number of the file was given to another customer while the file was loaded."""

    status = 409
    title = Text("Import disturbed", "导入受扰")
    sentence = Text(
        "A number of the file was given to another customer while it was loaded ({constraint}). Nothing was loaded: run the import again, and it will name the row.",
        "导入期间有号码被分配给其他客户（{constraint}），未导入任何数据：请重新导入，届时将指出该行。",
    )


class ImportNotFound(Problem):
    """There is no such import, or none that the caller's unit may see."""

    status = 404
    title = Text("Import not found", "导入记录不存在")
    sentence = Text(
        "There is no import {id} within your unit's scope.",
        "在您所属单位的数据范围内没有导入记录 {id}。",
    )
