"""Why attributes or their declarations are refused."""

from collections.abc import Sequence

from shared.kernel.language import Text
from shared.kernel.problems import Fault, Problem


class AttributesRefused(Problem):
    """Values of attributes do not fit what the node declares."""

    status = 422
    title = Text("Attributes do not fit", "自定义属性不符合定义")
    sentence = Text(
        "{names}: see `errors` for what is wrong, and `GET /custom-attributes` for what the node declares.",
        "{names}：原因见 errors，定义见 GET /custom-attributes。",
    )

    def __init__(self, faults: Sequence[Fault]) -> None:
        names = ", ".join(fault.pointer.removeprefix("/attributes/") for fault in faults)
        super().__init__(faults=list(faults), names=names)


class CustomAttributeNotFound(Problem):
    """No attribute of that name is declared."""

    status = 404
    title = Text("Attribute not declared", "自定义属性不存在")
    sentence = Text(
        "No attribute {name} is declared: `GET /custom-attributes` lists those that are.",
        "未定义属性 {name}，请查询 GET /custom-attributes。",
    )
