"""Levels of customers (客户级别): diamond, gold, silver, standard, by rule, by appointment and by group.

Vocabulary
----------
What a customer *holds* is ``customer.level``, of which everything else goes by. The rule *finds*
(:mod:`~services.city_node.level.rule`) what a customer is *entitled* to, the highest of spend, appointment and group,
and what the customer *is to hold*: the same, or what is held if that is higher and in *grace* (宽限期).
An *appointment* (特批) is a level that one person grants until a day, with a reason, and a second person approves. A
*review* (级别评审) is the list of customers of a unit who are to hold another level than they do. A *migration*
(级别迁移) is one move from a level to another.

Who sets what a customer holds
------------------------------
The rule never does so by itself. Its results become a review's list; some may be left out, with a reason; a second
person approves the rest, which is applied in portions, as changes of the customers, with history and audit.
Staff may still change a level in the profile: it is a sensitive field, so a second person approves that, too. Such a
change corrects what is held and is no entitlement: if it is higher than what the rule finds, it is kept for the grace
and is on the list of a review after it. Who is to hold a level for longer is given an appointment. Imports set what is
held likewise.

Life cycle of an appointment: *proposed*, then *approved*, *rejected* or *withdrawn*; an approved one holds from
``since`` up to ``until``, or until it is *ended* before. Of a review: *draft*, then *discarded*, or *approved* and
*applied*. A unit has one review that is open.

Statistics
----------
Every move is kept in ``level_migration``, by a trigger on the customers' history, whoever made it.
"""

from services.city_node.evaluation.commands import command_of
from services.city_node.evaluation.endpoints import router_of
from services.city_node.evaluation.jobs import nightly, works
from services.city_node.evaluation.part import part_of
from services.city_node.level.access import actions, conflicts, permissions
from services.city_node.level.commands import app
from services.city_node.level.endpoints import router
from services.city_node.level.events import EVENTS
from services.city_node.level.review import KIND, apply
from services.city_node.level.rule import RULE
from shared.capability import Capability, WorkKind
from shared.kernel.language import Text

capability = Capability(
    name="level",
    summary=Text("Levels of customers", "客户级别"),
    routers=(router_of(RULE), router),
    jobs=(nightly(RULE, "04:10"),),
    works=(
        *works(RULE),
        WorkKind(KIND, Text("Apply a review of levels", "执行级别评审结果"), apply),
    ),
    permissions=permissions,
    events=EVENTS,
    actions=actions,
    conflicts=conflicts,
    commands=(("evaluate", command_of(RULE)), ("level", app)),
    offers=(part_of(RULE, "level_result"),),
)
