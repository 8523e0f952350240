"""The table of divisions is complete and consistent, and codes are checked against it."""

from collections import Counter
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.language import Language
from shared.kernel.tier import Tier
from shared.organisation.division import (
    HQ_CODE,
    NotInAProvince,
    UnknownDivision,
    cities_of,
    division,
    divisions,
    is_within,
    province_of,
)

CODES = sorted(divisions())
any_code = st.sampled_from(CODES)


def test_there_are_one_hq_31_provinces_and_337_cities() -> None:
    assert Counter(place.tier for place in divisions().values()) == {
        Tier.HQ: 1,
        Tier.PROVINCE: 31,
        Tier.CITY: 337,
    }


def test_no_row_is_lost_to_a_repeated_code_and_rows_follow_their_codes() -> None:
    text = files("shared.organisation").joinpath("divisions.csv").read_text("utf-8")
    codes = [line.split(",")[0] for line in text.splitlines()[1:]]
    assert codes == CODES == list(divisions())


def test_every_code_has_six_digits_and_every_parent_follows_from_the_code() -> None:
    for place in divisions().values():
        assert len(place.code) == 6
        assert place.code.isdigit()
        expected = {
            Tier.HQ: None,
            Tier.PROVINCE: HQ_CODE,
            Tier.CITY: f"{place.code[:2]}0000",
        }[place.tier]
        assert place.parent == expected
        if place.parent is not None:
            assert division(place.parent).tier is place.tier.parent


def test_every_province_has_a_city() -> None:
    provinces = [place for place in divisions().values() if place.tier is Tier.PROVINCE]
    assert [p.code for p in provinces if not cities_of(p.code)] == []


def test_the_standards_placeholder_rows_are_left_out() -> None:
    placeholders = ("市辖区", "直辖县级", "行政区划")
    assert [
        place
        for place in divisions().values()
        if place.name_zh == "县" or any(word in place.name_zh for word in placeholders)
    ] == []


@pytest.mark.parametrize("code", ["710000", "810000", "820000"])
def test_places_outside_the_operators_network_are_left_out(code: str) -> None:
    assert code not in divisions()


def test_names_are_clean_and_unique_within_their_parent() -> None:
    for place in divisions().values():
        assert place.name_zh == place.name_zh.strip() != ""
        assert place.name_zh.isalpha()
        assert not place.name_zh.isascii()
        assert place.name_en[0].isupper()
        assert place.name_en.replace("'", "").replace(" ", "").isalpha()
    for attribute in ("name_zh", "name_en"):
        named = Counter((p.parent, getattr(p, attribute)) for p in divisions().values())
        assert [name for name, times in named.items() if times > 1] == []


@pytest.mark.parametrize(
    ("code", "name_zh", "name_en"),
    [
        ("000000", "总部", "Headquarters"),
        ("110000", "北京市", "Beijing"),
        ("110100", "北京市", "Beijing"),
        ("120100", "天津市", "Tianjin"),
        ("310100", "上海市", "Shanghai"),
        ("500100", "重庆市", "Chongqing"),
        ("140000", "山西省", "Shanxi"),
        ("610000", "陕西省", "Shaanxi"),
        ("150000", "内蒙古自治区", "Inner Mongolia"),
        ("440000", "广东省", "Guangdong"),
        ("440100", "广州市", "Guangzhou"),
        ("440300", "深圳市", "Shenzhen"),
        ("540000", "西藏自治区", "Tibet"),
        ("650000", "新疆维吾尔自治区", "Xinjiang"),
        ("140400", "长治市", "Changzhi"),
        ("141100", "吕梁市", "Lüliang"),
        ("150100", "呼和浩特市", "Hohhot"),
        ("152200", "兴安盟", "Hinggan"),
        ("211300", "朝阳市", "Chaoyang"),
        ("222400", "延边朝鲜族自治州", "Yanbian"),
        ("230100", "哈尔滨市", "Harbin"),
        ("232700", "大兴安岭地区", "Daxing'anling"),
        ("321200", "泰州市", "Taizhou"),
        ("331000", "台州市", "Taizhou"),
        ("331100", "丽水市", "Lishui"),
        ("340300", "蚌埠市", "Bengbu"),
        ("341500", "六安市", "Lu'an"),
        ("341600", "亳州市", "Bozhou"),
        ("350200", "厦门市", "Xiamen"),
        ("411100", "漯河市", "Luohe"),
        ("422800", "恩施土家族苗族自治州", "Enshi"),
        ("511100", "乐山市", "Leshan"),
        ("513300", "甘孜藏族自治州", "Garze"),
        ("530800", "普洱市", "Pu'er"),
        ("532800", "西双版纳傣族自治州", "Xishuangbanna"),
        ("540100", "拉萨市", "Lhasa"),
        ("610100", "西安市", "Xi'an"),
        ("632500", "海南藏族自治州", "Hainan"),
        ("650100", "乌鲁木齐市", "Urumqi"),
        ("653100", "喀什地区", "Kashgar"),
    ],
)
def test_well_known_names(code: str, name_zh: str, name_en: str) -> None:
    place = division(code)
    assert (place.name_zh, place.name_en) == (name_zh, name_en)


