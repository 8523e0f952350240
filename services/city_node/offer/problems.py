"""Why something about offers is refused."""

from collections.abc import Callable, Sequence
from typing import Any

from shared.kernel.language import Language, Text
from shared.kernel.problems import Fault, Problem


class OfferNotFound(Problem):
    """The catalogue has no such offer."""

    status = 404
    title = Text("Offer not found", "优惠不存在")
    sentence = Text(
        "There is no offer {code}: list them at `GET /offers`.",
        "没有优惠 {code}，请查询 GET /offers。",
    )


class OfferUnknown(Problem):
    """A request names an offer that the catalogue does not have."""

    status = 422
    title = Text("Offer unknown", "优惠代码有误")
    sentence = Text(
        "There is no offer {code}: list them at `GET /offers`.",
        "没有优惠 {code}，请查询 GET /offers。",
    )

    def __init__(self, code: str, pointer: str = "/offer") -> None:
        super().__init__(faults=[Fault(pointer, "not in the catalogue")], code=code)


class OfferTaken(Problem):
    """The catalogue has an offer of that code."""

    status = 409
    title = Text("Code in use", "代码已存在")
    sentence = Text(
        "There is an offer {code} already: change that one, or choose another code.",
        "优惠 {code} 已存在：请修改该项，或换用其他代码。",
    )

    def __init__(self, code: str) -> None:
        super().__init__(faults=[Fault("/code", "in use")], code=code)


class OfferValueUnclear(Problem):
    """An offer has no value, or two."""

    status = 422
    title = Text("Value unclear", "优惠价值不明确")
    sentence = Text(
        "An offer is worth an amount (`value_fen`) or a share (`value_permille`): give one of the two.",
        "优惠价值须为金额（value_fen）或比例（value_permille）之一，且只能填一项。",
    )

    def __init__(self) -> None:
        super().__init__(faults=[Fault("/value_fen", "one of the two")])


class OfferOutOfScope(Problem):
    """An offer is also for units that its changer has nothing to do with."""

    status = 403
    title = Text("Offer of other units", "优惠属于其他单位")
    sentence = Text(
        "Offer {code} is for units {units}: who changes it must be at or above each of them.",
        "优惠 {code} 适用于单位 {units}：只有这些单位或其上级的人员可以修改。",
    )


class ConflictWithItself(Problem):
    """An offer was to conflict with itself."""

    status = 422
    title = Text("Offer conflicts with itself", "优惠与自身冲突")
    sentence = Text(
        "Offer {code} cannot conflict with itself.",
        "优惠 {code} 不能与自身冲突。",
    )

    def __init__(self, code: str) -> None:
        super().__init__(faults=[Fault("/conflicts_with", "names the offer itself")], code=code)


class QuotaNotFound(Problem):
    """A unit has no quota of an offer in a year."""

    status = 404
    title = Text("Quota not found", "配额不存在")
    sentence = Text(
        "Unit {unit} has no quota of offer {code} in {year}.",
        "单位 {unit} 在 {year} 年没有优惠 {code} 的配额。",
    )


class QuotaBelowReserved(Problem):
    """A quota was to be made smaller than what is granted of it."""

    status = 409
    title = Text("Quota is granted already", "配额已发放")
    sentence = Text(
        "{reserved} uses and {reserved_fen} fen of this quota are granted already: it cannot be less.",
        "该配额已发放 {reserved} 次、{reserved_fen} 分，不能低于此数。",
    )


class QuotaShort(Problem):
    """A unit's quota or budget was granted to others at this moment."""

    status = 409
    title = Text("Quota used up", "配额不足")
    sentence = Text(
        "The quota of unit {unit} for offer {code} in {year} has no room for {wanted} uses any more.",
        "单位 {unit} 在 {year} 年的优惠 {code} 配额已不足 {wanted} 次。",
    )


class OfferNotForCustomer(Problem):
    """A customer may not have an offer; ``reasons`` names every rule that says so."""

    status = 409
    title = Text("Customer may not have the offer", "客户不可享受该优惠")
    sentence = Text(
        "Offer {code} cannot be granted. {why}",
        "不能发放优惠 {code}。{why}",
    )

    def __init__(self, code: str, reasons: Sequence[tuple[str, Callable[[Language], str]]]) -> None:
        self.reasons = reasons
        super().__init__(code=code)

    def speak(self, language: Language) -> str:
        """Return every reason, as sentences in ``language``."""
        space = "" if language is Language.CHINESE else " "
        why = space.join(speak(language) for _, speak in self.reasons)
        return self.sentence.speak(language, **self.values, why=why)

    def as_details(self, language: Language) -> dict[str, Any]:
        """Return the RFC 9457 object, with each rule that says no."""
        said = [{"rule": rule, "sentence": speak(language)} for rule, speak in self.reasons]
        return {**super().as_details(language), "reasons": said}


class GrantNotFound(Problem):
    """There is no such grant, or none of a customer that the caller's unit may see."""

    status = 404
    title = Text("Grant not found", "优惠发放记录不存在")
    sentence = Text(
        "There is no grant {grant} within your unit's scope.",
        "在您所属单位的数据范围内没有优惠发放记录 {grant}。",
    )


class GrantStateUnfit(Problem):
    """A grant is in a state in which this cannot be done."""

    status = 409
    title = Text("Grant is in another state", "发放状态不符")
    sentence = Text(
        "This grant is {state}; this takes one that is {needed}.",
        "该发放记录的状态为 {state}，此操作要求 {needed}。",
    )


class GrantOver(Problem):
    """The last day of a grant has passed."""

    status = 409
    title = Text("Grant is over", "优惠已过期")
    sentence = Text(
        "This grant could be used before {until}; today is {today}.",
        "该优惠须在 {until} 之前使用；今天是 {today}。",
    )


class UseNotFound(Problem):
    """There is no such use, or none of a customer that the caller's unit may see."""

    status = 404
    title = Text("Use not found", "使用记录不存在")
    sentence = Text(
        "There is no use {use} within your unit's scope.",
        "在您所属单位的数据范围内没有使用记录 {use}。",
    )


class UseReversed(Problem):
    """A use was given back already, or is itself a reversal."""

    status = 409
    title = Text("Use is given back", "使用已冲正")
    sentence = Text(
        "Use {use} was given back already, or is a reversal itself: a use is given back once.",
        "使用记录 {use} 已冲正，或本身即为冲正记录：每次使用只能冲正一次。",
    )
