"""What staff and tokens look like over HTTP."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from shared.capability import Role
from shared.organisation.schemas import UnitCode
from shared.staff.models import StaffAction, StaffKind

DisplayName = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$"
    ),
]
NewPassword = Annotated[SecretStr, Field(description="12 to 200 characters, and not the username.")]

_LI: dict[str, Any] = {
    "id": "019ac0de-7000-7000-8000-000000000001",
    "username": "li.wei",
    "kind": "person",
    "display_name": "李伟",
    "role": "account_manager",
    "unit_code": "440300-01",
    "active": True,
    "version": 1,
    "created_at": "2026-11-23T04:00:00Z",
    "updated_at": "2026-11-23T04:00:00Z",
}


class StaffMemberOut(BaseModel):
    """A member of staff."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [_LI]})

    id: UUID
    username: str
    kind: StaffKind
    display_name: str
    role: Role
    unit_code: str
    active: bool
    version: int
    created_at: datetime
    updated_at: datetime


class StaffPage(BaseModel):
    """A page of staff; with `fields`, only those of each."""

    items: list[StaffMemberOut]
    next: str | None = Field(description="Cursor of the next page; null on the last.")
    count: int | None = Field(default=None, description="How many there are in all, if asked for.")


class SelfOut(StaffMemberOut):
    """Who is signed in, and what the token allows."""

    unit_path: str = Field(description="Data scope: the units whose path begins with this.")
    permissions: list[str] = Field(description="What the token allows.")


class NewStaffMember(BaseModel):
    """An account to be made."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    **{
                        n: _LI[n] for n in ("username", "kind", "display_name", "role", "unit_code")
                    },
                    "password": "tide-lantern-orchard-nine",
                }
            ]
        },
    )

    username: str = Field(
        max_length=64, description="2 to 64 of a-z, 0-9 and . _ -; upper case is taken as lower."
    )
    kind: StaffKind = StaffKind.PERSON
    display_name: DisplayName | None = Field(default=None, description="The username, if left out.")
    role: Role
    unit_code: UnitCode
    password: NewPassword


class StaffMemberChange(BaseModel):
    """What to change of an account; what is left out, or null, stays."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"role": "supervisor", "unit_code": "440300"}]},
    )

    display_name: DisplayName | None = None
    role: Role | None = None
    unit_code: UnitCode | None = None
    active: bool | None = None


class PasswordSetting(BaseModel):
    """A password for somebody else."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"password": "tide-lantern-orchard-nine"}]}
    )

    password: NewPassword


class PasswordChange(BaseModel):
    """One's own password."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "present": "tide-lantern-orchard-nine",
                    "password": "seven-kites-over-the-harbour",
                }
            ]
        },
    )

    present: Annotated[SecretStr, Field(description="The password until now.")]
    password: NewPassword


class StaffChangeOut(BaseModel):
    """An entry of an account's history."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "019ac0de-7000-7000-8000-000000000002",
                    "changed_at": "2026-11-23T04:00:00Z",
                    "changed_by": "operator",
                    "action": "changed",
                    "changes": {"role": {"old": "clerk", "new": "supervisor"}},
                }
            ]
        }
    )

    id: UUID
    changed_at: datetime
    changed_by: str
    action: StaffAction
    changes: dict[str, Any]


class StaffChangePage(BaseModel):
    """A page of an account's history."""

    items: list[StaffChangeOut]
    next: str | None
    count: int | None = None


class TokenForm(BaseModel):
    """A token request (RFC 6749). Which fields it needs depends on `grant_type`."""

    grant_type: str | None = Field(
        default=None,
        description="`password`, `client_credentials` or `refresh_token`.",
        examples=["password"],
    )
    username: str | None = Field(default=None, examples=["li.wei"])
    password: SecretStr | None = None
    client_id: str | None = Field(
        default=None, description="Username of a service account; or by HTTP Basic."
    )
    client_secret: SecretStr | None = None
    refresh_token: SecretStr | None = None
    scope: str | None = Field(
        default=None,
        description="Permissions that the token shall have, separated by spaces; all of the role's without it.",
    )


class RevocationForm(BaseModel):
    """A sign-out (RFC 7009)."""

    token: SecretStr | None = Field(default=None, description="A refresh or access token.")
    token_type_hint: str | None = None


class TokenOut(BaseModel):
    """Tokens, as RFC 6749 gives them."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "access_token": "eyJhbGciOiJFZDI1NTE5IiwidHlwIjoiYXQrand0In0...",
                    "token_type": "Bearer",
                    "expires_in": 900,
                    "refresh_token": "Yk3lS0m5o1b0Q7u3n8m2...",
                    "scope": "customer:read customer:write",
                }
            ]
        }
    )

    access_token: str
    token_type: str = "Bearer"  # noqa: S105 - RFC 6750's word
    expires_in: int = Field(description="Seconds that the access token lives.")
    refresh_token: str | None = Field(default=None, description="For persons; works once.")
    scope: str = Field(description="Permissions that the token has, separated by spaces.")


class TokenError(BaseModel):
    """A refusal of the token endpoint: RFC 6749's members beside those of RFC 9457."""

    error: str = Field(examples=["invalid_grant"])
    error_description: str
    type: str
    title: str
    status: int
    detail: str


class KeySet(BaseModel):
    """A JWK set (RFC 7517)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "keys": [
                        {
                            "kty": "OKP",
                            "crv": "Ed25519",
                            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
                            "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
                            "use": "sig",
                            "alg": "Ed25519",
                        }
                    ]
                }
            ]
        }
    )

    keys: list[dict[str, str]]
