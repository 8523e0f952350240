"""What accounts and sign-ins leave in the audit log."""

from shared.capability import Action
from shared.kernel.language import Text

CREATED = Action("user.created", Text("An account was made", "新建账号"))
CHANGED = Action("user.changed", Text("An account was changed", "修改账号"))
DISABLED = Action("user.disabled", Text("An account was disabled", "停用账号"))
PASSWORD_SET = Action("user.password_set", Text("A password was set", "设置密码"))
SESSION_OPENED = Action("session.opened", Text("Somebody signed in", "登录"))
SESSION_ENDED = Action("session.ended", Text("Somebody signed out", "退出登录"))
SESSION_REFUSED = Action("session.refused", Text("A sign-in was refused", "登录被拒绝"))
TOKEN_REUSED = Action(
    "session.token_reused", Text("A used refresh token came again", "刷新令牌被重复使用")
)

actions = (
    CREATED, CHANGED, DISABLED, PASSWORD_SET, SESSION_OPENED, SESSION_ENDED, SESSION_REFUSED, TOKEN_REUSED,
)  # fmt: skip
