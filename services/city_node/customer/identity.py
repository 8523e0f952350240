"""Numbers that name a person, a line or a card: their form, and how they are kept and shown.

Each check returns the number in the one form in which it is stored and compared, or raises ``ValueError`` with a
sentence for whoever typed it.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from operator import mul

from services.city_node.customer.models import DocumentType, MediumKind
from shared.kernel.encryption import Cipher, mask
from shared.kernel.language import Text
from shared.kernel.wording import Unfit

_MSISDN = re.compile(r"1[0-9]{10}")
_ICCID = re.compile(r"[0-9]{19,20}")
_IMSI = re.compile(r"[0-9]{15}")
_ID_CARD = re.compile(r"[1-9][0-9]{16}[0-9X]")
_ID_CARD_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ZEROS = ord("0") * sum(_ID_CARD_WEIGHTS)
_ID_CARD_CHECKS = "10X98765432"
_OTHER_FORMS = {
    DocumentType.PASSPORT: (
        re.compile(r"[0-9A-Z]{5,20}"),
        Text("5 to 20 letters and digits", "5 至 20 位字母和数字"),
    ),
    DocumentType.BUSINESS_LICENCE: (
        re.compile(r"[0-9]{15}|[0-9A-Z]{18}"),
        Text(
            "the 18 characters of a unified social credit code, or the 15 digits of an older licence",
            "18 位统一社会信用代码，或旧执照的 15 位数字",
        ),
    ),
}
_ANY_DOCUMENT = (
    re.compile(r"[0-9A-Z\u4e00-\u9fff()-]{4,40}"),
    Text("4 to 40 letters, digits or Chinese characters", "4 至 40 个字母、数字或汉字"),
)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_TELEPHONE = re.compile(r"\+?[0-9][0-9 -]{4,24}")
_NO_DIGITS = re.compile(r"[^0-9]")
_OWN_COUNTRY = re.compile(r"^(00)?86(?=1[0-9]{10}$)")
_LEADING_DIGITS_SHOWN = 3
_ADDRESS_SHOWN = 6


def check_msisdn(number: str) -> str:
    """Return a mobile number: 11 digits that begin with 1."""
    if not _MSISDN.fullmatch(number):
        raise Unfit(
            Text(
                "a mobile number has 11 digits and begins with 1", "手机号码为 11 位数字，以 1 开头"
            )
        )
    return number


def check_iccid(number: str) -> str:
    """Return the number of a SIM card (ITU-T E.118): 19 or 20 digits."""
    if not _ICCID.fullmatch(number):
        raise Unfit(Text("an ICCID has 19 or 20 digits", "ICCID 为 19 或 20 位数字"))
    return number


def check_imsi(number: str) -> str:
    """Return an IMSI (ITU-T E.212): 15 digits."""
    if not _IMSI.fullmatch(number):
        raise Unfit(Text("an IMSI has 15 digits", "IMSI 为 15 位数字"))
    return number


def check_imei(number: str) -> str:
    """Return the number of a telephone (3GPP TS 23.003): 14 digits and their check digit (ISO/IEC 7812)."""
    if not _IMSI.fullmatch(number):
        raise Unfit(Text("an IMEI has 15 digits", "IMEI 为 15 位数字"))
    doubled = [int(digit) * (1 + at % 2) for at, digit in enumerate(number)]
    if sum(value // 10 + value % 10 for value in doubled) % 10:
        raise Unfit(
            Text(
                "the last digit of the IMEI does not fit the others: a digit is wrong",
                "IMEI 校验位不符：有数字错误",
            )
        )
    return number


def check_document(kind: str, number: str) -> str:
    """Return the number of an identity document, normalised: upper case, no spaces."""
    number = number.replace(" ", "").upper()
    if kind == DocumentType.ID_CARD:
        return _check_id_card(number)
    form, description = _OTHER_FORMS.get(DocumentType(kind), _ANY_DOCUMENT)
    if not form.fullmatch(number):
        raise Unfit(
            Text("a {kind} number has {description}", "{kind} 类证件号码应为{description}"),
            kind=kind.replace("_", " "),
            description=description,
        )
    return number


def _check_id_card(number: str) -> str:
    """Check a citizen identity number (GB 11643-1999): region, date of birth, sequence, ISO 7064 check character."""
    if not _ID_CARD.fullmatch(number):
        raise Unfit(
            Text(
                "an identity card number has 17 digits and a digit or X",
                "居民身份证号码为 17 位数字加一位数字或 X",
            )
        )
    try:
        birth_date_of(number)
    except ValueError:
        raise Unfit(
            Text(
                "digits 7 to 14 of an identity card number are the date of birth, and these are no date",
                "居民身份证号码第 7 至 14 位应为出生日期，此处不是日期",
            )
        ) from None
    if number[-1] != id_card_check(number):
        raise Unfit(
            Text(
                "the last character of the identity card number does not fit the others: a digit is wrong",
                "居民身份证号码校验位不符：有数字错误",
            )
        )
    return number


def id_card_check(number: str) -> str:
    """Return the check character that belongs to the first 17 digits of a citizen identity number."""
    # In ASCII a digit is 48 more than its worth. Every document of an import comes through here.
    total = sum(map(mul, _ID_CARD_WEIGHTS, number.encode())) - _ZEROS
    return _ID_CARD_CHECKS[total % 11]


def birth_date_of(id_card: str) -> date:
    """Return the date of birth that an identity card number holds."""
    return date(int(id_card[6:10]), int(id_card[10:12]), int(id_card[12:14]))


@dataclass(frozen=True, slots=True)
class SealedDocument:
    """An identity document as it is stored."""

    type: str
    cipher: bytes
    index: bytes
    masked: str


def seal_document(cipher: Cipher, kind: str, number: str) -> SealedDocument:
    """Check a document number and return it encrypted, indexed and masked.

    Raises:
        ValueError: if it is not a number of that kind.
    """
    number = check_document(kind, number)
    return SealedDocument(
        kind, cipher.encrypt(number), cipher.index(document_form(number)), mask(number)
    )


def document_form(number: str) -> str:
    """Return a document number in the form that is indexed, however it was typed."""
    return number.replace(" ", "").upper()


def document_indexes(cipher: Cipher, number: str) -> list[bytes]:
    """Return the blind indexes by which a document number is found: one for each of the node's keys."""
    return cipher.indexes(document_form(number))


