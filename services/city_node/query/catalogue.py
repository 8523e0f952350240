"""What conditions may ask about: fields, things that a customer has, and monthly measures; with their types and SQL."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from services.city_node.agreement.models import AgreementKind
from services.city_node.customer.identity import contact_form, document_form
from services.city_node.customer.models import (
    ChangeAction,
    ChangeSource,
    ContractTerm,
    CustomerKind,
    DocumentType,
    Level,
    Library,
    MediumKind,
    Sex,
    SubscriptionStatus,
)
from services.city_node.customer.privacy import ADDRESS, BIRTH_DATE, CONTACT, DOCUMENT
from services.city_node.interaction.models import Channel, InteractionKind
from services.city_node.preference.models import PreferenceTopic
from services.city_node.product_holding.models import ProductCategory
from services.city_node.query.condition import Operator
from services.city_node.usage.models import TimeBand, UsageKind
from shared.kernel.language import Text

_O = Operator
_EQUALITY = (_O.EQUAL, _O.UNEQUAL, _O.IN, _O.NOT_IN)
_ORDER = (_O.EQUAL, _O.UNEQUAL, _O.LESS, _O.AT_MOST, _O.GREATER, _O.AT_LEAST, _O.BETWEEN)


class Type(StrEnum):
    """The type of a field, and with it how its values are written and which operators it has."""

    CHOICE = "choice"
    TEXT = "text"
    INTEGER = "integer"
    AMOUNT = "amount"
    DATE = "date"
    INSTANT = "instant"
    """A moment, compared by its business day."""
    MONTH = "month"
    BOOLEAN = "boolean"
    ID = "id"
    UNIT = "unit"
    DOCUMENT = "document"
    """A document number, telephone number or address that is encrypted: found whole, by its blind index."""
    ATTRIBUTE = "attribute"
    """Whatever a custom attribute holds: compared with a value of the same type, and otherwise false."""

    @property
    def operators(self) -> tuple[Operator, ...]:
        """The operators of a field of this type, but for the null tests."""
        return _OPERATORS[self]


_OPERATORS: Mapping[Type, tuple[Operator, ...]] = {
    Type.CHOICE: _EQUALITY,
    Type.TEXT: (*_EQUALITY, _O.BEGINS),
    Type.INTEGER: _ORDER,
    Type.AMOUNT: _ORDER,
    Type.DATE: _ORDER,
    Type.INSTANT: _ORDER,
    Type.MONTH: _ORDER,
    Type.BOOLEAN: (_O.EQUAL, _O.UNEQUAL),
    Type.ID: _EQUALITY,
    Type.UNIT: (*_EQUALITY, _O.WITHIN),
    Type.DOCUMENT: (_O.EQUAL,),
    Type.ATTRIBUTE: (*_EQUALITY, *_ORDER[2:-1], _O.BEGINS),
}

UNITS: Mapping[str, Mapping[str, int]] = {
    "fen": {"yuan": 100, "元": 100, "fen": 1, "分": 1},
    "seconds": {"hours": 3600, "minutes": 60, "seconds": 1},
    "kilobytes": {"GB": 1024 * 1024, "MB": 1024, "KB": 1},
}
"""How amounts are written in the text form, by the unit in which they are kept."""


@dataclass(frozen=True, slots=True)
class Field:
    """One thing to ask about.

    Attributes:
        type: its type.
        label: what people call it.
        sql: its expression.
        nullable: whether there may be none.
        choices: the values of a choice.
        unit: of an amount.
        permission: what a reader must hold to ask for it.
        kept: whether a condition with it may be kept, in a segment for instance.
    """

    type: Type
    label: Text
    sql: str
    nullable: bool = False
    choices: tuple[str, ...] = ()
    unit: str | None = None
    permission: str | None = None
    kept: bool = True
    forms: Callable[[str], Iterable[str]] | None = None
    """For a blind index: what a value may be indexed as."""

    @property
    def operators(self) -> tuple[Operator, ...]:
        """What it can be compared by."""
        return (*self.type.operators, *((_O.NULL, _O.NOT_NULL) if self.nullable else ()))


@dataclass(frozen=True, slots=True)
class Relation:
    """Things that a customer has: ``source`` follows ``FROM`` and names those of customer ``c``."""

    label: Text
    source: str
    fields: Mapping[str, Field]


@dataclass(frozen=True, slots=True)
class Measure:
    """A quantity by month: ``quantity`` and ``period`` are columns of ``source``, which follows ``FROM``."""

    label: Text
    source: str
    quantity: str
    period: str
    value: Field
    """What it is compared as."""


def _field(type_: Type, en: str, zh: str, sql: str) -> Field:
    return Field(type_, Text(en, zh), sql)


def _nullable(field: Field) -> Field:
    return replace(field, nullable=True)


def _choice(en: str, zh: str, sql: str, of: type[StrEnum]) -> Field:
    return Field(Type.CHOICE, Text(en, zh), sql, choices=tuple(of))


def _sealed(label: Text, sql: str, permission: str, forms: Callable[[str], Iterable[str]]) -> Field:
    return Field(Type.DOCUMENT, label, sql, permission=permission, kept=False, forms=forms)


def _money(en: str, zh: str, sql: str) -> Field:
    return Field(Type.AMOUNT, Text(en, zh), sql, unit="fen")


AGE = (
    "(extract(year FROM {today})::bigint - extract(year FROM c.birth_date)::bigint"
    " - (to_char({today}, 'MMDD') < to_char(c.birth_date, 'MMDD'))::int)"
)
"""Whole years; ``{today}`` stands for the business day."""

FIELDS: Mapping[str, Field] = {
    "customer_number": _field(Type.TEXT, "Customer number", "客户编号", "c.customer_number"),
    "kind": _choice("Kind", "客户类型", "c.kind", CustomerKind),
    "library": _choice("Library", "档案库", "c.library", Library),
    "name": _field(Type.TEXT, "Name", "客户名称", "c.name"),
    "sex": _choice("Sex", "性别", "c.sex", Sex),
    "birth_date": replace(
        _nullable(_field(Type.DATE, "Date of birth", "出生日期", "c.birth_date")),
        permission=BIRTH_DATE,
    ),
    "age": _nullable(_field(Type.INTEGER, "Age", "年龄", AGE)),
    "document_type": _nullable(
        _choice("Document type", "证件类型", "c.document_type", DocumentType)
    ),
    "document": _sealed(
        Text("Document number", "证件号码"),
        "c.document_index",
        DOCUMENT,
        lambda number: (document_form(number),),
    ),
    "level": _choice("Level", "级别", "c.level", Level),
    "unit": _field(Type.UNIT, "Unit", "所属单位", "c.unit_code"),
    "manager": _nullable(_field(Type.ID, "Account manager", "客户经理", "c.manager_id")),
    "contract_term": _choice("Contract term", "合约期限", "c.contract_term", ContractTerm),
    "payment_method": _nullable(
        _field(Type.TEXT, "Payment method", "付费方式", "c.payment_method")
    ),
    "monthly_charge": _money("Monthly charge", "月消费", "c.monthly_charge_fen"),
    "total_charge": _money("Total charge", "累计消费", "c.total_charge_fen"),
    "entry_date": _field(Type.DATE, "Entry date", "入网日期", "c.entry_date"),
    "left_on": _nullable(_field(Type.DATE, "Left on", "离网日期", "c.left_on")),
    "left_reason": _nullable(_field(Type.TEXT, "Reason of leaving", "离网原因", "c.left_reason")),
    "left_destination": _nullable(
        _field(Type.TEXT, "Destination", "离网去向", "c.left_destination")
    ),
    "source": _nullable(_field(Type.TEXT, "Source", "来源系统", "c.source")),
    "created_at": _field(Type.INSTANT, "Created", "建档时间", "c.created_at"),
    "updated_at": _field(Type.INSTANT, "Updated", "更新时间", "c.updated_at"),
}
"""The fields of a customer. Custom attributes are beside them: ``attribute.NAME``."""

ATTRIBUTE = "attribute."
ATTRIBUTE_FIELD = _nullable(
    _field(Type.ATTRIBUTE, "Custom attribute", "自定义属性", "c.attributes")
)

_NUMBERS = (MediumKind.PHONE, MediumKind.EMAIL)
_USED = "subscription l JOIN usage_month g ON g.subscription_id = l.id WHERE l.customer_id = c.id"
"""Usage is indexed by line: the customer's lines lead to it."""

