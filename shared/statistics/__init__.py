"""Statistics: what cities counted, kept whole and asked about at any tier.

Vocabulary
----------
An *indicator* is a figure that can be asked for; the *catalogue* (:mod:`~shared.statistics.indicators`) lists them. A
*measure* is an indicator that cities count; a *ratio* is divided from measures when it is asked for; HQ *defines*
further ones (:mod:`~shared.statistics.definition`) that are derived in the same way. A *dataset* is a
group of measures that are counted together by the same *dimensions*; a *cell* is one combination of their values. A
*slice* is what one city says about one dataset and *period*: all its cells, whole, with row count, *control totals* and
hash. Its *revisions* follow one another; a *restatement* is any after the first.

Life of a slice
---------------
1. The city counts it set-wise from its live tables (``services.city_node.rollup``) and compares its hash with that of
   the current revision. The same: nothing happens. Another: it becomes the next revision, with a reason, and is posted
   to HQ, in one transaction.
2. The province that passes it on, and HQ, *verify* it (it is the sender's own; row count, control totals and hash
   follow from its cells) and keep it, unchanged and signed end to end by the city. The newest revision replaces the one
   before in one transaction; the older stays, so that a question can be answered *as known at* a moment.
3. Slices of a province's cities, and of the nation's, are put together beside them in *aggregates*
   (:mod:`~shared.statistics.aggregate`); of slices and aggregates alike there are *margins*: totals, and totals by one
   dimension.
4. A question is answered from the current slices of the cities in its region, or from aggregates that stand for
   exactly these (:mod:`~shared.statistics.parts`), by one SQL statement, with its *provenance*: which cities and
   revisions it is made of, and which are missing. A slice without cells says that all is zero; a city without a slice
   is missing, and is never counted as zero.
5. Days older than the setting are dropped by whole months, and so are the facts of revisions that were superseded long
   ago (:mod:`~shared.statistics.retention`); the register of slices stays.

Failure
-------
A slice that comes twice is kept once. One that is late, older than the current revision, becomes history. One that says
other things under a revision that is known is refused, so parked, and logged as an alarm: the figures stay as they
are. A slice of measures that this node's catalogue does not know yet is kept all the same.

Who may write: :mod:`~shared.statistics.repository` alone writes these tables.
"""

from shared.capability import Capability, Permission, Role
from shared.kernel.language import Text
from shared.statistics import commands, endpoints, jobs, messages
from shared.statistics.definition import INDICATOR
from shared.statistics.privacy import DISCLOSURE

capability = Capability(
    name="statistics",
    summary=Text("Statistics of this node and all below it", "本节点及下级的统计"),
    routers=(endpoints.values_router, endpoints.router),
    messages=(messages.slice_handler,),
    permissions=(
        Permission(
            "statistics:read",
            Text("See the statistics of one's own region", "查看本地区统计"),
            frozenset(
                {
                    Role.ACCOUNT_MANAGER,
                    Role.SUPERVISOR,
                    Role.PROVINCE_COORDINATOR,
                    Role.HQ_ANALYST,
                    Role.OPERATOR,
                    Role.INTEGRATION,
                }
            ),
        ),
    ),
    jobs=(jobs.aggregation, jobs.retention),
    policies=(INDICATOR, DISCLOSURE),
    commands=(("stats", commands.app),),
)
