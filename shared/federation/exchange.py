"""What goes over the wire between two neighbours: batches, acknowledgements and polls.

All bodies are JSON, compressed by zstd and then signed. An envelope travels as the text it was signed as, so that it
arrives byte for byte; the hops stand outside it, vouched for by each neighbour's signature in turn.
"""

from dataclasses import dataclass
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.federation.compression import CompressionRefused, compress, decompress
from shared.federation.mailbox import Numbered
from shared.federation.models import Lane

MEDIA_TYPE = "application/vnd.guanxi.exchange+json"
ENCODING = "zstd"
RECEIVER_HEADER = "guanxi-receiver"
"""Names the node that a request is for; signed like every ``guanxi-`` header."""
MAX_COMPRESSED = 8 * 1024 * 1024
MAX_BODY = 32 * 1024 * 1024
LONGEST_NONCE = 64
BATCH_MESSAGES = 200
BATCH_BYTES = 1024 * 1024
BASE_PATH = "/federation/v1"

Content = TypeVar("Content", bound=BaseModel)


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
    messages: list[WireMessage] = Field(min_length=1, max_length=10 * BATCH_MESSAGES)


class Acknowledgement(_Wire):
    """Everything up to ``received`` of the lane is committed at the receiver."""

    lane: Lane
    received: int = Field(ge=0)


class Poll(_Wire):
    """What the child has received, and how long the parent may wait for more."""

    received: dict[Lane, int]
    wait: float = Field(ge=0, le=120)


class PollAnswer(_Wire):
    """What the parent has for the child: at most one batch a lane, the most urgent lane first."""

    batches: list[Batch]


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


def batch_content(numbered: Numbered) -> dict[str, Any]:
    """Return a numbered stretch as it is sent."""
    return {
        "lane": numbered.lane.value,
        "first": numbered.first,
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
