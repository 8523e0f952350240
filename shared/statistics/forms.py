"""In which forms an answer is given, and which of them a request asks for (RFC 9110, 12.5.1)."""

from collections.abc import Mapping
from enum import StrEnum

from shared.kernel.listing import QueryInvalid
from shared.kernel.problems import Fault
from shared.statistics.problems import FormatNotOffered


class Form(StrEnum):
    """The form of an answer, the one that is given to whoever takes any first."""

    JSON = "json"
    CSV = "csv"
    XLSX = "xlsx"
    PARQUET = "parquet"
    ARROW = "arrow"


MEDIA_TYPES: Mapping[Form, str] = {
    Form.JSON: "application/json",
    Form.CSV: "text/csv",
    Form.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    Form.PARQUET: "application/vnd.apache.parquet",
    Form.ARROW: "application/vnd.apache.arrow.stream",
}


def content_type(form: Form) -> str:
    """Return the ``Content-Type`` of an answer."""
    return f"{MEDIA_TYPES[form]}; charset=utf-8" if form is Form.CSV else MEDIA_TYPES[form]


def form_of(named: str | None, accept: str | None) -> Form:
    """Return the form that a request asks for: by name, or else by its ``Accept``.

    Raises:
        QueryInvalid: if there is none of that name (400).
        FormatNotOffered: if ``Accept`` takes none of them (406).
    """
    if named is not None:
        if named not in set(Form):
            raise QueryInvalid("format", named, ", ".join(Form))
        return Form(named)
    if accept is None:
        return Form.JSON
    wanted = _wanted(accept)
    best = max(Form, key=lambda form: _quality(MEDIA_TYPES[form], wanted))
    if _quality(MEDIA_TYPES[best], wanted) <= 0:
        raise FormatNotOffered(
            faults=[
                Fault(
                    "header:Accept",
                    f"one of {', '.join(MEDIA_TYPES.values())}",
                    f"可用：{', '.join(MEDIA_TYPES.values())}",
                )
            ],
            offered=", ".join(MEDIA_TYPES.values()),
            given=accept,
            names=", ".join(Form),
        )
    return best


def _wanted(accept: str) -> dict[str, float]:
    """Return the media ranges of an ``Accept`` header with their weights."""
    wanted = {}
    for each in accept.split(","):
        media_range, *parameters = (part.strip().lower() for part in each.split(";"))
        weight = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "q":
                try:
                    weight = float(value)
                except ValueError:
                    weight = 0.0
        wanted[media_range] = weight
    return wanted


def _quality(media_type: str, wanted: Mapping[str, float]) -> float:
    """Return how much a media type is wanted: the most specific range decides."""
    kind = media_type.partition("/")[0]
    for media_range in (media_type, f"{kind}/*", "*/*"):
        if media_range in wanted:
            return wanted[media_range]
    return 0.0
