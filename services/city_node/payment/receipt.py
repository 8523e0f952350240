"""Receipt numbers: on paper and over the telephone, told from a slip of the pen, and looked up where they were given.

Twenty-four digits: the city's division code, the day as YYMMDD, ten digits of the payment's id, and two check digits
(ISO 7064, MOD 97-10, as in an IBAN). Anybody sees from the number which city gave it and when, and that no digit is
wrong or two are exchanged; that it was given, and for how much, its city says. The digits of the id are random: numbers
are not guessed one from another, need no counter that all tills would wait for, and a node that was restored from a
backup does not give one twice.
"""

from datetime import datetime
from uuid import UUID

from shared.kernel.clock import business_day

LENGTH = 24
_SERIAL = 10**10
_MODULUS = 97


def receipt_number(city: str, payment_id: UUID, taken_at: datetime) -> str:
    """Return the number of a payment's receipt."""
    body = f"{city}{business_day(taken_at):%y%m%d}{payment_id.int % _SERIAL:010d}"
    return f"{body}{_MODULUS + 1 - int(body) * 100 % _MODULUS:02d}"


def is_well_formed(number: str) -> bool:
    """Tell whether the check digits agree with the rest."""
    return len(number) == LENGTH and number.isdigit() and int(number) % _MODULUS == 1


def city_of(number: str) -> str:
    """Return the division code of the city that gave it."""
    return number[:6]
