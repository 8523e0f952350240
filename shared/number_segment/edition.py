"""What HQ signs: a change of the table of number segments."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from shared.federation.envelope import EnvelopeForged, sign, verify
from shared.federation.keys import NodeKey, PublicKey
from shared.kernel.settings import HQ_CODE

MOST_SEGMENTS = 1000
"""In one edition: some 30 kB."""
MOST_CHARACTERS = 100_000

Prefix = Annotated[
    str,
    Field(
        pattern=r"^1[0-9]{2,10}$",
        description="First digits of mobile numbers, 3 to 11 of them.",
        examples=["1380013"],
    ),
]
Home = Annotated[str, Field(pattern=r"^[0-9]{6}$", examples=["110100"])]


class EditionInvalid(ValueError):
    """An edition does not have its form, or is not signed by HQ."""


class Said(BaseModel):
    """What an edition says."""

    model_config = ConfigDict(frozen=True)  # what a later release says besides is passed over

    number: Annotated[int, Field(ge=1)]
    segments: Annotated[dict[Prefix, Home | None], Field(min_length=1, max_length=MOST_SEGMENTS)]
    """The home of each from now on; none any more without one."""
    published_at: AwareDatetime
    published_by: Annotated[str, Field(min_length=1, max_length=200)]
    note: Annotated[str, Field(max_length=500)]


@dataclass(frozen=True, slots=True)
class Edition:
    """A signed text, as it is kept and passed on."""

    content: str
    signature: str

    @classmethod
    def made(cls, said: Said, key: NodeKey) -> "Edition":
        """Write and sign what HQ says."""
        content = orjson.dumps(said.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)
        return cls(content.decode(), sign(content, key, HQ_CODE))

    @classmethod
    def of(cls, data: Any) -> "Edition":
        """Return the edition in the payload of a message.

        Raises:
            EditionInvalid: if there is none.
        """
        content, signature = data.get("content"), data.get("signature")
        if not isinstance(content, str) or not isinstance(signature, str):
            raise EditionInvalid("it has no content or no signature")
        if len(content) > MOST_CHARACTERS:
            raise EditionInvalid(f"it has more than {MOST_CHARACTERS} characters")
        return cls(content, signature)

    def said(self) -> Said:
        """Return what it says.

        Raises:
            EditionInvalid: if it does not have its form.
        """
        try:
            return Said.model_validate_json(self.content)
        except ValidationError as error:
            places = ", ".join("/".join(map(str, each["loc"])) for each in error.errors()[:5])
            raise EditionInvalid(f"it is malformed at {places}") from None

    def require_signed(self, keys: Sequence[PublicKey]) -> None:
        """Make sure that HQ signed it.

        Raises:
            EditionInvalid: if none of these keys did.
        """
        try:
            verify(self.content.encode(), self.signature, keys, HQ_CODE)
        except EnvelopeForged as error:
            raise EditionInvalid(f"it is not signed by HQ: {error}") from None

    def as_data(self) -> dict[str, str]:
        """Return the payload of a message that passes it on."""
        return {"content": self.content, "signature": self.signature}
