"""The dimensions of the catalogue (9.2), each with its values in the order in which they are shown."""

from shared.kernel.language import Text
from shared.statistics.catalogue import Dimension

DIMENSIONS = (
    Dimension(
        "level",
        Text("Level", "级别"),
        {
            "diamond": Text("Diamond", "钻石"),
            "gold": Text("Gold", "金"),
            "silver": Text("Silver", "银"),
            "standard": Text("Standard", "普通"),
        },
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
)
