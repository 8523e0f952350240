"""What two profiles are compared by, and what each likeness counts."""

from collections.abc import Mapping

from services.city_node.customer.models import CustomerKind

THRESHOLD = 60
"""From this score on a pair is a candidate."""
LARGEST_BLOCK = 50
"""Profiles that share a key at most; more share it for another reason than being one customer."""

WEIGHTS: Mapping[CustomerKind, Mapping[str, int]] = {
    CustomerKind.INDIVIDUAL: {
        "name": 70,  # and birth date
        "sound": 55,  # and birth date; counts where the characters differ
        "same_name": 30,  # where the birth date is unknown or differs
        "phone": 40,
        "email": 40,
        "postal": 15,
        "document_differs": -40,
        "sex_differs": -20,
    },
    CustomerKind.GROUP: {
        "name": 60,
        "sound": 40,
        "phone": 30,
        "email": 30,
        "postal": 25,
        "document_differs": -20,  # branches of one group have licences of their own
    },
}
"""What counts how much, by kind of customer."""

_LEGAL_FORMS = "(集团)?(股份)?(有限)?(责任)?公司$|集团$|(co)?ltd$|limited$|inc$|llc$|corp$"
_LEGAL_SOUNDS = "(jituan)?(gufen)?(youxian)?(zeren)?gongsi$|jituan$|(co)?ltd$|limited$|inc$|llc$|corp$"  # fmt: skip
_NO_LETTERS = r"[][\s.,，。、;:()（）【】《》<>·•・''\"“”‘’_&/\\-]"


def _quoted(pattern: str) -> str:
    return "'" + pattern.replace("'", "''") + "'"


def _core(folded: str, forms: str) -> str:
    """Return the SQL of a company's name without its legal form, unless that is all of it."""
    return f"coalesce(nullif(regexp_replace({folded}, {_quoted(forms)}, ''), ''), {folded})"


def normalised_name(customer: str) -> str:
    """Return the SQL of a customer's name as names are compared."""
    # Full-width letters become ordinary ones (NFKC) before they are put in lower case.
    folded = f"regexp_replace(lower(normalize({customer}.name, NFKC)), {_quoted(_NO_LETTERS)}, '', 'g')"  # fmt: skip
    return f"CASE {customer}.kind WHEN 'group' THEN {_core(folded, _LEGAL_FORMS)} ELSE {folded} END"


def normalised_sound(customer: str) -> str:
    """Return the SQL of a customer's name in pinyin as names are compared."""
    sound = f"split_part({customer}.name_sort, ' ', 1)"
    return f"CASE {customer}.kind WHEN 'group' THEN {_core(sound, _LEGAL_SOUNDS)} ELSE {sound} END"


def points(kind: CustomerKind, reason: str) -> int:
    """Return what a reason counts for customers of a kind."""
    return WEIGHTS[kind].get(reason, 0)
