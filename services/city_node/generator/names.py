"""Names as they are met: surnames and given names by how frequent they are, companies by place and trade."""

import random
from itertools import accumulate

_SURNAMES = (
    "王720李718张680刘510陈480杨316赵268黄260周234吴228徐185孙178胡158朱154高148林146何144郭140马138罗126梁116宋108郑106谢100韩98唐95冯92于88"
    "董86萧84程82曹80袁78邓77许76傅74沈72曾70彭69吕66苏64卢62蒋61蔡60贾58丁57魏56薛54叶52阎50余48潘47杜46戴45夏44钟43汪42田41任40姜39范38方37石36"
    "姚35谭34廖33邹32熊31金30陆29郝28孔27白26崔25康24毛23邱22秦21江20史19顾18侯17邵16孟15龙14万13段12雷11钱10汤9"
)
"""Each surname with its bearers in ten thousand persons, of a selection."""
_GIVEN_MALE = "伟强磊军勇杰涛超明刚平辉鹏华飞鑫波斌宇浩凯健俊帆帅旭宁龙林阳建国志文海东成新永光庆子轩浩然博天一晨昊泽睿"
_GIVEN_FEMALE = (
    "芳娜敏静丽艳娟霞秀兰燕玲桂英丹萍红玉梅莉雪婷慧莹洁琳晶晨倩云颖佳怡欣雨涵梓萱思诗语嘉悦琪瑶雅馨"
)
_TRADES = (
    ("科技", "65"),
    ("电子", "39"),
    ("精密制造", "35"),
    ("物流", "54"),
    ("建设", "47"),
    ("贸易", "51"),
    ("商贸", "52"),
    ("酒店", "61"),
    ("餐饮", "62"),
    ("置业", "70"),
    ("咨询", "72"),
    ("传媒", "87"),
    ("医药", "27"),
    ("教育", "83"),
    ("能源", "44"),
    ("农业", "01"),
    ("保险代理", "68"),
    ("网络", "64"),
)
"""Words of company names, and the divisions of GB/T 4754 that they speak of."""
_BRANDS = "华盛鼎信恒泰瑞丰宏远嘉诚金鹏中天博雅联创东方正大新源万通明德安泰永兴海纳星辰启航云帆"
_LEGAL_FORMS = ("有限公司", "有限公司", "有限公司", "股份有限公司", "集团有限公司")


def _with_weights(text: str) -> tuple[list[str], list[int]]:
    names: list[str] = []
    weights: list[int] = []
    for character in text:
        if character.isdigit():
            weights[-1] = weights[-1] * 10 + int(character)
        else:
            names.append(character)
            weights.append(0)
    return names, list(accumulate(weights))


_NAMES, _CUMULATED = _with_weights(_SURNAMES)
_TWO_CHARACTERS = 0.82


def person_name(chance: random.Random, *, male: bool) -> str:
    """Return a person's name; characters that come early in their list come more often."""
    given = _GIVEN_MALE if male else _GIVEN_FEMALE
    name = chance.choices(_NAMES, cum_weights=_CUMULATED)[0] + _early(chance, given)
    return name + _early(chance, given) if chance.random() < _TWO_CHARACTERS else name


def _early(chance: random.Random, characters: str) -> str:
    return characters[int(len(characters) * chance.random() ** 1.6)]


def company_name(chance: random.Random, place: str) -> tuple[str, str]:
    """Return a company's name and the code of its industry."""
    at = 2 * chance.randrange(len(_BRANDS) // 2)
    trade, industry = _TRADES[int(len(_TRADES) * chance.random())]
    other = chance.choice(_BRANDS)
    return f"{place}{_BRANDS[at : at + 2]}{other}{trade}{chance.choice(_LEGAL_FORMS)}", industry
