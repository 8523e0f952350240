"""The roll-up: what a city alone does for the statistics. It counts.

Each dataset of the catalogue is one SQL statement (:mod:`~services.city_node.rollup.repository`), made of the rows and
formulas that the catalogue declares, that groups the live tables into cells, as of one consistent snapshot while
business goes on. Distinct people and distributions become sketches (:mod:`~services.city_node.rollup.sketching`) as of
the same snapshot. All datasets of a period are counted in one transaction, which also keeps the slices and posts those
that are new to HQ: what was counted is what was sent.

When: by night what is *due* (:mod:`~services.city_node.rollup.due`): the present month; the days that have ended; a
period that has ended since it was counted; and any past period of which rows came, changed or went since, as triggers
*mark* (:mod:`~services.city_node.rollup.marking`). And whenever somebody asks. Counting again what has not changed
makes nothing new; what has changed becomes the next revision, a *restatement* with a reason.

Failure: an interrupted roll-up leaves nothing behind, and the next one counts everything anew. Two at once take turns.
A city cut off goes on counting: its slices wait in the outbox. One that was restored from an old backup is given back
what it had told since, so that its next revision follows upon that and contradicts nothing.

A customer's level is the one at the period's end, also for a month that is past; contract, sex, kind and charge are
those at the time of counting. Their correction alone restates no past period.
"""

from services.city_node.rollup import commands, endpoints, jobs
from services.city_node.rollup import marking as marking  # its triggers are part of the tables
from services.city_node.rollup import models as models  # so are these
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
