"""What a kind of request looks like over the wire."""

from pydantic import BaseModel, Field

from services.city_node.customer.models import Level
from services.city_node.service_request.kind import Kind, Move, Party, State
from services.city_node.service_request.reference import diagram
from services.city_node.service_request.schemas import Spoken
from shared.kernel.language import Text


def spoken(words: Text) -> Spoken:
    """Return words in both languages as they go over the wire."""
    return Spoken(en=words.en, zh=words.zh)


class StateOut(BaseModel):
    """One state of a record."""

    code: str = Field(examples=["approved"])
    name: Spoken
    awaits: Party | None = Field(description="Whose move it is; null at an end.")
    final: bool
    patience_seconds: int | None = Field(
        description="How long a record may wait here before a person is called; null for ever."
    )

    @classmethod
    def of(cls, state: State) -> "StateOut":
        """Return it as it is declared."""
        patience = None if state.patience is None else int(state.patience.total_seconds())
        return cls(
            code=state.code,
            name=spoken(state.name),
            awaits=state.awaits,
            final=state.final,
            patience_seconds=patience,
        )


class MoveOut(BaseModel):
    """One allowed transition of one end's record."""

    event: str = Field(examples=["card-written"])
    origin: list[str] = Field(description="States it may happen in; `start`: there is no record.")
    target: str
    by: Party = Field(description="Which end makes it happen.")
    message: str | None = Field(description="Type of the message that tells of it.")
    compensation: Spoken | None = Field(description="What is undone by it.")

    @classmethod
    def of(cls, kind: Kind, move: Move) -> "MoveOut":
        """Return it as it is declared."""
        return cls(
            event=move.event,
            origin=list(move.origin),
            target=move.target,
            by=move.by,
            message=kind.message(move),
            compensation=spoken(move.compensation) if move.compensation else None,
        )


class EndOut(BaseModel):
    """What one end's record may do."""

    role: Party
    moves: list[MoveOut]
    diagram: str = Field(description="States and moves as a Mermaid state diagram.")


class LimitOut(BaseModel):
    """How long a request of a customer of one level may take."""

    level: Level
    seconds: int


class RefusalReasonOut(BaseModel):
    """Why a request may be refused."""

    code: str = Field(examples=["identity-mismatch"])
    text: Spoken


class KindOut(BaseModel):
    """One kind of request."""

    code: str = Field(examples=["card-replacement"])
    name: Spoken
    states: list[StateOut]
    ends: list[EndOut]
    limits: list[LimitOut]
    home_grace_seconds: int = Field(
        description="How much longer the home node keeps what it promised."
    )
    follows: bool = Field(
        description="Whether the question follows a customer who has moved to another home city."
    )
    refusals: list[RefusalReasonOut]

    @classmethod
    def of(cls, kind: Kind) -> "KindOut":
        """Return it as it is declared."""
        return cls(
            code=kind.code,
            name=spoken(kind.name),
            states=[StateOut.of(state) for state in kind.states],
            ends=[
                EndOut(
                    role=end,
                    moves=[MoveOut.of(kind, move) for move in kind.moves if move.record is end],
                    diagram=diagram(kind, end),
                )
                for end in Party
            ],
            limits=[
                LimitOut(level=level, seconds=int(kind.limit(level).total_seconds()))
                for level in Level
            ],
            home_grace_seconds=int(kind.home_grace.total_seconds()),
            follows=kind.follows,
            refusals=[
                RefusalReasonOut(code=code, text=spoken(text))
                for code, text in kind.refusals.items()
            ],
        )


class KindsOut(BaseModel):
    """Every kind of request that the node knows."""

    items: list[KindOut]
