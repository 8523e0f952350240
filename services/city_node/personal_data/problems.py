"""Why something about sealing is refused."""

from shared.kernel.language import Text
from shared.kernel.problems import Problem


class KeysRotating(Problem):
    """Rows are being sealed with a new key, and set-wise work waits until that has ended."""

    status = 409
    title = Text("Keys are being rotated", "密钥轮换进行中")
    sentence = Text(
        "The keys for personal data have been rotating since {since}: try again when that has ended.",
        "个人信息密钥自 {since} 起正在轮换，请在轮换结束后重试。",
    )


class ValuesInClear(Problem):
    """Contact values from an earlier release are not encrypted yet, and set-wise work would not know them again."""

    status = 409
    title = Text("Values not encrypted yet", "个人信息尚未加密完毕")
    sentence = Text(
        "Contact values from an earlier release are being encrypted: try again in a minute, or run "
        "`guanxi personal-data encrypt`.",
        "旧版本的联系方式正在加密：请稍后重试，或运行 guanxi personal-data encrypt。",
    )


class SealingUnderWay(Problem):
    """A rotation cannot begin while an import or another writer of sealed values is at work."""

    status = 409
    title = Text("Personal data is being written", "正在写入个人信息")
    sentence = Text(
        "An import is at work, and a rotation begins alone: try again when it has ended.",
        "正在进行导入，轮换须独占开始：请在其结束后重试。",
    )


class KeyInUse(Problem):
    """A key that rows are sealed with cannot be dropped."""

    status = 409
    title = Text("Key in use", "密钥仍在使用")
    sentence = Text(
        "Key {key} cannot be dropped: {reason}.",
        "密钥 {key} 不能删除：{reason}。",
    )
