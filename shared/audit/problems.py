"""What the audit log refuses."""

from shared.kernel.language import Text
from shared.kernel.problems import Problem


class RetentionRunning(Problem):
    """Records were to be dropped that have to be kept."""

    status = 409
    title = Text("Retention still running", "仍在保存期内")
    sentence = Text(
        "Records from before {before} cannot be dropped yet: they are kept for {days} days (setting `audit_retention_days`).",
        "{before} 之前的审计记录仍须保存（保存期 {days} 天，设置项 audit_retention_days），不能删除。",
    )


class HeadInvalid(Problem):
    """A noted seal is not written as one."""

    status = 422
    title = Text("Noted seal invalid", "封存标识无效")
    sentence = Text(
        "'{given}' is no seal: it is written NUMBER:LINK, with the 64 hexadecimal digits of the link.",
        "“{given}”不是封存标识：应写作 序号:摘要，摘要为 64 位十六进制数。",
    )
