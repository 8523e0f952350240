"""Why a request is refused before it is looked at."""

from shared.capability import Role
from shared.kernel.language import Text
from shared.kernel.problems import Fault, Problem

REALM = 'Bearer realm="guanxi"'
_AUTHORIZATION = "header:Authorization"
_NO_TOKEN = Text("no bearer token", "缺少 Bearer 令牌")


class SignInRequired(Problem):
    """The request carries no access token."""

    status = 401
    title = Text("Sign-in required", "需要登录")
    sentence = Text(
        "This needs an access token: get one at `POST /oauth/token` and send it as `Authorization: Bearer ...`.",
        "此操作需要访问令牌：请先经 POST /oauth/token 登录，并以 Authorization: Bearer … 请求头发送。",
    )

    def __init__(self) -> None:
        super().__init__(
            faults=[Fault.of(_AUTHORIZATION, _NO_TOKEN)], headers={"WWW-Authenticate": REALM}
        )


class _TokenRefused(Problem):
    status = 401

    def __init__(self) -> None:
        # RFC 6750, 3.1: a client that sees invalid_token refreshes its token and tries again.
        challenge = f'{REALM}, error="invalid_token", error_description="{self.title.en}"'
        super().__init__(
            faults=[Fault.of(_AUTHORIZATION, self.title)], headers={"WWW-Authenticate": challenge}
        )


class TokenInvalid(_TokenRefused):
    """The access token was not made by this node, or was altered."""

    title = Text("Access token invalid", "访问令牌无效")
    sentence = Text(
        "The access token is not one of this node's, or was altered: sign in at this node's `POST /oauth/token`.",
        "访问令牌不是本节点签发的或已被改动：请在本节点的 POST /oauth/token 登录。",
    )


class TokenExpired(_TokenRefused):
    """The access token's time is over."""

    title = Text("Access token expired", "访问令牌已过期")
    sentence = Text(
        "The access token has expired: get a new one at `POST /oauth/token` with your refresh token, or sign in.",
        "访问令牌已过期：请以刷新令牌经 POST /oauth/token 换取新令牌，或重新登录。",
    )


class SessionRevoked(_TokenRefused):
    """The session of the access token was ended: signed out, password or role changed, or account disabled."""

    title = Text("Session ended", "会话已终止")
    sentence = Text(
        "This session was ended, by signing out or because the account changed: sign in again at `POST /oauth/token`.",
        "此会话已终止（已登出，或账号有变动）：请经 POST /oauth/token 重新登录。",
    )


class PermissionMissing(Problem):
    """The role does not hold the permission that the request needs."""

    status = 403
    title = Text("Permission missing", "权限不足")
    sentence = Text(
        "This needs the permission {permission}, which role {role} does not hold; it is held by: {holders}.",
        "此操作需要权限 {permission}，角色 {role} 没有该权限；拥有该权限的角色：{holders}。",
    )

    def __init__(self, permission: str, role: Role, holders: tuple[Role, ...]) -> None:
        super().__init__(
            headers={"WWW-Authenticate": _insufficient(permission)},
            permission=permission,
            role=role.value,
            holders=", ".join(holders) or "-",
        )


class ScopeTooNarrow(Problem):
    """The role holds the permission, but the token was asked for without it."""

    status = 403
    title = Text("Token scope too narrow", "令牌范围不足")
    sentence = Text(
        "This needs the permission {permission}, which was left out of `scope` when the token was asked for: ask for a token with it.",
        "此操作需要权限 {permission}，而申请令牌时的 scope 未包含它：请申请包含该权限的令牌。",
    )

    def __init__(self, permission: str) -> None:
        super().__init__(
            headers={"WWW-Authenticate": _insufficient(permission)}, permission=permission
        )


def _insufficient(permission: str) -> str:
    return f'{REALM}, error="insufficient_scope", scope="{permission}"'
