"""What lines used in a month, by the hours of the day."""

from shared.kernel.language import Text
from shared.statistics.aggregation import Aggregation, Ratio
from shared.statistics.catalogue import Dataset, Indicator
from shared.statistics.datasets.profile import CAME, LEVEL, MOVED
from shared.statistics.period import PeriodKind
from shared.statistics.vocabulary import Family, Unit

_ROWS = f"""
    SELECT u.band AS time_band, {LEVEL} AS level, u.kind, u.quantity, u.charge_fen
    FROM usage_month u JOIN customer c ON c.id = u.customer_id {MOVED}
    WHERE {CAME} AND u.period >= :first AND u.period < :after
"""  # noqa: S608 - constants alone

DATASET = Dataset(
    "usage",
    Text("Use of lines by month", "月使用量"),
    ("time_band", "level"),
    frozenset({PeriodKind.MONTH}),
    _ROWS,
    late={"usage_month": "period"},
    people="usage_records",
)

INDICATORS = (
    Indicator(
        "voice_seconds",
        Text("Voice", "语音时长"),
        Unit.SECONDS,
        Family.VOLUME,
        "usage",
        Aggregation.SUM,
        Text("Seconds of calls of every kind", "各类通话秒数之和"),
        "sum(quantity) FILTER (WHERE kind IN ('voice_local', 'voice_long_distance', 'voice_roaming'))",
    ),
    Indicator(
        "local_seconds",
        Text("Local voice", "本地语音时长"),
        Unit.SECONDS,
        Family.VOLUME,
        "usage",
        Aggregation.SUM,
        Text("Seconds of local calls", "本地通话秒数"),
        "sum(quantity) FILTER (WHERE kind = 'voice_local')",
    ),
    Indicator(
        "long_distance_seconds",
        Text("Long-distance voice", "长途语音时长"),
        Unit.SECONDS,
        Family.VOLUME,
        "usage",
        Aggregation.SUM,
        Text("Seconds of long-distance calls", "长途通话秒数"),
        "sum(quantity) FILTER (WHERE kind = 'voice_long_distance')",
    ),
    Indicator(
        "roaming_seconds",
        Text("Roaming voice", "漫游语音时长"),
        Unit.SECONDS,
        Family.VOLUME,
        "usage",
        Aggregation.SUM,
        Text("Seconds of calls while roaming", "漫游通话秒数"),
        "sum(quantity) FILTER (WHERE kind = 'voice_roaming')",
    ),
    Indicator(
        "long_distance_share",
        Text("Share of long-distance voice", "长途语音占比"),
        Unit.PERCENT,
        Family.VOLUME,
        "usage",
        Ratio("long_distance_seconds", "voice_seconds", 100),
        Text("`long_distance_seconds` / `voice_seconds` × 100", "长途语音时长 ÷ 语音时长 × 100"),
    ),
    Indicator(
        "roaming_share",
        Text("Share of roaming voice", "漫游语音占比"),
        Unit.PERCENT,
        Family.VOLUME,
        "usage",
        Ratio("roaming_seconds", "voice_seconds", 100),
        Text("`roaming_seconds` / `voice_seconds` × 100", "漫游语音时长 ÷ 语音时长 × 100"),
    ),
    Indicator(
        "messages",
        Text("Short messages", "短信条数"),
        Unit.MESSAGES,
        Family.VOLUME,
        "usage",
        Aggregation.SUM,
        Text("Short messages sent", "发送的短信条数"),
        "sum(quantity) FILTER (WHERE kind = 'sms')",
    ),
    Indicator(
        "data_kilobytes",
        Text("Data", "数据流量"),
        Unit.KILOBYTES,
        Family.VOLUME,
        "usage",
        Aggregation.SUM,
        Text("Kilobytes of data", "数据流量千字节数"),
        "sum(quantity) FILTER (WHERE kind = 'data')",
    ),
    Indicator(
        "usage_charge_fen",
        Text("Charges for use", "使用费收入"),
        Unit.FEN,
        Family.REVENUE,
        "usage",
        Aggregation.SUM,
        Text("Charges for use of every kind", "各类使用费之和"),
        "sum(charge_fen)",
    ),
    Indicator(
        "roaming_charge_fen",
        Text("Charges for roaming", "漫游收入"),
        Unit.FEN,
        Family.REVENUE,
        "usage",
        Aggregation.SUM,
        Text("Charges for calls while roaming", "漫游通话费"),
        "sum(charge_fen) FILTER (WHERE kind = 'voice_roaming')",
    ),
    Indicator(
        "data_charge_fen",
        Text("Charges for data", "数据流量收入"),
        Unit.FEN,
        Family.REVENUE,
        "usage",
        Aggregation.SUM,
        Text("Charges for data", "数据流量费"),
        "sum(charge_fen) FILTER (WHERE kind = 'data')",
    ),
    Indicator(
        "data_charge_share",
        Text("Share of charges that is for data", "数据流量收入占比"),
        Unit.PERCENT,
        Family.REVENUE,
        "usage",
        Ratio("data_charge_fen", "usage_charge_fen", 100),
        Text("`data_charge_fen` / `usage_charge_fen` × 100", "数据流量收入 ÷ 使用费收入 × 100"),
    ),
    Indicator(
        "usage_records",
        Text("Records of use", "使用量记录数"),
        Unit.TIMES,
        Family.VOLUME,
        "usage",
        Aggregation.SUM,
        Text(
            "One for each line, kind of use and hours of the day in the month",
            "当月每条用户线、每类用量、每个时段各计一条",
        ),
        "count(*)",
    ),
)
