"""Reports: questions about figures that are kept, asked again by the clock, and delivered as files (报表).

Vocabulary
----------
A *report* is a named question of an organisation unit with a *format* and a *schedule*: ``manual``, ``nightly`` or
``monthly``. Its *owner* is who made it. A *run* asks the question once; it is a piece of long work
(:mod:`shared.work`) of the same id, and in the end a file in the node's report directory, with the provenance of its
figures in a file beside it.

A question that is kept names periods that move with the calendar, such as ``last_month``; its region is fixed when it
is kept, so that a report goes on being about the same place.

When
----
By night, at the setting ``report_time``, after the roll-ups: a nightly report every night, a monthly one on the fourth
day of the month, when cities have counted the past month for the last time by themselves. What was missed while the
node was down is run once. Whoever may write a report runs it at any time; while a run is under way there is no second.

Who sees what
-------------
A report belongs to the data scope of its unit: it is about the unit's division or less, so whoever sees the unit may
see its files. A run asks as the owner: when it begins it is looked up again whether the owner is active, may still
read figures and keep reports, and covers the region. If not, the run fails and says so.

Failure
-------
A file is written beside its place and moved there when it is whole; an interrupted run leaves nothing that counts and
is made anew. A run that fails keeps the reason, in both languages. Files and runs are deleted after
``report_retention_days``, and so is whatever no run claims.

Who may write: :mod:`~shared.statistics_report.repository` alone writes these tables.
"""

from shared.capability import Capability, WorkKind
from shared.kernel.language import Text
from shared.statistics_report import commands, endpoints
from shared.statistics_report.access import permissions
from shared.statistics_report.audited import ACTIONS
from shared.statistics_report.delivery import make_report
from shared.statistics_report.jobs import JOBS
from shared.statistics_report.service import KIND

capability = Capability(
    name="statistics-report",
    summary=Text(
        "Saved reports of figures, scheduled and delivered as files", "统计报表的保存、定时与交付"
    ),
    routers=(endpoints.router,),
    jobs=JOBS,
    works=(WorkKind(KIND, Text("Make the file of a report", "生成报表文件"), make_report),),
    permissions=permissions,
    actions=tuple(ACTIONS.values()),
    commands=(("stats", commands.app),),
)
