"""What HQ signs: a change of the table of number segments."""

from typing import Annotated

from pydantic import AwareDatetime, Field

from shared.federation.statement import Name, Saying, Statement

MOST_SEGMENTS = 1000
"""In one edition: some 30 kB."""

Prefix = Annotated[
    str,
    Field(
        pattern=r"^1[0-9]{2,10}$",
        description="First digits of mobile numbers, 3 to 11 of them.",
        examples=["1380013"],
    ),
]
Home = Annotated[str, Field(pattern=r"^[0-9]{6}$", examples=["110100"])]


class Said(Saying):
    """What an edition says."""

    number: Annotated[int, Field(ge=1)]
    segments: Annotated[dict[Prefix, Home | None], Field(min_length=1, max_length=MOST_SEGMENTS)]
    """The home of each from now on; none any more without one."""
    published_at: AwareDatetime
    published_by: Name
    note: Annotated[str, Field(max_length=500)]


class Edition(Statement):
    """A signed change of the table."""

    __slots__ = ()
    most_characters = 100_000

    def said(self) -> Said:
        """Return what it says.

        Raises:
            shared.federation.statement.StatementInvalid: if it does not have its form.
        """
        return self.read(Said)
