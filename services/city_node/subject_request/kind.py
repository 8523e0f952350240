"""What may happen to a person's request: states, moves and refusals, declared together and checked when declared."""

from collections.abc import Iterator
from dataclasses import dataclass

from services.city_node.subject_request.models import SubjectRequestKind
from shared.capability import Action
from shared.kernel.language import Text

START = "start"
"""Where a request begins: before its first move there is none."""
EVERY_KIND = frozenset(SubjectRequestKind)
_ACCESS = frozenset({SubjectRequestKind.ACCESS})
_RECTIFICATION = frozenset({SubjectRequestKind.RECTIFICATION})
_ERASURE = frozenset({SubjectRequestKind.ERASURE})


class LifecycleMisdeclared(Exception):
    """The declaration contradicts itself: a mistake of the programmer's, found at import."""


@dataclass(frozen=True, slots=True)
class State:
    """One state of a request."""

    code: str
    name: Text
    final: bool = False


@dataclass(frozen=True, slots=True)
class Move:
    """One allowed transition, for the kinds of request that have it."""

    event: str
    origin: tuple[str, ...]
    target: str
    kinds: frozenset[SubjectRequestKind] = EVERY_KIND


@dataclass(frozen=True)
class Lifecycle:
    """The states and moves of requests; whatever is not here is refused."""

    states: tuple[State, ...]
    moves: tuple[Move, ...]

    def __post_init__(self) -> None:
        """Refuse a declaration that contradicts itself."""
        for complaint in self._complaints():
            raise LifecycleMisdeclared(f"The life of requests {complaint}.")

    def _complaints(self) -> Iterator[str]:
        known = [state.code for state in self.states]
        final = {state.code for state in self.states if state.final}
        if len(known) != len(set(known)) or START in known:
            yield f"declares a state twice, or one named {START!r}"
        for move in self.moves:
            if {*move.origin, move.target} - {*known, START} or move.target == START:
                yield f"moves by {move.event!r} between what are not both states of it"
            if final & set(move.origin):
                yield f"leaves a final state by {move.event!r}"
        for kind in SubjectRequestKind:
            moves = [move for move in self.moves if kind in move.kinds]
            seen = [(origin, move.event) for move in moves for origin in move.origin]
            if len(seen) != len(set(seen)):
                yield f"declares a move of {kind} twice"
            reached = {move.target for move in moves}
            left = {origin for move in moves for origin in move.origin}
            if stuck := reached - final - left:
                yield f"cannot leave {sorted(stuck)} for {kind}"
        if unreached := set(known) - {move.target for move in self.moves}:
            yield f"never reaches {sorted(unreached)}"

    def target(self, kind: SubjectRequestKind, origin: str, event: str) -> State | None:
        """Return where ``event`` leads a request that is in ``origin``; ``None`` if nowhere."""
        for move in self.moves:
            if move.event == event and origin in move.origin and kind in move.kinds:
                return next(state for state in self.states if state.code == move.target)
        return None

    def possible(self, kind: SubjectRequestKind, origin: str) -> tuple[str, ...]:
        """Return what may happen to a request that is in ``origin``."""
        return tuple(m.event for m in self.moves if origin in m.origin and kind in m.kinds)


LIFECYCLE = Lifecycle(
    states=(
        State("received", Text("Received", "已受理")),
        State("verified", Text("Identity checked", "身份已核验")),
        State("proposed", Text("Awaiting the second person", "待复核")),
        State("fulfilled", Text("Fulfilled", "已办结"), final=True),
        State("refused", Text("Refused", "已拒绝"), final=True),
        State("withdrawn", Text("Withdrawn", "已撤回"), final=True),
    ),
    moves=(
        Move("receive", (START,), "received"),
        Move("verify", ("received",), "verified"),
        Move("fulfil", ("verified",), "fulfilled", _ACCESS | _RECTIFICATION),
        Move("export", ("verified",), "verified", _ACCESS),
        Move("propose", ("verified",), "proposed", _ERASURE),
        Move("approve", ("proposed",), "fulfilled", _ERASURE),
        Move("send-back", ("proposed",), "verified", _ERASURE),
        Move("refuse", ("received", "verified", "proposed"), "refused"),
        Move("withdraw", ("received", "verified", "proposed"), "withdrawn"),
    ),
)

ACTIONS = {
    event: Action(f"subject-request.{done}", Text(en, zh))
    for event, done, en, zh in (
        ("receive", "received", "A person's request was taken", "受理个人信息请求"),
        ("verify", "verified", "A person's identity was checked", "核验请求人身份"),
        ("fulfil", "fulfilled", "A person's request was closed as fulfilled", "办结个人信息请求"),
        ("export", "exported", "Everything about a person was given out", "导出个人全部信息"),
        ("propose", "proposed", "To erase a person was proposed", "申请删除个人信息"),
        ("approve", "approved", "To erase a person was approved", "复核通过删除个人信息"),
        ("send-back", "sent-back", "A proposal to erase a person was rejected", "退回删除申请"),
        ("refuse", "refused", "A person's request was refused", "拒绝个人信息请求"),
        ("withdraw", "withdrawn", "A person's request was withdrawn", "撤回个人信息请求"),
    )
}
"""What each event leaves in the audit log."""

REFUSALS = {
    "identity_not_proven": Text("The identity was not proven.", "身份未能核实。"),
    "active_contract": Text(
        "The person is a customer, and the contract needs the data.",
        "该人员仍为在网客户，履行合同需要这些信息。",
    ),
    "agreement_in_force": Text(
        "An agreement with the person is in force.", "与该人员的协议仍在有效期内。"
    ),
    "arrears": Text("Bills are unpaid.", "存在欠费。"),
    "legal_retention": Text(
        "The law wants the data kept for some time yet.", "法律规定的保存期限尚未届满。"
    ),
    "legal_hold": Text("The data is under a legal hold.", "该信息处于法律保全。"),
    "unfounded": Text("The request is unfounded or repeated.", "请求明显无依据或重复提出。"),
}
"""Why a request may be refused, in words for the person. The middle five are what the node finds itself."""
