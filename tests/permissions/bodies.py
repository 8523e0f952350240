"""What each change of a city takes: one valid body for each route that changes something."""

from typing import Any

from tests.city.drafts import line

GROUP = {
    "kind": "group",
    "name": "标记集团",
    "document_type": "business_licence",
    "document_number": "91440300MA00000001",
}
HELD: dict[str, dict[str, Any]] = {
    "key-persons": {"name": "李娜", "phone": "13912345678"},
    "agreements": {"number": "A-1", "kind": "service", "title": "专线", "starts_on": "2026-01-01"},
    "products": {
        "product_code": "DIA",
        "name": "专线",
        "category": "dedicated_line",
        "since": "2026-01-01",
    },
    "competitor-use": {"operator": "中国联通", "category": "broadband", "share_percent": 5},
    "preferences": {"topic": "marketing", "value": "welcome"},
    "ties": {"kind": "spouse", "person_name": "王芳", "phone": "13800138000"},
    "interactions": {"channel": "hall", "kind": "inquiry", "subject": "话费"},
    "members": {"since": "2026-01-01"},
}
OFFER = {
    "code": "lounge",
    "name_zh": "机场贵宾厅",
    "name_en": "Airport lounge",
    "benefit_zh": "免费使用一次",
    "benefit_en": "One visit",
    "value_fen": 20_000,
    "cost_fen": 8_000,
    "valid_from": "2026-01-01",
    "condition": "level = gold",
    "exclusive_group": "travel",
}
ATTEMPT = {"channel": "hall", "result": "planned"}
"""What is noted of the customers, by the collection's path."""
OF_GROUP = {"key-persons", "members", "enterprise"}
BODIES: dict[tuple[str, str], Any] = {
    ("PATCH", "/customers/{customer_id}"): {"level": "gold"},
    ("POST", "/customers/{customer_id}/retire"): {"reason": "price"},
    ("POST", "/customers/{customer_id}/subscriptions"): line(8),
    ("PATCH", "/customers/{customer_id}/subscriptions/{subscription_id}"): {"plan": "88"},
    ("POST", "/customers/{customer_id}/contacts"): {"kind": "phone", "value": "13800138001"},
    ("PUT", "/customers/{customer_id}/enterprise"): {"employees": 5},
    ("PATCH", "/organisation/units/{code}"): {"name_zh": "一组"},
    ("PATCH", "/staff/{staff_id}"): {"display_name": "甲"},
    ("POST", "/staff/{staff_id}/password"): {"password": "correct-horse-battery"},
    ("POST", "/card-replacements/{request_id}/cancel"): {"note": "不办了"},
    ("POST", "/service-requests/{request_id}/attention/resolve"): {"note": "已联系归属地"},
    ("POST", "/payments/{request_id}/reverse"): {"reason": "号码有误"},
    ("POST", "/payment-credits/{request_id}/allocate"): {
        "subscription_id": "0198f2b4-6c1e-7d3a-9a44-1f0c5e7b2a40"
    },
    ("POST", "/tills/shifts/{shift_id}/cash-up"): {"counted_fen": 0},
    ("POST", "/tills/shifts/{shift_id}/confirm"): {"note": "已核实"},
    ("POST", "/transfers/{request_id}/cancel"): {"note": "不转了"},
    ("POST", "/repairs/{request_id}/cancel"): {"note": "不修了"},
    ("POST", "/repairs/{request_id}/estimates"): {"labour_fen": 5000},
    ("POST", "/repairs/{request_id}/agree"): {"estimate": 1},
    ("POST", "/repairs/{request_id}/decline"): {"estimate": 1},
    ("POST", "/repairs/{request_id}/loan"): {},
    ("POST", "/repairs/{request_id}/loan/end"): {"ending": "returned"},
    ("POST", "/repairs/{request_id}/repaired"): {"result": "fixed"},
    ("POST", "/repairs/{request_id}/goodwill"): {"goodwill_fen": 100, "note": "备件迟到"},
    ("POST", "/repairs/{request_id}/return"): {},
    ("POST", "/repairs/{request_id}/satisfaction"): {"score": 5},
    ("POST", "/customers/{customer_id}/win-back-attempts"): ATTEMPT,
    ("PATCH", "/customers/{customer_id}/win-back-attempts/{item}"): {"note": "再联系"},
    ("POST", "/customers/{customer_id}/legal-holds"): {"reason": "诉讼未决"},
    ("POST", "/customers/{customer_id}/level-appointments"): {
        "level": "gold",
        "reason": "市重点企业负责人",
        "until": "2027-06-01",
    },
    ("PUT", "/customers/{customer_id}/contacts/{contact_id}/bounce"): {"note": "空号"},
    ("POST", "/customers/{customer_id}/offer-grants"): {"offer": OFFER["code"], "uses": 1},
    ("POST", "/offers"): OFFER,
    ("PATCH", "/offers/{code}"): {"cost_fen": 100},
    ("PUT", "/offers/{code}/quotas/{year}/{unit}"): {"uses": 10, "budget_fen": 100_000},
    ("POST", "/offer-grants/{grant_id}/refuse"): {"reason": "无预算"},
    ("POST", "/offer-grants/{grant_id}/cancel"): {"reason": "客户放弃"},
    ("POST", "/offer-grants/{grant_id}/uses"): {"channel": "hall"},
    ("POST", "/offer-uses/{use_id}/reverse"): {"reason": "mistake"},
    **{
        ("POST", f"/prospects/{{prospect_id}}/{verb}"): body
        for verb, body in {
            "qualify": {"note": "企业主"},
            "disqualify": {"ending": "one_off"},
            "nurture": {},
            "drop": {"ending": "not_interested"},
            "reopen": {},
            "assign": {"manager_id": None},
            "steps/{step}/complete": {"outcome": "succeeded"},
        }.items()
    },
    ("POST", "/subject-requests/{request_id}/verify"): {"identity_check": "本人持证件"},
    ("POST", "/subject-requests/{request_id}/refuse"): {"code": "active_contract"},
    ("POST", "/customers/{customer_id}/points/adjustments"): {"points": 1, "reason": "补偿"},
    ("POST", "/customers/{customer_id}/points/freeze"): {"reason": "核实"},
    ("POST", "/customers/{customer_id}/points/redemptions"): {"reward": "umbrella"},
    ("POST", "/statistics/reports"): {"name": "客户", "question": {"indicator": ["customers"]}},
    ("PATCH", "/statistics/reports/{report_id}"): {"schedule": "nightly"},
    ("POST", "/port-calls/{call_id}/discard"): {"reason": "已由网络侧人工处理"},
    ("POST", "/points-adjustments/{adjustment_id}/reject"): {"reason": "无依据"},
    ("POST", "/points-redemptions/{redemption_id}/cancel"): {"reason": "不要了"},
    ("POST", "/points-redemptions/{redemption_id}/reverse"): {"reason": "损坏", "returned": True},
    **{
        ("POST", f"/subject-requests/{{request_id}}/{verb}"): {}
        for verb in ("fulfil", "propose", "send-back", "withdraw")
    },
}
"""What each change takes that is no change of something held; one that is missing here is refused as invalid (422)."""
