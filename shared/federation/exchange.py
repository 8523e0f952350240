"""What goes over the wire between two neighbours: batches, acknowledgements and polls.

All bodies are JSON, compressed by zstd and then signed. An envelope travels as the text it was signed as, so that it
arrives byte for byte; the hops stand outside it, vouched for by each neighbour's signature in turn.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.federation.compression import CompressionRefused, compress, decompress
from shared.federation.models import Lane
from shared.federation.outbox import Numbered, Outgoing
from shared.federation.report import Report

MEDIA_TYPE = "application/vnd.guanxi.exchange+json"
ENCODING = "zstd"
RECEIVER_HEADER = "guanxi-receiver"
"""Names the node that a request is for; signed like every ``guanxi-`` header."""
RECEIVER_KEY_HEADER = "guanxi-receiver-key"
"""Fingerprint of the newest key of the receiver's that the sender knows; the answer is signed with it if it can be."""
MAX_COMPRESSED = 8 * 1024 * 1024
MAX_BODY = 32 * 1024 * 1024
LONGEST_NONCE = 64
BATCH_MESSAGES = 200
LARGE_BATCH_MESSAGES = 1000
MOST_MESSAGES = 2000
"""So many a receiver takes in one batch; a sender of a later release may send more at once than this one."""
BATCH_BYTES = 1024 * 1024
BASE_PATH = "/federation/v1"


def most_messages(lane: Lane) -> int:
    """Return how many messages go into one batch: many of what nobody waits for, few of what somebody does."""
    return LARGE_BATCH_MESSAGES if lane in {Lane.ROLLUP, Lane.BULK} else BATCH_MESSAGES


Content = TypeVar("Content", bound=BaseModel)
Link = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class BodyMalformed(Exception):
    """A body is not what the protocol says."""


class _Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class WireMessage(_Wire):
    """One message of a batch."""

    envelope: str
    signature: str
    hops: list[dict[str, str]] = Field(max_length=16)


class Batch(_Wire):
    """A stretch of a lane: message ``i`` has sequence number ``first + i``."""

    lane: Lane
    first: int = Field(ge=1)
    previous: Link | None = None
    """The chain's link before the first message; releases before 0.2 do not send it."""
    dispatch: str | None = None
    """The sender's word for all of the lane up to the last message (:mod:`shared.federation.receipt`)."""
    messages: list[WireMessage] = Field(min_length=1, max_length=MOST_MESSAGES)

    def previous_link(self) -> bytes | None:
        """Return the link that the batch goes on from."""
        return bytes.fromhex(self.previous) if self.previous else None

    def outgoing(self) -> list[Outgoing]:
        """Return the messages as they were sent."""
        return [
            Outgoing(item.envelope.encode(), item.signature, item.hops) for item in self.messages
        ]


class Acknowledgement(_Wire):
    """Everything up to ``received`` of the lane is committed at the receiver."""

    lane: Lane
    received: int = Field(ge=0)
    receipt: str | None = None
    """The receiver's receipt for it (:mod:`shared.federation.receipt`)."""


class Poll(_Wire):
    """What the child has received, and how long the parent may wait for more."""

    received: dict[Lane, int]
    receipts: dict[Lane, str] = Field(default_factory=dict)
    """The child's receipts for what it has received since it last said so."""
    reports: list[Report] = Field(default_factory=list, max_length=1000)
    """How the child and the nodes below it are, now and then."""
    wait: float = Field(ge=0, le=120)


class PollAnswer(_Wire):
    """What the parent has for the child: at most one batch a lane, the most urgent lane first."""

    batches: list[Batch]
    received: dict[Lane, int] = Field(default_factory=dict)
    """What the parent has received of the child's own lanes: less than it acknowledged, if it was restored since."""


class LaneReport(_Wire):
    """Where a lane is in both directions, as one end of it sees it."""

    numbered: int = Field(ge=0)
    """The last message that this end has numbered to be sent."""
    acknowledged: int = Field(ge=0)
    """The last of them that the other end has acknowledged, as far as this end remembers."""
    received: int = Field(ge=0)
    """The last message that this end has received."""
    received_link: Link | None = None
    """The chain's link there."""
    stopped: str | None = None
    """Why this end has stopped the lane, if it has."""


class Meeting(_Wire):
    """What two neighbours tell each other to find out whether one of them has gone back, and to make up for it."""

    version: str = Field(max_length=100)
    """The release that this end runs."""
    epoch: int = Field(ge=1)
    """Grows by one with each reconciliation that has mended something; the higher of the two counts."""
    continues: bool = False
    """Whether this goes on with a reconciliation that has begun."""
    lanes: dict[Lane, LaneReport]
    wanted: dict[Lane, int] = Field(default_factory=dict)
    """After which of its own messages this end has to be given back what it had sent."""
    returned: list[Batch] = Field(default_factory=list, max_length=len(Lane))
    """What the other end had sent, given back as it wanted."""


class ClockAnswer(_Wire):
    """What time it is at the parent."""

    now: datetime


@dataclass(frozen=True, slots=True)
class Body:
    """A body ready to be signed and sent."""

    content: bytes

    @property
    def headers(self) -> dict[str, str]:
        """The headers that go with it."""
        return {"content-type": MEDIA_TYPE, "content-encoding": ENCODING}


def body_of(content: Any) -> Body:
    """Return ``content`` as a compressed body."""
    return Body(compress(orjson.dumps(content)))


def batch_content(numbered: Numbered, dispatch: str | None = None) -> dict[str, Any]:
    """Return a numbered stretch as it is sent, with its dispatch if it has one."""
    return {
        "lane": numbered.lane.value,
        "first": numbered.first,
        "previous": numbered.previous.hex() if numbered.previous else None,
        **({"dispatch": dispatch} if dispatch else {}),
        "messages": [
            {
                "envelope": message.envelope.decode(),
                "signature": message.signature,
                "hops": message.hops,
            }
            for message in numbered.messages
        ],
    }


def read(kind: type[Content], body: bytes) -> Content:
    """Return a verified ``body`` as what it should be.

    Raises:
        BodyMalformed: with what is wrong and where.
    """
    try:
        return kind.model_validate_json(decompress(body, limit=MAX_BODY))
    except CompressionRefused as error:
        raise BodyMalformed(str(error)) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = "/" + "/".join(str(part) for part in first["loc"])
        raise BodyMalformed(
            f"The body is not a {kind.__name__} of protocol version 1: {where}: {first['msg']}."
        ) from None