def check_medium(kind: str, value: str) -> str:
    """Return a telephone number, an e-mail address or a postal address."""
    if kind == MediumKind.PHONE and not _TELEPHONE.fullmatch(value):
        raise Unfit(
            Text(
                "a telephone number has 5 to 25 digits, perhaps with +, spaces and hyphens",
                "电话号码为 5 至 25 位数字，可含 +、空格和连字符",
            )
        )
    if kind == MediumKind.EMAIL and not _EMAIL.fullmatch(value):
        raise Unfit(
            Text(
                "an e-mail address looks like name@example.com", "电子邮箱的格式如 name@example.com"
            )
        )
    return value


@dataclass(frozen=True, slots=True)
class SealedContact:
    """A contact value as it is stored."""

    cipher: bytes
    index: bytes
    masked: str


def seal_contact(cipher: Cipher, kind: str, value: str) -> SealedContact:
    """Return a telephone number, an e-mail address or a postal address encrypted, indexed and masked."""
    return SealedContact(
        cipher.encrypt(value), cipher.index(contact_form(kind, value)), mask_medium(kind, value)
    )


def contact_form(kind: str, value: str) -> str:
    """Return a contact value in the form that is indexed, however it was typed."""
    folded = unicodedata.normalize("NFKC", value)
    if kind == MediumKind.EMAIL:
        return folded.lower()
    if kind == MediumKind.POSTAL:
        return "".join(folded.split())
    return _OWN_COUNTRY.sub("", _NO_DIGITS.sub("", folded))


def contact_indexes(cipher: Cipher, kind: str, value: str) -> list[bytes]:
    """Return the blind indexes by which a contact value is found: one for each of the node's keys."""
    return cipher.indexes(contact_form(kind, value))


def mask_medium(kind: str, value: str) -> str:
    """Return what those see of a contact medium who may not use it."""
    if kind == MediumKind.EMAIL:
        name, _, host = value.partition("@")
        return f"{name[:1]}***@{host}"
    if kind == MediumKind.POSTAL:
        return f"{value[:_ADDRESS_SHOWN]}****" if len(value) > _ADDRESS_SHOWN else "****"
    return mask(value, _LEADING_DIGITS_SHOWN, 4)
