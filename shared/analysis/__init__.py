"""Analysis: the node's figures in the forms that analysts' own tools open, read-only SQL and Parquet (专业分析工具).

Vocabulary
----------
The *star* is the schema ``analysis`` of the node's database: views of facts, and of what their columns mean. The
*reference* is what the views of dimensions show of the program: datasets, dimensions with their members, indicators; it
is loaded into small tables when the node starts, and its *edition* says whether that is still to be done. The
*analyst* is the one role of the database that sees the star, and nothing else (:mod:`~shared.analysis.analyst`).

The *lake* is a directory of Parquet files (:mod:`~shared.analysis.lake`). A *partition* is one dataset in one period: a
file of facts, with a column for each dimension and measure, and a file of the slices that they are from. Both hold
current revisions alone. Its *state* is a digest of these revisions.

One gate
--------
Every value that leaves by SQL or by a file passes through the view ``analysis_fact``. What may not be told is empty
there, and so everywhere; a measure without any row of it is zero, and where that may not be told, ``analysis_unsaid``
has an empty one. What that is, :mod:`~shared.analysis.withholding` decides.

Life of the lake
----------------
After the night's roll-up, or when an operator says so, the *export* (:mod:`~shared.analysis.exporting`) compares the
state of each partition with the dataset's *manifest* and writes anew what differs. A file is written beside its place
and moved there when it is whole, under a name that never changes, so that whoever lists the directory finds each
partition once, as it was or as it is. Files of periods without slices are removed, and the manifest says what is there.

Failure
-------
An export that was ended anywhere is completed by the next: what it moved and did not note in the manifest is written
again, and unfinished files are removed. Two exports of one node at once are refused. A lake that somebody deleted is
made anew. Nothing is lost with it: the truth stays in the database.

Who may write: :mod:`~shared.analysis.reference` and :mod:`~shared.analysis.withholding` their tables,
:mod:`~shared.analysis.exporting` the lake.
"""

from shared.analysis import star as star  # its views are part of the tables
from shared.analysis.access import ACTIONS, READ
from shared.analysis.commands import app
from shared.analysis.endpoints import router
from shared.analysis.jobs import EXPORT_LAKE, WITHHOLD
from shared.analysis.reference import ensure_reference
from shared.capability import Capability, Permission, Role
from shared.kernel.language import Text

capability = Capability(
    name="analysis",
    summary=Text(
        "Figures for analysts' own tools: SQL and Parquet", "专业分析工具：SQL 与 Parquet"
    ),
    routers=(router,),
    jobs=(EXPORT_LAKE, WITHHOLD),
    actions=ACTIONS,
    permissions=(
        Permission(
            READ,
            Text("See what the node's lake holds", "查看本节点数据湖的内容"),
            frozenset(
                {
                    Role.SUPERVISOR,
                    Role.PROVINCE_COORDINATOR,
                    Role.HQ_ANALYST,
                    Role.OPERATOR,
                    Role.INTEGRATION,
                }
            ),
        ),
    ),
    commands=(("analysis", app),),
    on_start=(ensure_reference,),
)
