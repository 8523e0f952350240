"""The network's register of subscribers (HLR): which card a number answers on, and whether it may call."""

from shared.kernel.language import Text
from shared.port.contracts.values import Code, Iccid, Imsi, Moment, Msisdn
from shared.port.declaration import Form, Operation, Port

PORT = Port(
    "network",
    Text("Network register (HLR)", "网络侧用户数据库（HLR）"),
    Text("Switches cards, suspends and resumes lines", "换卡、停机、复机"),
)


class SimSwitch(Form):
    """The line's new card, and the one that it takes the place of."""

    msisdn: Msisdn
    iccid: Iccid
    imsi: Imsi
    replaces: Iccid


class Suspension(Form):
    """A line that calls no longer."""

    msisdn: Msisdn


class Resumption(Form):
    """A line that calls again."""

    msisdn: Msisdn


class LineMove(Form):
    """A line that another city serves from now on, with the card that it has there.

    ``former_msisdn`` is the number that the card has answered for, where the line has another from now on.
    """

    msisdn: Msisdn
    iccid: Iccid
    imsi: Imsi
    from_city: Code
    to_city: Code
    former_msisdn: Msisdn | None = None


class Carried(Form):
    """The register has been changed."""

    effective_at: Moment


SWITCH_SIM = Operation(
    PORT,
    "/sim-switches",
    SimSwitch,
    Carried,
    Text(
        "Let a number answer on its new card and no longer on the old one, in one step.",
        "一步完成新卡激活与旧卡失效。",
    ),
)
SUSPEND = Operation(
    PORT, "/suspensions", Suspension, Carried, Text("Let a line call no longer.", "停机。")
)
RESUME = Operation(
    PORT, "/resumptions", Resumption, Carried, Text("Let a line call again.", "复机。")
)
MOVE = Operation(
    PORT,
    "/moves",
    LineMove,
    Carried,
    Text("Let another city serve a line.", "号码改由另一地市服务。"),
)
OPERATIONS = (SWITCH_SIM, SUSPEND, RESUME, MOVE)
