"""What a publisher signs: that it publishes a version, or withdraws one."""

from datetime import date, datetime
from typing import Annotated, Any, Final, Literal

import orjson
from pydantic import AwareDatetime, Field

from shared.capability import Bound
from shared.federation import statement
from shared.federation.statement import Code, Name, Saying, StatementInvalid

PUBLISHED: Final = "guanxi.policy.published"
WITHDRAWN: Final = "guanxi.policy.withdrawn"


class _Said(Saying):
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

    @property
    def said_at(self) -> datetime:
        """When it was published."""
        return self.published_at


class Withdrawn(_Said):
    """The end of a version, as if it had never been."""

    statement: Literal["guanxi.policy.withdrawn"] = WITHDRAWN
    version: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    reason: str
    withdrawn_at: AwareDatetime
    withdrawn_by: Name

    @property
    def said_at(self) -> datetime:
        """When it was withdrawn."""
        return self.withdrawn_at


class Statement(statement.Statement):
    """A version or a withdrawal, signed."""

    __slots__ = ()

    def said(self) -> Published | Withdrawn:
        """Return what it says.

        Raises:
            StatementInvalid: if it does not have one of the two forms.
        """
        try:
            is_version = orjson.loads(self.content)["statement"] == PUBLISHED
        except (orjson.JSONDecodeError, KeyError, TypeError):
            raise StatementInvalid("it is no statement about a policy") from None
        return self.read(Published) if is_version else self.read(Withdrawn)
