"""Numbers that are right in form and were issued to nobody, each made once from a running number."""

from datetime import date
from uuid import UUID

from services.city_node.customer.identity import id_card_check

_REGIONS = 10_000
_UNUSED_REGION = 990_000
"""GB/T 2260 has no division that begins with 99."""
_UNUSED_PREFIXES = ("127", "128")
"""No mobile number begins with these."""
_SUBSCRIBERS = 100_000_000
_STRIDE = 38_196_601
"""Shares no factor with the numbers of a prefix, so that steps of it reach each of them once."""
_CREDIT_CODE = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CREDIT_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
_TIME_BITS, _RANDOM_BITS = 48, 62


def id_card(running: int, born: date, *, male: bool) -> str:
    """Return the identity number (GB 11643) of the ``running``-th person, for up to five million persons."""
    rest, region = divmod(running, _REGIONS)
    digits = f"{_UNUSED_REGION + region}{born:%Y%m%d}{2 * (rest % 500) + male:03d}"
    return digits + id_card_check(digits)


def credit_code(running: int) -> str:
    """Return the unified social credit code (GB 32100) of the ``running``-th organisation."""
    body = f"N9{_UNUSED_REGION}{running:09d}"
    total = sum(
        weight * _CREDIT_CODE.index(sign)
        for weight, sign in zip(_CREDIT_WEIGHTS, body, strict=True)
    )
    return body + _CREDIT_CODE[-total % 31]


def msisdn(running: int) -> str:
    """Return the mobile number of the ``running``-th line."""
    prefix, subscriber = divmod(running, _SUBSCRIBERS)
    return f"{_UNUSED_PREFIXES[prefix]}{subscriber * _STRIDE % _SUBSCRIBERS:08d}"


def iccid(running: int) -> str:
    """Return the number of the ``running``-th card."""
    return f"8986099{running:013d}"


def imsi(running: int) -> str:
    """Return the IMSI of the ``running``-th card."""
    return f"460009{running:09d}"


def ordered_id(milliseconds: int, low: int) -> UUID:
    """Return a version 7 UUID (RFC 9562) of that time, whose other bits are ``low``."""
    head = (milliseconds & (1 << _TIME_BITS) - 1) << 80
    return UUID(
        int=head
        | 7 << 76
        | (low >> _RANDOM_BITS & 0xFFF) << 64
        | 2 << 62
        | low & (1 << _RANDOM_BITS) - 1
    )
