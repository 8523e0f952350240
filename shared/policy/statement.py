"""What a publisher signs: that it publishes a version, or withdraws one.

A statement is an exact text and a detached JWS (RFC 7515 appendix F) over it. Any node may pass it on, for everybody
checks the publisher's signature; so a node that joins late hears from its neighbour what was said years ago.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Final, Literal

import orjson
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from shared.capability import Bound
from shared.federation.envelope import EnvelopeForged, sign, verify
from shared.federation.keys import NodeKey, PublicKey

PUBLISHED: Final = "guanxi.policy.published"
WITHDRAWN: Final = "guanxi.policy.withdrawn"
MOST_CHARACTERS = 200_000
"""In the text of a statement."""

Code = Annotated[str, Field(pattern=r"^[0-9]{6}$")]
Name = Annotated[str, Field(min_length=1, max_length=200)]


class StatementInvalid(ValueError):
    """A statement does not have its form, or is not signed by its publisher."""


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True)  # what a later release says besides is passed over

    kind: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
    publisher: Code


class Published(_Said):
    """A version of a policy."""

    statement: Literal["guanxi.policy.published"] = PUBLISHED
    number: Annotated[int, Field(ge=1)]
    effective_from: date
    document: Any
    bounds: tuple[Bound, ...] | None = None
    note: str | None = None
    drafted_by: Name
    published_at: AwareDatetime
    published_by: Name


class Withdrawn(_Said):
    """The end of a version, as if it had never been."""

    statement: Literal["guanxi.policy.withdrawn"] = WITHDRAWN
    version: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    reason: str
    withdrawn_at: AwareDatetime
    withdrawn_by: Name


@dataclass(frozen=True, slots=True)
class Statement:
    """A signed text, as it is kept and passed on."""

    content: str
    signature: str

    @property
    def digest(self) -> str:
        """SHA-256 of the text, by which statements are told apart."""
        return hashlib.sha256(self.content.encode()).hexdigest()

    @classmethod
    def made(cls, said: Published | Withdrawn, key: NodeKey) -> "Statement":
        """Write and sign what this node says."""
        content = orjson.dumps(said.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)
        return cls(content.decode(), sign(content, key, said.publisher))

    @classmethod
    def of(cls, data: Any) -> "Statement":
        """Return the statement in the payload of a message.

        Raises:
            StatementInvalid: if there is none.
        """
        content, signature = data.get("content"), data.get("signature")
        if not isinstance(content, str) or not isinstance(signature, str):
            raise StatementInvalid("it has no content or no signature")
        if len(content) > MOST_CHARACTERS:
            raise StatementInvalid(f"it has more than {MOST_CHARACTERS} characters")
        return cls(content, signature)

    def said(self) -> Published | Withdrawn:
        """Return what it says.

        Raises:
            StatementInvalid: if it does not have one of the two forms.
        """
        try:
            if orjson.loads(self.content)["statement"] == PUBLISHED:
                return Published.model_validate_json(self.content)
            return Withdrawn.model_validate_json(self.content)
        except ValidationError as error:
            places = ", ".join("/".join(map(str, each["loc"])) for each in error.errors()[:5])
            raise StatementInvalid(f"it is malformed at {places}") from None
        except (orjson.JSONDecodeError, KeyError, TypeError):
            raise StatementInvalid("it is no statement about a policy") from None

    def require_signed(self, keys: Sequence[PublicKey], publisher: str) -> None:
        """Make sure that its publisher signed it.

        Raises:
            StatementInvalid: if none of these keys did.
        """
        try:
            verify(self.content.encode(), self.signature, keys, publisher)
        except EnvelopeForged as error:
            raise StatementInvalid(f"it is not signed by {publisher}: {error}") from None

    def as_data(self) -> dict[str, str]:
        """Return the payload of a message that passes it on."""
        return {"content": self.content, "signature": self.signature}


def moment_of(said: Published | Withdrawn) -> datetime:
    """Return when it was said."""
    return said.published_at if isinstance(said, Published) else said.withdrawn_at
