"""Why something about an export is refused, or why one failed."""

from shared.kernel.language import Text
from shared.kernel.problems import Problem


class ExportNotFound(Problem):
    """There is no such export of the caller's."""

    status = 404
    title = Text("Export not found", "导出不存在")
    sentence = Text("There is no export {export} of yours.", "没有您发起的导出 {export}。")


class ExportNotReady(Problem):
    """The file of an export was asked for that has none."""

    status = 409
    title = Text("Export not ready", "导出尚未完成")
    sentence = Text(
        "The export has no file: its work is {state}. `GET /works/{export}` tells more.",
        "导出尚无文件：任务状态为 {state}，详见 GET /works/{export}。",
    )


class ExportGone(Problem):
    """The file of an export has been deleted."""

    status = 410
    title = Text("Export deleted", "导出文件已删除")
    sentence = Text(
        "The file was kept until {until} and is deleted: export again.",
        "文件保留至 {until}，现已删除，请重新导出。",
    )


class ExportMasked(Problem):
    """The file of an export shows more than the caller may see now."""

    status = 403
    title = Text("Export shows too much", "导出内容超出权限")
    sentence = Text(
        "The file has contact media in clear, which you may no longer see: export again.",
        "该文件含联系方式明文，您已无权查看，请重新导出。",
    )


class RequesterLeft(Problem):
    """Whoever asked for an export may not export any more."""

    status = 403
    title = Text("Requester may not export", "申请人已无导出权限")
    sentence = Text(
        "{requester}, who asked for the export, is no longer active or may no longer export.",
        "申请人 {requester} 已停用或不再具有导出权限。",
    )


class TooManyExports(Problem):
    """Somebody has too many exports under way."""

    status = 429
    title = Text("Too many exports", "导出任务过多")
    sentence = Text(
        "You have {open} exports under way: wait for one to end, or cancel one.",
        "您已有 {open} 个导出任务未完成，请等待或取消后再试。",
    )
