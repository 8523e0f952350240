"""Families and units of indicators, who answers for them, how they are put together, and what all that is called."""

from collections.abc import Mapping
from enum import StrEnum

from shared.kernel.language import Text


class Family(StrEnum):
    """One of the six families of indicators (9.3)."""

    CUSTOMERS = "customers"
    VOLUME = "volume"
    REVENUE = "revenue"
    MANAGERS = "managers"
    SERVICE = "service"
    MARKETING = "marketing"


FAMILY_NAMES: Mapping[Family, Text] = {
    Family.CUSTOMERS: Text("Customers", "客户类"),
    Family.VOLUME: Text("Volume", "业务量类"),
    Family.REVENUE: Text("Revenue", "收入类"),
    Family.MANAGERS: Text("Managers", "客户经理类"),
    Family.SERVICE: Text("Service", "服务类"),
    Family.MARKETING: Text("Marketing", "营销类"),
}


class Unit(StrEnum):
    """What a value counts."""

    CUSTOMERS = "customers"
    SUBSCRIPTIONS = "subscriptions"
    BILLS = "bills"
    FEN = "fen"
    MONTHS = "months"
    LINES = "lines"
    PRODUCTS = "products"
    SECONDS = "seconds"
    MESSAGES = "messages"
    KILOBYTES = "kilobytes"
    POINTS = "points"
    TIMES = "times"
    PEOPLE = "people"
    TASKS = "tasks"
    DAYS = "days"
    MINUTES = "minutes"
    MARKS = "marks"
    MANAGERS = "managers"
    PLACE = "place"
    PERCENT = "percent"
    PER_CUSTOMER = "per_customer"


OWNERS: Mapping[Family, Text] = {
    Family.CUSTOMERS: Text("Key-customer management", "大客户管理"),
    Family.VOLUME: Text("Network and product management", "业务与产品管理"),
    Family.REVENUE: Text("Finance", "财务"),
    Family.MANAGERS: Text("Account-manager supervision", "客户经理管理"),
    Family.SERVICE: Text("Customer service", "客户服务"),
    Family.MARKETING: Text("Marketing", "市场营销"),
}
"""Which department of HQ answers for what an indicator means."""


UNIT_NAMES: Mapping[Unit, Text] = {
    Unit.CUSTOMERS: Text("customers", "户"),
    Unit.SUBSCRIPTIONS: Text("subscriptions", "用户"),
    Unit.BILLS: Text("bills", "张"),
    Unit.FEN: Text("fen", "分"),
    Unit.MONTHS: Text("months", "月"),
    Unit.LINES: Text("lines", "线"),
    Unit.PRODUCTS: Text("products", "个产品"),
    Unit.SECONDS: Text("seconds", "秒"),
    Unit.MESSAGES: Text("messages", "条"),
    Unit.KILOBYTES: Text("kilobytes", "千字节"),
    Unit.POINTS: Text("points", "积分"),
    Unit.TIMES: Text("times", "次"),
    Unit.PEOPLE: Text("people", "人"),
    Unit.TASKS: Text("tasks", "项"),
    Unit.DAYS: Text("days", "天"),
    Unit.MINUTES: Text("minutes", "分钟"),
    Unit.MARKS: Text("marks", "评分"),
    Unit.MANAGERS: Text("managers", "名经理"),
    Unit.PLACE: Text("place", "名次"),
    Unit.PERCENT: Text("%", "%"),
    Unit.PER_CUSTOMER: Text("per customer", "每户"),
}


AGGREGATION_NAMES: Mapping[str, Text] = {
    "sum": Text("adds up over regions and over time", "按地区、按时间均可累加"),
    "snapshot": Text(
        "adds up over regions; over time the last period stands",
        "按地区累加；按时间取期末值",
    ),
    "max": Text("the greatest over regions and time", "按地区、按时间取最大值"),
    "min": Text("the least over regions and time", "按地区、按时间取最小值"),
    "distinct": Text(
        "estimated from merged sketches: each is counted once over regions and over time",
        "由可合并概要合并估计：按地区、按时间均去重",
    ),
    "distribution": Text(
        "the median, from sketches merged over regions and over time",
        "由可合并概要按地区、按时间合并后取中位数",
    ),
    "distribution_at_end": Text(
        "the median, from sketches merged over regions; over time the last period stands",
        "由可合并概要按地区合并后取中位数；按时间取期末值",
    ),
    "quantile": Text(
        "from the merged sketches of the median, never averaged",
        "由中位数指标的概要合并后取分位数，不作平均",
    ),
    "ratio": Text(
        "divided from sums when asked for, never averaged", "查询时由合计相除，不对平均值再平均"
    ),
    "difference": Text("subtracted from sums when asked for", "查询时由合计相减"),
    "share": Text("of the answer's total of the period", "占查询结果当期合计的比重"),
    "change": Text("less that of an earlier period of the same cities", "与相同地市往期之差"),
    "growth": Text("compared with an earlier period of the same cities", "与相同地市的往期相比"),
    "rank": Text("among the answer's rows of the period", "在查询结果当期各行中的名次"),
    "moving_sum": Text("added over the last periods of the same cities", "按相同地市的近几期累加"),
}
