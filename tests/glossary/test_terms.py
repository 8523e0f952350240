"""The glossary is complete, consistent in both languages, and the same as its page in the docs."""

import re
from collections import Counter
from itertools import groupby
from pathlib import Path

import pytest

from shared.glossary.terms import Term, Topic, UnknownTerm, render_markdown, term, terms
from shared.kernel.language import Language

PAGE = Path(__file__).parents[2] / "docs" / "glossary.md"
CHINESE = re.compile(r"[\u4e00-\u9fff]")

WORDS_OF_THE_FEATURE_TABLE = """
大客户 地市 省 直辖市 总部 组织机构 三级 客户档案 在网档案库 保留档案库 信息采集 信息更新
服务规则 信誉度评定 积分 界定与级别划分 潜在大客户 优惠
普通服务 首问负责制 集团解决方案 个人解决方案 预约服务 跨地区补卡 跨地区维修 跨地区缴费
冲正 跨地区转网 归属地 受理地 综合分析 综合查询 综合统计 目标客户群锁定 发展情况 业务收入 通信行为
欠费 异动 满意度 竞争对手 专业分析工具 热装冷用 客户细分与价值 客户经理 工作管理 任务 业绩考核
系统管理 职责与权限 系统监控 日志 数据备份 接口 术语与指标 分析角度 指标体系
"""

DIMENSIONS = (
    "time region level industry brand tenure age sex spend_band product channel account_manager"
)

ROLES = {
    "clerk": "营业员",
    "account_manager": "客户经理",
    "supervisor": "主管",
    "province_coordinator": "省协调员",
    "hq_analyst": "总部分析员",
    "operator": "运维员",
    "auditor": "审计员",
    "integration": "接口账号",
}


def test_the_page_in_the_docs_is_the_catalogue() -> None:
    assert PAGE.read_text("utf-8") == render_markdown(), (
        "docs/glossary.md is out of date: "
        "write it anew with python -m shared.glossary.terms > docs/glossary.md"
    )


def test_the_page_shows_every_term_once_under_its_topic() -> None:
    sections = render_markdown().split("\n## ")[1:]
    assert len(sections) == len(Topic)
    for topic, section in zip(Topic, sections, strict=True):
        assert section.startswith(f"{topic.heading.en} {topic.heading.zh}\n")
        shown = re.findall(r"\| `(\w+)` \|", section)
        assert shown == [entry.code for entry in terms() if entry.topic is topic]
        assert shown != []


@pytest.mark.parametrize("attribute", ["code", "zh", "en", "definition_zh", "definition_en"])
def test_no_two_terms_share_a_code_a_name_or_a_definition(attribute: str) -> None:
    counted = Counter(getattr(entry, attribute).casefold() for entry in terms())
    assert [value for value, times in counted.items() if times > 1] == []


@pytest.mark.parametrize("entry", terms(), ids=lambda entry: entry.code)
def test_a_term_is_whole_and_each_language_is_in_its_column(entry: Term) -> None:
    assert term(entry.code) is entry
    assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", entry.code)
    assert re.fullmatch(r"[2-9](\.\d+){0,2}[a-e]?|B[1-4]", entry.row)
    for chinese in (entry.zh, entry.definition_zh):
        assert CHINESE.search(chinese)
    for english in (entry.en, entry.definition_en):
        assert not CHINESE.search(english)
        assert english[0].isupper()
    for text in (entry.zh, entry.en, entry.definition_zh, entry.definition_en):
        assert text == text.strip()
        assert "|" not in text


@pytest.mark.parametrize("entry", terms(), ids=lambda entry: entry.code)
def test_a_definition_is_one_short_sentence(entry: Term) -> None:
    assert entry.definition_zh.endswith("。")
    assert entry.definition_zh.count("。") == 1
    assert entry.definition_en.endswith(".")
    assert ". " not in entry.definition_en
    assert len(entry.definition_zh) <= 60
    assert len(entry.definition_en) <= 130


def test_topics_stand_together_in_their_order() -> None:
    assert [topic for topic, _ in groupby(terms(), lambda entry: entry.topic)] == list(Topic)


@pytest.mark.parametrize("word", WORDS_OF_THE_FEATURE_TABLE.split())
def test_every_word_of_the_feature_table_is_a_term(word: str) -> None:
    assert word in {entry.zh for entry in terms()}


@pytest.mark.parametrize("code", DIMENSIONS.split())
def test_every_dimension_is_a_term_and_named_by_the_term_dimension(code: str) -> None:
    assert term(code).zh in term("dimension").definition_zh


def test_the_roles_are_the_seven_of_the_permission_model() -> None:
    assert {entry.code: entry.zh for entry in terms() if entry.topic is Topic.ROLE} == ROLES


def test_there_are_six_indicator_families() -> None:
    assert len([entry for entry in terms() if entry.topic is Topic.FAMILY]) == 6


@pytest.mark.parametrize(
    ("code", "zh", "en"),
    [
        ("home_node", "归属地", "Home node"),
        ("visited_node", "受理地", "Visited node"),
        ("retained_library", "保留档案库", "Retained library"),
        ("contact_medium", "联系方式", "Contact medium"),
        ("parked_message", "搁置消息", "Parked message"),
        ("restatement", "重述", "Restatement"),
    ],
)
def test_look_up_by_code(code: str, zh: str, en: str) -> None:
    assert (term(code).zh, term(code).en) == (zh, en)


def test_an_unknown_code_is_refused_in_both_languages() -> None:
    with pytest.raises(UnknownTerm) as refused:
        term("no_such_term")
    for language in Language:
        assert "no_such_term" in refused.value.speak(language)
