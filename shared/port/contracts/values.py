"""Values that several contracts share."""

import re
from typing import Annotated

from pydantic import AwareDatetime, Field

MSISDN = r"^1[0-9]{10}$"
Msisdn = Annotated[str, Field(pattern=MSISDN, examples=["13800005678"])]
"""A mobile number of this country."""
Iccid = Annotated[str, Field(pattern=r"^[0-9]{19,20}$", examples=["89860026440300000017"])]
"""The number of a card (ITU-T E.118)."""
Imsi = Annotated[str, Field(pattern=r"^[0-9]{15}$", examples=["460002644030001"])]
"""The subscriber identity on a card (ITU-T E.212)."""
Code = Annotated[str, Field(pattern=r"^[0-9]{6}$", examples=["440300"])]
"""The division code of a city (GB/T 2260)."""
UnitCode = Annotated[str, Field(min_length=6, max_length=40, examples=["440300-01"])]
"""The code of an organisation unit: a hall, say."""
Fen = Annotated[int, Field(gt=0, lt=10**12, examples=[5000])]
"""Money in fen, the hundredth part of a yuan."""
Reference = Annotated[str, Field(min_length=1, max_length=100, examples=["P-000017"])]
"""How one side calls what the other side made."""
Moment = AwareDatetime
"""A time with its zone."""


def is_msisdn(value: str) -> bool:
    """Tell whether a telephone number is a mobile one of this country."""
    return re.fullmatch(MSISDN, value) is not None
