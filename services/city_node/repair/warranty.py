"""Whether a handset is in warranty."""

from datetime import date


def is_in_warranty(
    purchased_on: date | None, today: date, *, months: int, imei_matches: bool, needs_imei: bool
) -> bool:
    """Tell whether a handset is in warranty, which ends on the same day of the month, so many months later.

    Args:
        purchased_on: the day of the invoice; without one nothing is proven.
        today: the business day on which it was brought in.
        months: for how many months it is in warranty.
        imei_matches: whether the handset is the one on the record of the line.
        needs_imei: whether it has to be.
    """
    if purchased_on is None or purchased_on > today or (needs_imei and not imei_matches):
        return False
    passed = (today.year - purchased_on.year) * 12 + today.month - purchased_on.month
    return passed - (today.day < purchased_on.day) < months
