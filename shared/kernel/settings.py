"""What an operator decides about a node: from the environment and one TOML file, checked before anything starts."""

import os
import re
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AliasChoices, Field, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from shared.kernel.statistics_settings import TIME_OF_DAY, StatisticsSettings
from shared.kernel.tier import Tier

HQ_CODE = "000000"
NOT_SETTINGS = frozenset({"GUANXI_HOME", "GUANXI_NODE", "GUANXI_CONFIG"})
"""Variables of the command line that say which node is meant, rather than how it is set."""


class SettingsInvalid(Exception):
    """A setting is wrong; the message names it, where it came from and what is expected."""


class Settings(StatisticsSettings):
    """The settings of one node.

    Each can be given as ``GUANXI_<NAME>`` in the environment or as ``<name> = ...`` in the node's TOML file; the
    environment wins. ``docs/settings.md`` is made from the descriptions below.
    """

    model_config = SettingsConfigDict(
        env_prefix="GUANXI_", extra="forbid", frozen=True, populate_by_name=True
    )
    toml_file: ClassVar[Path | None] = None

    code: Annotated[
        str,
        Field(
            pattern=r"^\d{6}$",
            description="Division code of the node (GB/T 2260, six digits): `000000` HQ, `440000` Guangdong, `440300` Shenzhen.",
        ),
    ]
    home: Path = Field(
        default=Path("var"),
        description="Directory of everything that the nodes of this machine keep: the embedded PostgreSQL, and each node's keys and files under `nodes/<code>/`.",
    )
    database_url: str | None = Field(
        default=None,
        validation_alias=AliasChoices("database_url", "GUANXI_DATABASE_URL", "DATABASE_URL"),
        description="PostgreSQL (15 to 18) of the node, `postgresql://user:password@host:port/database`; also read from `DATABASE_URL`. Without it the node starts its own under `home`.",
    )
    database_owner_url: str | None = Field(
        default=None,
        description="The same database as `database_url`, as the role that owns its tables: migrations run as that role, and the role of `database_url` is given what a node needs and cannot rewrite the audit log. Without it one role does both, and could.",
    )
    database_pool: int = Field(
        default=5,
        ge=2,
        le=100,
        description="Connections that each worker keeps to the database, in each of its three pools; those for sessions and for hot writes grow to twice as many under load.",
    )
    host: str = Field(default="127.0.0.1", description="Address that the node listens on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port that the node listens on.")
    workers: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Worker processes that serve HTTP; scheduled work and outgoing lanes run in exactly one of them at a time.",
    )
    parent_url: str | None = Field(
        default=None,
        description="Base URL at which the node reaches its parent, written by `guanxi node enrol`; a proxy or firewall may stand between.",
    )
    poll_seconds: float = Field(
        default=25.0,
        ge=0,
        le=120,
        description="How long the parent may hold a poll open when it has nothing for the node.",
    )
    inbox_retention_days: int = Field(
        default=400,
        ge=31,
        description="How long messages that arrived and are settled are kept, to recognise one that comes again and to give back what a restored neighbour has lost.",
    )
    batches_at_once: int = Field(
        default=4,
        ge=1,
        le=1000,
        description="How many batches of the lanes `rollup` and `bulk` one worker takes from its children at once; more are told to come again.",
    )
    bulk_window: str | None = Field(
        default=None,
        pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$",
        description="When this node may send on the lane `bulk`, in business time, such as `22:00-06:00`; always without it.",
    )
    bulk_bytes_per_second: int | None = Field(
        default=None,
        ge=1000,
        description="How many bytes a second this node sends on the lane `bulk` on average; no limit without it.",
    )
    exchange_timeout_seconds: float = Field(
        default=15.0,
        gt=0,
        le=300,
        description="How long one exchange with the parent may take beyond the poll before the link counts as down.",
    )
    key_life_days: int = Field(
        default=730,
        ge=1,
        le=3650,
        description="At HQ and wherever nodes are admitted: days after which a node's key counts as expired. Expiry warns and stops nothing.",
    )
    key_overlap_days: float = Field(
        default=7.0,
        gt=0,
        le=90,
        description="Days for which the old key of a node that rotates is still accepted. HQ's setting decides; the same everywhere, so that a node which is cut off changes over in time.",
    )
    key_settle_minutes: float = Field(
        default=60.0,
        ge=0,
        le=10080,
        description="Minutes that a node's new key is in the registry before the node signs with it.",
    )
    key_warning_days: int = Field(
        default=60,
        ge=1,
        le=365,
        description="Days before the expiry of the node's key from which on it is warned of.",
    )
    registry_stale_days: float = Field(
        default=3.0,
        gt=0,
        le=90,
        description="Days without HQ's word on the registry after which the node warns that its registry may be old.",
    )
    access_token_minutes: int = Field(
        default=15, ge=1, le=120, description="Life of an access token."
    )
    refresh_token_hours: int = Field(
        default=12,
        ge=1,
        le=720,
        description="Life of a refresh token: how long a person stays signed in without a password.",
    )
    sign_in_failures: int = Field(
        default=5,
        ge=1,
        le=100,
        description="Wrong passwords in a row after which sign-in is delayed, twice as long each time.",
    )
    audit_retention_days: int = Field(
        default=1095,
        ge=180,
        description="Days for which audit records are kept at least; `guanxi audit drop` refuses to drop younger ones.",
    )
    erasure_time: str = Field(
        default="03:30",
        pattern=TIME_OF_DAY,
        description="Local time (Asia/Shanghai) of the nightly erasure of customers whose retention period has passed.",
    )
    retention_days: int = Field(
        default=1095,
        ge=0,
        le=36500,
        description="Days after leaving at which a customer's personal data is erased, where the reason for leaving has no retention period of its own.",
    )
    legal_retention_days: int = Field(
        default=730,
        ge=0,
        le=36500,
        description="Days after leaving for which the law wants the identity of telephone users kept: a person's own request for erasure is refused until then.",
    )
    import_file_retention_days: int = Field(
        default=7,
        ge=0,
        le=365,
        description="Days after its end for which the file of an import that failed or was cancelled is kept, so that it can be resumed; of any other the file is deleted at its end.",
    )
    import_reject_retention_days: int = Field(
        default=30,
        ge=1,
        le=3650,
        description="Days after the end of an import for which its rejected rows are kept.",
    )
    import_undo_retention_days: int = Field(
        default=90,
        ge=1,
        le=3650,
        description="Days after the end of an import for which it can be undone: then what its records were before is deleted.",
    )
    export_retention_days: int = Field(
        default=7, ge=1, le=365, description="Days for which the file of an export is kept."
    )
    event_retention_days: int = Field(
        default=30,
        ge=1,
        le=3650,
        description="Days for which events are kept for programs that follow the node.",
    )
    subject_request_working_days: int = Field(
        default=15,
        ge=1,
        le=60,
        description="Working days, Monday to Friday, within which a person's request about the own data is answered.",
    )
    port_network_url: str | None = Field(
        default=None,
        description="Base URL of the network's register of subscribers (HLR), as `docs/ports.md` has its contract. Without it this port is off, and so with the others: nothing is queued for it.",
    )
    port_sms_url: str | None = Field(default=None, description="Base URL of the SMS gateway.")
    port_billing_url: str | None = Field(
        default=None, description="Base URL of the billing system's port."
    )
    port_card_supplier_url: str | None = Field(
        default=None, description="Base URL of the card supplier's port."
    )
    port_receipt_printer_url: str | None = Field(
        default=None, description="Base URL of what prints receipts at counters."
    )
    port_tokens: Path | None = Field(
        default=None,
        description="Directory of secret files named like the ports, such as `network`: each has the bearer token that the port asks for. Read at each call.",
    )
    port_calls_at_once: int = Field(
        default=4, ge=1, le=64, description="How many calls of one port may be under way at once."
    )
    scheduler: bool = Field(
        default=True,
        description="Whether this process may run scheduled work and lanes; off for a process that only serves HTTP.",
    )
    metrics_public: bool = Field(
        default=False,
        description="Whether `GET /metrics` answers without a token: for a scraper on loopback or on a network of operators alone.",
    )
    trace_export_url: str | None = Field(
        default=None,
        description="Where spans are sent by OTLP/HTTP, such as `http://127.0.0.1:4318/v1/traces`. Without it none are made.",
    )
    trace_ratio: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="Which part of the traces to export, chosen by trace id: nodes with the same ratio keep the same traces.",
    )
    undeclared_attributes: Literal["accept", "refuse"] = Field(
        default="accept",
        description="At a city: whether profiles may be given attributes that the node does not declare.",
    )
    log_format: Literal["json", "console"] = Field(
        default="json", description="Form of the log lines on standard output."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severe log lines to print."
    )

    @field_validator("database_url", "database_owner_url")
    @classmethod
    def _postgresql_only(cls, value: str | None) -> str | None:
        if value is not None and not re.match(r"^postgres(ql)?://", value):
            raise ValueError("must begin with postgresql://; no other database is supported")
        return value

    @field_validator(
        "parent_url",
        "trace_export_url",
        "port_network_url",
        "port_sms_url",
        "port_billing_url",
        "port_card_supplier_url",
        "port_receipt_printer_url",
    )
    @classmethod
    def _http_only(cls, value: str | None) -> str | None:
        if value is not None and not re.match(r"^https?://[^/\s]+", value):
            raise ValueError("must be an http:// or https:// address")
        return value.rstrip("/") if value else value

    @model_validator(mode="after")
    def _owner_of_a_database_that_is_given(self) -> Self:
        if self.database_owner_url and not self.database_url:
            raise ValueError(
                "database_owner_url is the address of the owner of the tables, and needs database_url, that of the node's role"
            )
        return self

    @model_validator(mode="after")
    def _hq_has_no_parent(self) -> Self:
        if self.tier is Tier.HQ and self.parent_url:
            raise ValueError("parent_url must be empty for HQ (code 000000), which has no parent")
        return self

    @property
    def tier(self) -> Tier:
        """The tier that the code implies: ``000000`` HQ, ``xx0000`` a province, anything else a city."""
        if self.code == HQ_CODE:
            return Tier.HQ
        return Tier.PROVINCE if self.code.endswith("0000") else Tier.CITY

    @property
    def directory(self) -> Path:
        """Where the node keeps its own keys and files."""
        return self.home / "nodes" / self.code

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read arguments, then the environment, then the TOML file."""
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls, cls.toml_file))


def settings_file(home: Path, code: str) -> Path:
    """Return where the settings of node ``code`` are kept under ``home``."""
    return home / "nodes" / code / "node.toml"


def load_settings(file: Path | None = None, **given: Any) -> Settings:
    """Read a node's settings from ``given``, the environment and ``file``, in that order of precedence.

    Raises:
        SettingsInvalid: if one is missing, unknown or wrong; the message names it.
    """
    if file is not None and not file.is_file():
        raise SettingsInvalid(
            f"There is no settings file {file}. Create it, or give the settings as GUANXI_... variables."
        )
    unknown = sorted(
        name
        for name in os.environ
        if name.startswith("GUANXI_")
        and name not in NOT_SETTINGS
        and name[7:].lower() not in Settings.model_fields
    )
    if unknown:
        raise SettingsInvalid(
            f"{', '.join(unknown)} in the environment names no setting: see docs/settings.md for the right name, or unset it."
        )
    source = type("Settings", (Settings,), {"toml_file": file, "__module__": Settings.__module__})
    try:
        settings: Settings = source(**given)
    except ValidationError as error:
        lines = [_sentence(item, file) for item in error.errors()]
        raise SettingsInvalid("\n".join(lines)) from None
    except (SettingsError, ValueError) as error:
        raise SettingsInvalid(
            f"The settings cannot be read: {error}. Check the GUANXI_... variables and {file or 'the settings file'}."
        ) from None
    return settings


def _sentence(error: Any, file: Path | None) -> str:
    name = str(error["loc"][0]) if error["loc"] else ""
    variable = name if name.isupper() else f"GUANXI_{name.upper()}"
    where = f"{variable} in the environment" + (f" or `{name.lower()}` in {file}" if file else "")
    if not name:
        return f"The settings contradict each other: {error['msg'].removeprefix('Value error, ')}."
    if error["type"] == "missing":
        return f"Setting `{name}` is missing: give it as {where}."
    if error["type"] == "extra_forbidden":
        return f"Setting `{name}` is unknown: remove it from {file or 'the environment'}, or see docs/settings.md for its right name."
    value = "" if "url" in name.lower() else f" {error['input']!r}"
    return f"Setting `{name}`{value} is wrong: {error['msg'].removeprefix('Value error, ')}. It is given as {where}."
