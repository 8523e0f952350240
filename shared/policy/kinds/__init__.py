"""The kinds of policy that ship with the program, a module each, made beside the rule that goes by it.

The kind of indicators that HQ derives is beside these: :mod:`shared.statistics.definition`.

They are shared because HQ and provinces publish, check and answer for documents that cities evaluate.
"""

from typing import Any

from shared.capability import PolicyKind
from shared.policy.kinds.credit import CREDIT
from shared.policy.kinds.level import LEVEL
from shared.policy.kinds.offer import OFFER
from shared.policy.kinds.points import POINTS
from shared.policy.kinds.prospect import PROSPECT
from shared.policy.kinds.repair import REPAIR

KINDS: tuple[PolicyKind[Any], ...] = (LEVEL, CREDIT, POINTS, OFFER, PROSPECT, REPAIR)
"""The kinds of rules that ship with the program, in the order in which they are listed."""
