"""Why something about a report is refused, or why a run failed."""

from shared.kernel.language import Text
from shared.kernel.problems import Fault, Problem


class ReportNotFound(Problem):
    """There is no such report, or none that the caller's unit may see."""

    status = 404
    title = Text("Report not found", "报表不存在")
    sentence = Text(
        "There is no report {report} within your unit's scope.",
        "在您所属单位的数据范围内没有报表 {report}。",
    )


class ReportNameTaken(Problem):
    """Another report of the unit has the name."""

    status = 409
    title = Text("Report name taken", "报表名称已被使用")
    sentence = Text(
        "Unit {unit} has a report '{name}' already: choose another name.",
        "单位 {unit} 已有名为“{name}”的报表，请另取名称。",
    )

    def __init__(self, unit: str, name: str) -> None:
        super().__init__(faults=[Fault("/name", "taken", "已被使用")], unit=unit, name=name)


class ReportOwnerUnfit(Problem):
    """The owner of a report may not keep reports any more."""

    status = 403
    title = Text("Owner may not report", "所有人已无报表权限")
    sentence = Text(
        "{owner}, whose report it is, is no longer active or may no longer keep reports: make the report anew.",
        "报表所有人 {owner} 已停用或不再具有报表权限，请重新新建该报表。",
    )


class ReportRunNotFound(Problem):
    """The report has no such run."""

    status = 404
    title = Text("Run not found", "运行记录不存在")
    sentence = Text("The report has no run {run}.", "该报表没有运行记录 {run}。")


class ReportUnderWay(Problem):
    """A report was to be run that is being run."""

    status = 409
    title = Text("Report under way", "报表正在生成")
    sentence = Text(
        "The report is being made already, as run {run}: wait for it to end, or cancel its work.",
        "该报表正在生成（运行 {run}），请等待其结束或取消该任务。",
    )


class ReportNotReady(Problem):
    """The file of a run was asked for that has none."""

    status = 409
    title = Text("Report not ready", "报表尚未生成")
    sentence = Text(
        "Run {run} has no file: it is {state}.", "运行 {run} 尚无文件：状态为 {state}。"
    )


class ReportFileGone(Problem):
    """The file of a run is not there any more."""

    status = 410
    title = Text("Report file gone", "报表文件已不存在")
    sentence = Text(
        "The file of run {run} is no longer in the report directory: run the report again.",
        "运行 {run} 的文件已不在报表目录中，请重新运行。",
    )
