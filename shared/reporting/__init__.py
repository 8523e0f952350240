"""Reporting: which figures cities owe the nation, whether they came, and when they are final.

Vocabulary
----------
A slice is *expected* of each city that belonged to the federation at the end of a period, for each dataset that is
kept for that kind of period. It is *received* when the city's last word on the period is here: a slice that was
counted after the period's end, or the *confirmation* that one which was counted before still holds. It is *due* so many
hours after the end as HQ's policy ``reporting`` says, and *on time* or *late*; before that it is *awaited*, after it
*missing*. The *board* tells all of it for a period.

A month is *closed* by two persons of HQ, and its days with it: it is made of the revisions that are in force at HQ in
that moment. What a city says of it after that is a *restatement*: it is kept and *pending*, and the figures stay as
they are, until its province or HQ *approves* it. A *rejected* one is kept too, and the city sees why. A month that is
*reopened* is open: the newest revisions count again.

How nodes come to agree
-----------------------
What HQ and provinces say about a city's month are signed *statements* (:mod:`~shared.reporting.statement`). Which
revisions are in force is a pure function of the statements and revisions that a node holds: so it does not matter in
which order a close, a slice, an approval and a reopening arrive, and the city, its province and HQ come to the same.

Each night neighbours *compare* what they hold (:mod:`~shared.reporting.comparing`); what one lacks, or has damaged,
is sent *again*. A *difference* is kept until it is repaired.

Failure
-------
Every message may come twice, late, or before what it is about. What was lost in a restore, or said before a city
joined, comes with the comparison. An alarm is raised once for each slice that is overdue, and once when it came: as
a log line, an event and a metric. Two different decisions on one restatement are possible while a link is down: HQ's
counts.

Who may write: this package alone writes its tables; the limits that follow are written by
:mod:`shared.statistics.standing`, which puts revisions into force.
"""

from shared.capability import Capability
from shared.kernel.language import Text
from shared.reporting.access import actions, conflicts, permissions
from shared.reporting.commands import app
from shared.reporting.endpoints import router
from shared.reporting.events import EVENTS
from shared.reporting.jobs import COMPARE, WATCH
from shared.reporting.messages import handlers
from shared.reporting.policy import REPORTING

capability = Capability(
    name="reporting",
    summary=Text(
        "Statistics: what is expected, what came, and when a month is final",
        "统计报送：应报、已报与结账",
    ),
    routers=(router,),
    messages=handlers,
    jobs=(WATCH, COMPARE),
    permissions=permissions,
    actions=actions,
    events=EVENTS,
    policies=(REPORTING,),
    conflicts=conflicts,
    commands=(("stats", app),),
)