def test_the_table_is_read_only() -> None:
    with pytest.raises(TypeError):
        divisions()["999999"] = division(HQ_CODE)  # type: ignore[index]


@pytest.mark.parametrize(
    ("code", "meant"),
    [
        ("440305", "440300 深圳市 Shenzhen, 440000 广东省 Guangdong"),
        ("44030", "440300 深圳市 Shenzhen"),
        ("Shenzen", "440300 深圳市 Shenzhen"),
        ("深圳", "440300 深圳市 Shenzhen"),
        ("beijing", "110000 北京市 Beijing, 110100 北京市 Beijing"),
        ("nowhere at all", "000000 总部 Headquarters"),
        ("", "000000 总部 Headquarters"),
    ],
)
def test_an_unknown_code_is_refused_with_what_was_probably_meant(code: str, meant: str) -> None:
    with pytest.raises(UnknownDivision) as refused:
        division(code)
    assert isinstance(refused.value, ValueError)
    for language in Language:
        assert code in refused.value.speak(language)
        assert meant in refused.value.speak(language)


def test_a_refusal_repeats_little_of_a_long_code() -> None:
    with pytest.raises(UnknownDivision) as refused:
        division("4" * 100_000)
    assert len(str(refused.value)) < 300


@given(st.one_of(st.text(), st.from_regex(r"[0-9]{6}", fullmatch=True)))
def test_a_code_is_known_exactly_when_the_table_holds_it(code: str) -> None:
    if code in divisions():
        assert division(code).code == code
    else:
        with pytest.raises(UnknownDivision):
            division(code)


def test_province_of_a_city_a_province_and_hq() -> None:
    assert province_of("440300").code == "440000"
    assert province_of("440000").code == "440000"
    assert province_of("500100").code == "500000"
    with pytest.raises(NotInAProvince):
        province_of(HQ_CODE)


def test_cities_of_each_tier() -> None:
    assert len(cities_of(HQ_CODE)) == 337
    assert len(cities_of("440000")) == 21
    assert [city.code for city in cities_of("110000")] == ["110100"]
    assert [city.code for city in cities_of("440300")] == ["440300"]
    with pytest.raises(UnknownDivision):
        cities_of("449900")


@given(any_code, any_code, any_code)
def test_within_is_a_partial_order_with_hq_on_top(a: str, b: str, c: str) -> None:
    assert is_within(a, a)
    assert is_within(a, HQ_CODE)
    if is_within(a, b) and is_within(b, a):
        assert a == b
    if is_within(a, b) and is_within(b, c):
        assert is_within(a, c)


@given(any_code, any_code)
def test_within_agrees_with_the_digits_of_the_codes(code: str, ancestor: str) -> None:
    prefix = {Tier.HQ: "", Tier.PROVINCE: ancestor[:2], Tier.CITY: ancestor}[
        division(ancestor).tier
    ]
    assert is_within(code, ancestor) == code.startswith(prefix)


@pytest.mark.parametrize(("code", "ancestor"), [("440305", "440000"), ("440300", "449900")])
def test_within_refuses_places_that_are_not_in_the_table(code: str, ancestor: str) -> None:
    with pytest.raises(UnknownDivision):
        is_within(code, ancestor)
