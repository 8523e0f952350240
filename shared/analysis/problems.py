"""Why something for analysts' tools is refused."""

from shared.kernel.language import Text
from shared.kernel.problems import Problem


class LakeNotExported(Problem):
    """There is no lake yet."""

    status = 404
    title = Text("Lake not exported", "数据湖尚未导出")
    sentence = Text(
        "This node has not exported its lake yet: it does by night, or by `guanxi analysis export-lake`.",
        "本节点尚未导出数据湖：每夜自动导出，也可执行 `guanxi analysis export-lake`。",
    )


class LakeDatasetUnknown(Problem):
    """The lake has no such dataset."""

    status = 404
    title = Text("Dataset not in the lake", "数据湖无此数据集")
    sentence = Text(
        "The lake holds no dataset {dataset}; GET /analysis/lake lists those that it holds.",
        "数据湖中没有数据集 {dataset}；可用 GET /analysis/lake 查看现有数据集。",
    )


class LakeForeign(Problem):
    """The lake's directory holds something else."""

    status = 409
    title = Text("Directory is not this node's lake", "目录不是本节点的数据湖")
    sentence = Text(
        "{path} is not the lake of node {node}: it belongs to another node or holds other files. Nothing was written; "
        "name an empty directory in the setting `lake_path`.",
        "{path} 不是节点 {node} 的数据湖：该目录属于其他节点或含有其他文件。未写入任何内容，请在设置 lake_path 中指定空目录。",
    )


class LakeBusy(Problem):
    """Another export is under way."""

    status = 409
    title = Text("Lake is being exported", "数据湖正在导出")
    sentence = Text(
        "Another export of node {node}'s lake is under way; it will write what has changed.",
        "节点 {node} 的数据湖正在导出，变化部分将由该次导出写入。",
    )


class AnalystNotMade(Problem):
    """The node's owner may not make the role."""

    status = 403
    title = Text("Analysts' role cannot be made", "无法创建分析人员角色")
    sentence = Text(
        "The owner of the tables may not make roles. Let an administrator of the server run `CREATE ROLE {role} LOGIN "
        "PASSWORD '...' CONNECTION LIMIT {connections}`, and grant again.",
        "表的所有者无权创建角色。请由数据库管理员执行 `CREATE ROLE {role} LOGIN PASSWORD '...' "
        "CONNECTION LIMIT {connections}` 后重新开通。",
    )


class AnalystSeesMore(Problem):
    """The role would see what is not for analysts."""

    status = 409
    title = Text("Analysts would see more", "分析人员可见范围过大")
    sentence = Text(
        "The role {role} could read or change {tables} besides the views of `analysis`, by a right that somebody gave to it, "
        "to PUBLIC or to a role that it belongs to. Take that right back; until then nothing is granted.",
        "角色 {role} 除 analysis 视图外还可读写 {tables}，权限来自对该角色、PUBLIC 或其所属角色的授权。请先收回，收回前不予开通。",
    )


class AnalystPasswordUnfit(Problem):
    """A password that is not as safe as it has to be."""

    status = 422
    title = Text("Password unfit", "密码不合格")
    sentence = Text(
        "The password of analysts has to have {least} or more signs, printable ASCII alone.",
        "分析人员的密码至少 {least} 位，且只能使用可见 ASCII 字符。",
    )
