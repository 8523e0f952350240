"""What stands against asking another city for something."""

from shared.kernel.language import Text
from shared.kernel.problems import Problem


class HomeIsHere(Problem):
    """The customer is this city's own."""

    status = 422
    title = Text("Home is here", "归属地即本地")
    sentence = Text(
        "{home} is this node: serve its own customer here, without a cross-region request.",
        "{home} 即本节点：本地客户请直接办理，无需跨地区请求。",
    )


class HomeNotCity(Problem):
    """What was named as home is no city, and only cities have customers."""

    status = 422
    title = Text("Home is not a city", "归属地不是地市")
    sentence = Text(
        "{home} is {tier}, and only cities have customers. Give the division code of the customer's home city.",
        "{home}（{tier}）不是地市，没有客户档案，请填写客户归属地市的区划代码。",
    )


class HomeNodeUnknown(Problem):
    """The federation has no node of that city, or this node has not heard of it yet."""

    status = 422
    title = Text("Home node unknown", "归属地节点未知")
    sentence = Text(
        "City {home} has no node in the federation, as far as this node knows. Check the city; if it has just joined, try again in a minute.",
        "本节点未知 {home} 的节点。请核对归属地；若其刚加入，请稍后重试。",
    )


class HomeNotFound(Problem):
    """The home city was not named, and no number segment is that of the number."""

    status = 422
    title = Text("Home not found", "无法确定归属地")
    sentence = Text(
        "By version {version} of the number segments at this node, {msisdn} is in none. Check the number, or name the home city (`home`).",
        "按本节点号段表第 {version} 版，{msisdn} 不属于任何号段。请核对号码，或填写归属地（home）。",
    )


class UnitNotYours(Problem):
    """The unit does not exist, is closed, or lies outside what the caller works for."""

    status = 422
    title = Text("Unit not yours", "单位不在所辖范围")
    sentence = Text(
        "{unit} is no active unit at or below yours. Give the code of a hall or team of your own.",
        "{unit} 不是您本单位或下属的有效单位，请填写所辖营业厅或班组的代码。",
    )


class RequestTimedOut(Problem):
    """The request's time is over; the clock is about to end it."""

    status = 409
    title = Text("Request timed out", "请求已超时")
    sentence = Text(
        "The time for request {id} ended at {deadline}; what was set aside for it is released. Ask again.",
        "请求 {id} 已于 {deadline} 超过办理时限，为其预留的资源将释放，请重新提交。",
    )
