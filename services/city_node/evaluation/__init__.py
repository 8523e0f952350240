"""Evaluating customers by rules: facts, policy, results with their history, dry runs, explanations.

Vocabulary
----------
A *rule* (规则), of levels or of credit, is declared by its own package
(:class:`~services.city_node.evaluation.rule.Rule`): which *facts* it goes by, how a *policy* document becomes SQL over
them, and the same read plainly. A *result* (评定结果) is what a rule found about a customer: its *outcome*, the policy
and the facts that were *used*, and since when it has held. An *evaluation* (评定) looks at a whole city, at those whose
facts changed, or at some customers at once. A *dry run* (试算, in the code a *trial*) tells what a draft of a policy
would give.

One statement
-------------
All of them are one statement (:mod:`~services.city_node.evaluation.statement`): the relation of facts
(:mod:`~services.city_node.evaluation.facts`), the steps of the policy, the results that hold, and the rows where the
two differ. An evaluation writes those rows, a dry run keeps them aside, an explanation shows one. So a dry run and the
evaluation after the draft's publication change the same customers in the same way, if no facts change between them.
Results that are as they were are not written: a result holds from ``since`` until another takes its place.

Who is due
----------
Facts turn with the month (:class:`~services.city_node.evaluation.facts.Window`), so the whole city is evaluated in the
first night of a month, and when another policy is in force. Between, triggers *mark* customers whose bills, profile,
lines or membership change, in the transaction of the change, whoever writes
(:mod:`~services.city_node.evaluation.marking`); the evaluation of the night looks at those alone.

Failure
-------
A whole evaluation is one transaction, one of the changed customers a transaction for each portion: interrupted, it
leaves whole results, and those who were not looked at are due still. Evaluations by one rule take turns, under an
advisory lock. Marks are taken away before facts are read: a change that is committed meanwhile marks anew.
"""

from services.city_node.evaluation import marking as marking  # its triggers are part of the tables
from services.city_node.evaluation.access import actions, permissions
from services.city_node.evaluation.events import EVENTS
from services.city_node.evaluation.jobs import FORGET
from shared.capability import Capability
from shared.kernel.language import Text

capability = Capability(
    name="evaluation",
    summary=Text("Evaluation of customers by rules", "按规则评定客户"),
    jobs=(FORGET,),
    permissions=permissions,
    events=EVENTS,
    actions=actions,
)