RELATIONS: Mapping[str, Relation] = {
    "subscription": Relation(
        Text("Subscription", "用户"),
        "subscription s WHERE s.customer_id = c.id",
        {
            "msisdn": _field(Type.TEXT, "Mobile number", "手机号码", "s.msisdn"),
            "brand": _nullable(_field(Type.TEXT, "Brand", "品牌", "s.brand")),
            "plan": _nullable(_field(Type.TEXT, "Plan", "套餐", "s.plan")),
            "contract_term": _choice("Contract term", "合约期限", "s.contract_term", ContractTerm),
            "status": _choice("Status", "状态", "s.status", SubscriptionStatus),
            "entry_date": _field(Type.DATE, "Entry date", "入网日期", "s.entry_date"),
            "ended_on": _nullable(_field(Type.DATE, "Ended on", "销户日期", "s.ended_on")),
        },
    ),
    "contact": Relation(
        Text("Contact medium", "联系方式"),
        "contact_medium m WHERE m.customer_id = c.id",
        {
            "kind": _choice("Kind", "类型", "m.kind", MediumKind),
            "preferred": _field(Type.BOOLEAN, "Preferred", "首选", "m.preferred"),
            "value": _sealed(
                Text("Telephone number or e-mail address", "电话或电子邮箱"),
                "m.kind <> 'postal' AND m.value_index",
                CONTACT,
                lambda value: filter(None, (contact_form(kind, value) for kind in _NUMBERS)),
            ),
            "address": _sealed(
                Text("Postal address", "邮寄地址"),
                "m.kind = 'postal' AND m.value_index",
                ADDRESS,
                lambda value: (contact_form(MediumKind.POSTAL, value),),
            ),
        },
    ),
    "bill": Relation(
        Text("Bill", "账单"),
        "bill b WHERE b.customer_id = c.id",
        {
            "month": _field(Type.MONTH, "Month", "账期", "b.period"),
            "charge": _money("Charge", "金额", "b.charge_fen"),
            "paid_on": _nullable(_field(Type.DATE, "Paid on", "缴费日期", "b.paid_on")),
        },
    ),
    "usage": Relation(
        Text("Usage of a month", "月使用量"),
        _USED,
        {
            "month": _field(Type.MONTH, "Month", "账期", "g.period"),
            "kind": _choice("Kind", "业务类型", "g.kind", UsageKind),
            "band": _choice("Hours of the day", "时段", "g.band", TimeBand),
            "quantity": _field(Type.INTEGER, "Quantity", "使用量", "g.quantity"),
            "charge": _money("Charge", "金额", "g.charge_fen"),
        },
    ),
    "interaction": Relation(
        Text("Contact with the operator", "接触记录"),
        "interaction i WHERE i.customer_id = c.id",
        {
            "at": _field(Type.INSTANT, "Time", "时间", "i.at"),
            "channel": _choice("Channel", "渠道", "i.channel", Channel),
            "kind": _choice("Kind", "类型", "i.kind", InteractionKind),
            "subject": _field(Type.TEXT, "Subject", "主题", "i.subject"),
            "outcome": _nullable(_field(Type.TEXT, "Outcome", "结果", "i.outcome")),
            "staff": _nullable(_field(Type.TEXT, "Staff", "经办人", "i.staff")),
        },
    ),
    "agreement": Relation(
        Text("Agreement", "协议"),
        "agreement a WHERE a.customer_id = c.id",
        {
            "number": _field(Type.TEXT, "Number", "协议编号", "a.number"),
            "kind": _choice("Kind", "类型", "a.kind", AgreementKind),
            "starts_on": _field(Type.DATE, "Starts on", "生效日期", "a.starts_on"),
            "expires_on": _nullable(_field(Type.DATE, "Expires on", "到期日期", "a.expires_on")),
            "auto_renews": _field(Type.BOOLEAN, "Renews itself", "自动续约", "a.auto_renews"),
            "amount": _nullable(_money("Amount", "金额", "a.amount_fen")),
        },
    ),
    "product": Relation(
        Text("Product held", "持有产品"),
        "product_holding p WHERE p.customer_id = c.id",
        {
            "code": _field(Type.TEXT, "Product code", "产品编码", "p.product_code"),
            "category": _choice("Category", "类别", "p.category", ProductCategory),
            "quantity": _field(Type.INTEGER, "Quantity", "数量", "p.quantity"),
            "fee": _nullable(_money("Monthly fee", "月费", "p.monthly_fee_fen")),
            "since": _field(Type.DATE, "Since", "起始日期", "p.since"),
            "until": _nullable(_field(Type.DATE, "Until", "终止日期", "p.until")),
        },
    ),
    "competitor_use": Relation(
        Text("Use of a competitor", "竞争对手使用情况"),
        "competitor_use r WHERE r.customer_id = c.id",
        {
            "operator": _field(Type.TEXT, "Operator", "运营商", "r.operator"),
            "category": _choice("Category", "类别", "r.category", ProductCategory),
            "share": _nullable(_field(Type.INTEGER, "Share (%)", "份额（%）", "r.share_percent")),
            "expires_on": _nullable(_field(Type.DATE, "Expires on", "到期日期", "r.expires_on")),
            "until": _nullable(_field(Type.DATE, "Until", "终止日期", "r.until")),
        },
    ),
    "preference": Relation(
        Text("Preference", "偏好"),
        "preference f WHERE f.customer_id = c.id",
        {
            "topic": _choice("Topic", "主题", "f.topic", PreferenceTopic),
            "value": _field(Type.TEXT, "Value", "内容", "f.value"),
        },
    ),
    "change": Relation(
        Text("Change of the profile", "档案变更"),
        "customer_change h WHERE h.customer_id = c.id",
        {
            "at": _field(Type.INSTANT, "Time", "时间", "h.at"),
            "by": _field(Type.TEXT, "By", "操作人", "h.by"),
            "source": _choice("Source", "来源", "h.source", ChangeSource),
            "action": _choice("Action", "操作", "h.action", ChangeAction),
        },
    ),
}


