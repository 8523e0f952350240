"""What is told of the kinds of request: over REST, as diagrams, and in the documentation."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.city_node.app import CAPABILITIES
from services.city_node.card_replacement.kind import KIND
from services.city_node.service_request.kind import (
    START,
    Kind,
    KindMisdeclared,
    Party,
    kinds_among,
)
from services.city_node.service_request.reference import diagram, render_markdown
from shared.capability import Role
from shared.kernel.language import Text
from tests.city.drafts import SignIn
from tests.conftest import MakeNode

OFFERS = [offer for capability in CAPABILITIES for offer in capability.offers]
ARROW = re.compile(r"(\S+) --> (\S+): (\S+)(?: \((\w+)\))?")


@pytest.mark.parametrize("end", list(Party))
def test_a_diagram_has_every_move_of_its_end_and_no_other(end: Party) -> None:
    drawn = {
        (
            START if origin == "[*]" else origin,
            target,
            event,
            Party(by) if by else end,
        )
        for origin, target, event, by in ARROW.findall(diagram(KIND, end))
    }
    assert drawn == {
        (origin, move.target, move.event, move.by)
        for move in KIND.moves
        if move.record is end
        for origin in move.origin
    }


def test_the_page_names_what_a_kind_declares_in_both_languages() -> None:
    page = render_markdown([KIND, object()])
    for state in KIND.states:
        assert f"| `{state.code}` | {state.name.en} | {state.name.zh} |" in page
    for code, text in KIND.refusals.items():
        assert f"| `{code}` | {text.en} | {text.zh} |" in page
    for message in KIND.messages.values():
        assert f"`{message}`" in page
    undone = [move.compensation for move in KIND.moves if move.compensation]
    assert undone
    assert all(words.en in page and words.zh in page for words in undone)


@pytest.mark.parametrize("kind", kinds_among(OFFERS), ids=lambda kind: kind.code)
def test_every_kind_names_messages_that_the_city_knows_and_calls_a_person_where_it_waits(
    kind: Kind,
) -> None:
    known = {message.type for capability in CAPABILITIES for message in capability.messages}
    assert kind.messages
    assert set(kind.messages.values()) <= known
    for move in kind.moves:
        assert move.by is move.record or kind.message(move) in known
    for state in kind.states:
        ended_by_clock = all(
            state.code in kind.expirable(move.record)
            for move in kind.moves
            if state.code in move.origin
        )
        assert state.final or ended_by_clock or state.patience is not None, state.code


async def test_front_ends_read_the_kinds_that_the_node_has(
    make_node: MakeNode, sign_in: SignIn
) -> None:
    node = await make_node("440300")
    headers = await sign_in(node, Role.CLERK)

    async def get(path: str, status: int = 200) -> Any:
        answer = await node.client.get(path, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    kinds = {each["code"]: each for each in (await get("/service-request-kinds"))["items"]}
    assert kinds.keys() >= {"card-replacement", "payment", "payment-reversal", "repair", "transfer"}
    kind = kinds["card-replacement"]
    assert kind == await get("/service-request-kinds/card-replacement")
    assert kind["name"] == {"en": KIND.name.en, "zh": KIND.name.zh}
    assert [state["code"] for state in kind["states"]] == [state.code for state in KIND.states]
    visited, home = kind["ends"]
    assert (visited["role"], home["role"]) == ("visited", "home")
    assert visited["diagram"] == diagram(KIND, Party.VISITED)
    silent = [move for move in home["moves"] if move["message"] is None]
    assert [(move["event"], move["by"]) for move in silent] == [("expired", "home")]
    assert {each["code"] for each in kind["refusals"]} == set(KIND.refusals)
    unknown = await get("/service-request-kinds/tea", 404)
    assert unknown["type"] == "urn:guanxi:problem:request-kind-unknown"
    assert "card-replacement" in unknown["detail"]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (
            {"messages": {**KIND.messages, (Party.HOME, "asked"): "guanxi.card-replacement.x.v1"}},
            "where nobody makes it happen",
        ),
        (
            {"messages": {**KIND.messages, (Party.HOME, "switched"): "guanxi.payment.x.v1"}},
            "no type of its own",
        ),
        (
            {"messages": {k: v for k, v in KIND.messages.items() if k[1] != "switched"}},
            "cannot hear at the visited node of 'switched'",
        ),
        (
            {"messages": {**KIND.messages, (Party.HOME, "switched"): "guanxi.ownership.moved.v1"}},
            "no type of its own",
        ),
        ({"limits": {"platinum": timedelta(minutes=1)}}, "'platinum' a limit"),
        ({"limits": {"diamond": KIND.time_limit * 2}}, "'diamond' a limit"),
        (
            {
                "states": (
                    *KIND.states[:-1],
                    replace(KIND.states[-1], patience=timedelta(hours=1)),
                )
            },
            "waits in the final state",
        ),
    ],
)
def test_what_contradicts_itself_is_not_declared(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(KindMisdeclared, match=complaint):
        replace(KIND, **change)


def test_a_kind_that_tells_of_no_messages_is_declared_all_the_same() -> None:
    bare = replace(KIND, messages={}, name=Text("Bare", "简"))
    assert all(bare.message(move) is None for move in bare.moves)
