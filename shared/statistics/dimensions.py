"""The dimensions of the catalogue (9.2), each with its values in the order in which they are shown.

Time and region are dimensions of every figure, with hierarchies of their own: days and months, cities and provinces.
"""

from shared.kernel.language import Text
from shared.statistics.catalogue import Dimension
from shared.statistics.industry import EDITION, industries

_UNKNOWN = Text("Unknown", "未知")
_INDUSTRIES = {each["code"]: each for each in industries()}
_LEVELS = {
    "diamond": Text("Diamond", "钻石"),
    "gold": Text("Gold", "金"),
    "silver": Text("Silver", "银"),
    "standard": Text("Standard", "普通"),
}


DIMENSIONS = (
    Dimension(
        "level",
        Text("Level", "级别"),
        _LEVELS,
    ),
    Dimension(
        "contract_term",
        Text("Contract", "合约期"),
        {
            "none": Text("No contract", "无合约"),
            "monthly": Text("Month to month", "按月"),
            "one_year": Text("One year", "一年"),
            "two_year": Text("Two years", "两年"),
        },
    ),
    Dimension(
        "tenure_band",
        Text("Tenure", "在网时长"),
        {
            "0-12": Text("0 to 12 months", "0–12 个月"),
            "13-24": Text("13 to 24 months", "13–24 个月"),
            "25-48": Text("25 to 48 months", "25–48 个月"),
            "49-60": Text("49 to 60 months", "49–60 个月"),
            "61+": Text("61 months and more", "61 个月及以上"),
        },
    ),
    Dimension(
        "sex",
        Text("Sex", "性别"),
        {
            "male": Text("Male", "男"),
            "female": Text("Female", "女"),
            "unknown": Text("Unknown", "未知"),
        },
    ),
    Dimension(
        "age_band",
        Text("Age", "年龄"),
        {
            "0-17": Text("Under 18", "18 岁以下"),
            "18-25": Text("18 to 25", "18–25 岁"),
            "26-35": Text("26 to 35", "26–35 岁"),
            "36-45": Text("36 to 45", "36–45 岁"),
            "46-55": Text("46 to 55", "46–55 岁"),
            "56-65": Text("56 to 65", "56–65 岁"),
            "66+": Text("66 and more", "66 岁及以上"),
            "unknown": _UNKNOWN,
        },
    ),
    Dimension(
        "spend_band",
        Text("Monthly spend", "月消费"),
        {
            "0-99": Text("Under 100 yuan", "100 元以下"),
            "100-299": Text("100 to 299 yuan", "100–299 元"),
            "300-699": Text("300 to 699 yuan", "300–699 元"),
            "700-1699": Text("700 to 1699 yuan", "700–1699 元"),
            "1700+": Text("1700 yuan and more", "1700 元及以上"),
        },
    ),
    Dimension(
        "customer_kind",
        Text("Kind of customer", "客户类型"),
        {"individual": Text("Individual", "个人"), "group": Text("Group", "集团")},
    ),
    Dimension(
        "industry",
        Text("Industry", "行业大类"),
        {
            **{code: Text(each["name_en"], each["name_zh"]) for code, each in _INDUSTRIES.items()},
            "unknown": _UNKNOWN,
        },
        version=EDITION,
    ),
    Dimension(
        "industry_section",
        Text("Section of industry", "行业门类"),
        {
            **{
                code: Text(each["name_en"], each["name_zh"])
                for code, each in _INDUSTRIES.items()
                if code == each["section"]
            },
            "unknown": _UNKNOWN,
        },
        version=EDITION,
        of="industry",
        parents={
            **{code: each["section"] for code, each in _INDUSTRIES.items()},
            "unknown": "unknown",
        },
    ),
    Dimension(
        "enterprise_size",
        Text("Size of enterprise", "企业规模"),
        {
            "large": Text("Large", "大型"),
            "medium": Text("Medium", "中型"),
            "small": Text("Small", "小型"),
            "micro": Text("Micro", "微型"),
            "unknown": _UNKNOWN,
        },
    ),
    Dimension("brand", Text("Brand", "品牌"), {}),
    Dimension(
        "product_category",
        Text("Category of product", "产品类别"),
        {
            "voice": Text("Voice", "语音"),
            "data": Text("Data", "数据"),
            "broadband": Text("Broadband", "宽带"),
            "dedicated_line": Text("Dedicated line", "专线"),
            "messaging": Text("Messaging", "消息"),
            "internet_of_things": Text("Internet of things", "物联网"),
            "cloud": Text("Cloud", "云"),
            "ict": Text("ICT", "ICT"),
            "other": Text("Other", "其他"),
        },
    ),
    Dimension(
        "time_band",
        Text("Hours of the day", "时段"),
        {
            "day": Text("08 to 18", "8–18 时"),
            "evening": Text("18 to 24", "18–24 时"),
            "night": Text("00 to 08", "0–8 时"),
            "all": Text("Not told apart", "未区分"),
        },
    ),
    Dimension(
        "arrears_age",
        Text("Months overdue", "欠费账龄"),
        {
            "1": Text("1 month", "1 个月"),
            "2-3": Text("2 to 3 months", "2–3 个月"),
            "4-6": Text("4 to 6 months", "4–6 个月"),
            "7-12": Text("7 to 12 months", "7–12 个月"),
            "13+": Text("13 months and more", "13 个月及以上"),
        },
    ),
    Dimension("credit_rating", Text("Credit rating", "信誉度等级"), {}),
    Dimension("reward", Text("Reward", "礼品"), {}),
    Dimension("from_level", Text("Level before", "原级别"), _LEVELS),
    Dimension(
        "target_level",
        Text("Level to be reached", "目标级别"),
        {code: name for code, name in _LEVELS.items() if code != "standard"},
    ),
    Dimension("offer", Text("Offer", "优惠"), {}),
    Dimension("departure_reason", Text("Reason of leaving", "离网原因"), {}),
    Dimension("competitor", Text("Competitor", "竞争对手"), {}),
    Dimension(
        "channel",
        Text("Channel", "渠道"),
        {
            "call_centre": Text("Call centre", "呼叫中心"),
            "hall": Text("Service hall", "营业厅"),
            "web": Text("Web", "网上"),
            "email": Text("E-mail", "电子邮件"),
            "manager": Text("Account manager", "客户经理"),
            "sms": Text("Short message", "短信"),
        },
    ),
    Dimension(
        "win_back_result",
        Text("Result of win-back", "挽回结果"),
        {
            "planned": Text("Planned", "计划中"),
            "contacted": Text("Contacted", "已联系"),
            "interested": Text("Interested", "有意向"),
            "declined": Text("Declined", "拒绝"),
            "unreachable": Text("Not reached", "无法联系"),
            "returned": Text("Returned", "已回网"),
        },
    ),
    Dimension(
        "interaction_kind",
        Text("Kind of contact", "接触类型"),
        {
            "inquiry": Text("Inquiry", "咨询"),
            "business": Text("Business handling", "业务办理"),
            "complaint": Text("Complaint", "投诉"),
            "fault": Text("Fault report", "报障"),
            "visit": Text("Visit", "走访"),
            "outreach": Text("Begun by the operator", "主动联系"),
            "other": Text("Other", "其他"),
        },
    ),
    Dimension(
        "verification_reason",
        Text("Reason of verification", "核实原因"),
        {
            "bounced": Text("Not reached", "联系失败"),
            "never": Text("Never verified", "从未核实"),
            "stale": Text("Out of date", "超期未核实"),
        },
    ),
    Dimension("request_kind", Text("Kind of request", "请求类型"), {}),
    Dimension(
        "request_role",
        Text("End of the request", "请求端"),
        {"visited": Text("Visited city", "拜访地"), "home": Text("Home city", "归属地")},
    ),
    Dimension("unit", Text("Manager's unit", "经理所属机构"), {}),
    Dimension(
        "load_band",
        Text("Customers of the manager", "经理负责客户数"),
        {
            "none": Text("No manager", "无经理"),
            "1-50": Text("1 to 50", "1–50"),
            "51-100": Text("51 to 100", "51–100"),
            "101-200": Text("101 to 200", "101–200"),
            "201+": Text("201 and more", "201 及以上"),
        },
    ),
)