def _used(en: str, zh: str, kinds: str, unit: str | None) -> Measure:
    label = Text(en, zh)
    value = Field(Type.AMOUNT if unit else Type.INTEGER, label, "", unit=unit)
    return Measure(label, f"{_USED} AND {kinds}", "g.quantity", "g.period", value)


MEASURES: Mapping[str, Measure] = {
    "charge": Measure(
        Text("Charge", "消费金额"),
        "bill b WHERE b.customer_id = c.id",
        "b.charge_fen",
        "b.period",
        _money("Charge", "消费金额", ""),
    ),
    "voice": _used(
        "Calls",
        "通话时长",
        "g.kind IN ('voice_local', 'voice_long_distance', 'voice_roaming')",
        "seconds",
    ),
    "roaming": _used("Roaming calls", "漫游通话时长", "g.kind = 'voice_roaming'", "seconds"),
    "data": _used("Data", "流量", "g.kind = 'data'", "kilobytes"),
    "sms": _used("Messages", "短信条数", "g.kind = 'sms'", None),
}

COUNTED = _field(Type.INTEGER, "Number", "数量", "")
"""What a count is compared as."""

CHANGEABLE: tuple[str, ...] = (
    *("kind", "level", "unit", "manager", "contract_term", "payment_method"),
    *("monthly_charge", "total_charge", "left_reason", "left_destination", "name", "birth_date"),
)
"""Fields of a customer whose changes can be asked for, with the values before and after where they are no amounts."""
RECORDED_AS: Mapping[str, str] = {
    "unit": "unit_code",
    "manager": "manager_id",
    "monthly_charge": "monthly_charge_fen",
    "total_charge": "total_charge_fen",
}
"""Names that the history has for fields that are called otherwise here."""
