"""Why a sign-in or a change of staff is refused."""

from typing import ClassVar

from shared.capability import Role
from shared.kernel.language import Text
from shared.kernel.problems import Fault, Problem


class SignInRefused(Problem):
    """The token endpoint refuses; ``error`` is its code of RFC 6749, 5.2."""

    error: ClassVar[str] = "invalid_request"


class TokenRequestInvalid(SignInRefused):
    """A request to the token endpoint lacks something."""

    title = Text("Token request invalid", "令牌请求无效")
    sentence = Text(
        "The token request lacks {missing}: send it form-encoded, with a grant_type of password, client_credentials or refresh_token.",
        "令牌请求缺少 {missing}：请以表单编码发送，grant_type 为 password、client_credentials 或 refresh_token。",
    )

    def __init__(self, missing: str) -> None:
        super().__init__(faults=[Fault(f"/{missing}", "missing")], missing=missing)


class GrantTypeUnsupported(SignInRefused):
    """The token endpoint knows no such grant."""

    error = "unsupported_grant_type"
    title = Text("Grant type unsupported", "授权类型不受支持")
    sentence = Text(
        "There is no grant_type '{given}': use password, client_credentials or refresh_token.",
        "没有 grant_type“{given}”：请用 password、client_credentials 或 refresh_token。",
    )


class PasswordWrong(SignInRefused):
    """Username and password do not belong to a person who may sign in."""

    error = "invalid_grant"
    title = Text("Password wrong", "密码错误")
    sentence = Text(
        "The username or the password is wrong, or the account is disabled: try again, or ask an operator.",
        "用户名或密码错误，或账号已停用：请重试，或联系运维员。",
    )


class ClientWrong(SignInRefused):
    """Client id and secret do not belong to a service account that may sign in."""

    status = 401
    error = "invalid_client"
    title = Text("Client wrong", "客户端凭据错误")
    sentence = Text(
        "The client_id or the client_secret is wrong, or it is no active service account: check both, or ask an operator.",
        "client_id 或 client_secret 错误，或不是在用的服务账号：请核对，或联系运维员。",
    )

    def __init__(self) -> None:
        super().__init__(headers={"WWW-Authenticate": 'Basic realm="guanxi"'})


class RefreshTokenInvalid(SignInRefused):
    """The refresh token is unknown, or its session is over."""

    error = "invalid_grant"
    title = Text("Refresh token invalid", "刷新令牌无效")
    sentence = Text(
        "The refresh token is not valid, or its session is over: sign in again.",
        "刷新令牌无效，或会话已结束：请重新登录。",
    )


class RefreshTokenReused(SignInRefused):
    """A refresh token was used a second time: somebody has a copy, so its session was ended (RFC 9700, 4.14.2)."""

    error = "invalid_grant"
    title = Text("Refresh token reused", "刷新令牌重复使用")
    sentence = Text(
        "The refresh token was used before, so somebody else may have it: the session was ended. Sign in again.",
        "刷新令牌已被使用过，可能已泄露：会话已终止，请重新登录。",
    )


class ScopeInvalid(SignInRefused):
    """More was asked for than the role holds."""

    error = "invalid_scope"
    title = Text("Scope invalid", "权限范围无效")
    sentence = Text(
        "scope asks for {excess}, which role {role} does not hold: leave it out, or ask for some of: {held}.",
        "scope 申请了 {excess}，角色 {role} 没有该权限：请去掉，或从以下权限中选取：{held}。",
    )


class PresentPasswordWrong(Problem):
    """Changing one's own password needs the present one."""

    status = 422
    title = Text("Present password wrong", "原密码错误")
    sentence = Text(
        "The present password is wrong: type it again, or ask an operator for a new one.",
        "原密码错误：请重新输入，或请运维员重设密码。",
    )


class StaffMemberNotFound(Problem):
    """There is no such member of staff in the caller's scope."""

    status = 404
    title = Text("Staff member not found", "人员不存在")
    sentence = Text(
        "There is no member of staff {id} in your scope; `GET /staff` lists those there are.",
        "您的范围内没有人员 {id}；GET /staff 列出现有人员。",
    )


class UsernameTaken(Problem):
    """There is an account of that name, whatever its case."""

    status = 409
    title = Text("Username taken", "用户名已被占用")
    sentence = Text(
        "There is an account {username} already: choose another username, or change that account.",
        "账号 {username} 已存在：请换用其他用户名，或修改该账号。",
    )


class UsernameInvalid(Problem):
    """A username has another form."""

    status = 422
    title = Text("Username invalid", "用户名无效")
    sentence = Text(
        "A username has 2 to 64 of a-z, 0-9 and . _ - and begins with a letter or digit; '{username}' is none. The display name may be anything.",
        "用户名由 2 至 64 个 a-z、0-9 或 . _ - 组成，以字母或数字开头；“{username}”不符。显示名称不受此限。",
    )


class RoleNotOfThisTier(Problem):
    """The role belongs to nodes of another tier."""

    status = 422
    title = Text("Role not of this tier", "角色与层级不符")
    sentence = Text(
        "Role {role} has no place in a {tier} node, whose roles are: {roles}.",
        "角色 {role} 不属于本层级（{tier}）节点；可用角色：{roles}。",
    )


class UnitUnusable(Problem):
    """Staff cannot belong to the unit that was named."""

    status = 422
    title = Text("Unit unusable", "机构不可用")
    sentence = Text(
        "Nobody can be put into unit {code}: it must be this node's division or an active team or hall below it, within your scope.",
        "不能将人员归入机构 {code}：须为本节点的行政区划或其下在用的班组、营业厅，且在您的范围内。",
    )


class StaffBeyondAuthority(Problem):
    """The caller may not manage accounts of that role, kind or place."""

    status = 403
    title = Text("Beyond your authority", "超出管理权限")
    sentence = Text(
        "As {own} you do not manage a {kind} of role {role} there: an operator manages all, a supervisor the clerks and "
        "account managers of the own unit and all persons up to supervisors in units below.",
        "您的角色 {own} 不能管理该处角色为 {role} 的账号（{kind}）：运维员可管理全部；主管可管理本机构的营业员、客户经理，"
        "以及下级机构中主管及以下的人员。",
    )


class OwnAccount(Problem):
    """Nobody changes their own role or unit, disables themselves, or skips their present password."""

    status = 409
    title = Text("Own account", "本人账号")
    sentence = Text(
        "Your own role, unit and state are changed by another operator, or by `guanxi user` on the node's machine; "
        "your own password at `POST /staff/me/password`.",
        "本人的角色、机构和状态须由另一位运维员更改，或在节点机器上使用 guanxi user 命令；本人密码请经 POST /staff/me/password 修改。",
    )


class PersonDutiesConflict(Problem):
    """The same person has an account whose duties are to be kept apart from those of this role."""

    status = 409
    title = Text("Duties are kept apart", "职责须分离")
    sentence = Text(
        "{name} has an account of role {other}, whose duties are kept apart from those of a {role}: disable that account "
        "first, or, if this is another person, tell them apart by their display names.",
        "{name} 已有角色为 {other} 的账号，其职责须与 {role} 分离：请先停用该账号；如系另一人，请以不同的显示名称区分。",
    )

    def __init__(self, name: str, role: Role, other: Role) -> None:
        super().__init__(
            faults=[Fault("/role", "kept apart from another role of that person")],
            name=name,
            role=role.value,
            other=other.value,
        )
