"""What stands against going on from a cursor."""

from shared.kernel.language import Text
from shared.kernel.problems import Problem


class EventsForgotten(Problem):
    """Events after the cursor are no longer kept: going on would leave a gap."""

    status = 410
    title = Text("Events forgotten", "事件已清除")
    sentence = Text(
        "Events between your cursor and {oldest} are no longer kept. Bring your state up to date from the API, then go on "
        "with `after={oldest}`.",
        "游标至 {oldest} 之间的事件已清除。请先通过接口同步状态，再以 after={oldest} 继续。",
    )


class EventsUnknown(Problem):
    """The cursor is ahead of this node: it is another node's, or the database was restored from a backup."""

    status = 410
    title = Text("Events unknown", "事件未知")
    sentence = Text(
        "Your cursor is ahead of this node's last event {latest}: it is another node's, or this one's database was restored "
        "from a backup. Bring your state up to date from the API, then go on with `after={latest}`.",
        "游标超前于本节点最后事件 {latest}：它属于其他节点，或本节点数据库曾由备份恢复。请先通过接口同步状态，再以 after={latest} 继续。",
    )
