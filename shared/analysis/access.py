"""Who may do what here, and what the audit log keeps of it."""

from shared.capability import Action
from shared.kernel.language import Text

READ = "analysis:read"
GRANTED = Action("analysis.granted", Text("Let analysts into the star", "开通分析人员的数据库访问"))
REVOKED = Action("analysis.revoked", Text("Shut analysts out", "关闭分析人员的数据库访问"))
ACTIONS = (GRANTED, REVOKED)
