"""The roll-up: what a city alone does for the statistics. It counts.

Each dataset of the catalogue has one SQL statement (:mod:`~services.city_node.rollup.repository`) that groups the
live tables into cells, as of one consistent snapshot while business goes on. All datasets of a period are counted in
one transaction, which also keeps the slices and posts those that are new to HQ: what was counted is what was sent.

When: by night the present month, and on the first three days of a month the month before once more, for what came late;
and whenever somebody asks. Counting again what has not changed makes nothing new; what has changed becomes the next
revision, a *restatement* with a reason.

Failure: an interrupted roll-up leaves nothing behind, and the next one counts everything anew. Two at once take turns.
A city cut off goes on counting: its slices wait in the outbox. One that was restored from an old backup is given back
what it had told since, so that its next revision follows upon that and contradicts nothing.

A customer's level, contract and charge are those at the time of counting, also for a month that is past.
"""

from services.city_node.rollup import commands, endpoints, jobs
from shared.capability import Capability, Permission, Role
from shared.kernel.language import Text

capability = Capability(
    name="rollup",
    summary=Text("Counting this city's figures", "本地市统计汇总"),
    routers=(endpoints.router,),
    jobs=(jobs.nightly,),
    permissions=(
        Permission(
            "statistics:rollup",
            Text("Count the figures of a period anew", "重新汇总某期间的统计"),
            frozenset({Role.SUPERVISOR, Role.OPERATOR, Role.INTEGRATION}),
        ),
    ),
    commands=(("rollup", commands.app),),
)
