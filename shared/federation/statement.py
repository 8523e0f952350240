"""What a node says to whom it may concern: an exact text, and a detached JWS (RFC 7515 appendix F) over it.

A message is signed for its receiver alone. A statement is signed once, kept as it came, and may be passed on by any
node: everybody checks the signature of its publisher. So a node that joins late hears from its neighbour what was said
years ago.

A domain derives its own from :class:`Statement`, says by :meth:`~Statement.made` and reads by :meth:`~Statement.read`.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar, Self, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation import repository
from shared.federation.envelope import EnvelopeForged, sign, verify
from shared.federation.keys import NodeKey
from shared.federation.post import PostOffice

Code = Annotated[str, Field(pattern=r"^[0-9]{6}$")]
Name = Annotated[str, Field(min_length=1, max_length=200)]


class StatementInvalid(ValueError):
    """A statement does not have its form, or is not signed by its publisher."""


class Saying(BaseModel):
    """The form of a text."""

    model_config = ConfigDict(frozen=True)  # what a later release says besides is passed over


Form = TypeVar("Form", bound=Saying)


@dataclass(frozen=True, slots=True)
class Statement:
    """A signed text, as it is kept and passed on."""

    content: str
    signature: str

    most_characters: ClassVar[int] = 200_000
    """In the text of a statement."""

    @property
    def digest(self) -> str:
        """SHA-256 of the text, by which statements are told apart."""
        return hashlib.sha256(self.content.encode()).hexdigest()

    @classmethod
    def made(cls, saying: Saying, key: NodeKey, publisher: str) -> Self:
        """Write and sign what ``publisher``, whose key this is, says."""
        content = orjson.dumps(saying.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)
        return cls(content.decode(), sign(content, key, publisher))

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """Return the statement in the payload of a message.

        Raises:
            StatementInvalid: if there is none, or a longer one than there may be.
        """
        content, signature = data.get("content"), data.get("signature")
        if not isinstance(content, str) or not isinstance(signature, str):
            raise StatementInvalid("it has no content or no signature")
        if len(content) > cls.most_characters:
            raise StatementInvalid(f"it has more than {cls.most_characters} characters")
        return cls(content, signature)

    def read(self, form: type[Form]) -> Form:
        """Return what it says, in ``form``.

        Raises:
            StatementInvalid: if it does not have this form.
        """
        try:
            return form.model_validate_json(self.content)
        except ValidationError as error:
            places = ", ".join("/".join(map(str, each["loc"])) for each in error.errors()[:5])
            raise StatementInvalid(f"it is malformed at {places or 'its beginning'}") from None

    async def require_signed(
        self, session: AsyncSession, post: PostOffice, publisher: str, *, at: datetime
    ) -> None:
        """Make sure that ``publisher`` signed it, with a key that the registry gives it for that moment.

        Raises:
            StatementInvalid: if none of these keys did.
        """
        entry = await repository.entry(session, publisher)
        keys = entry.keys_at(at) if entry else ()
        if publisher == post.code:
            # A node is not in its own registry before it has joined.
            keys = (*keys, post.key.public)
        try:
            verify(self.content.encode(), self.signature, keys, publisher)
        except EnvelopeForged as error:
            raise StatementInvalid(f"it is not signed by {publisher}: {error}") from None

    def as_data(self) -> dict[str, str]:
        """Return the payload of a message that passes it on."""
        return {"content": self.content, "signature": self.signature}
