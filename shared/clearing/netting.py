"""Netting: from what everybody owes, the few transfers that settle it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


class DoesNotBalance(Exception):
    """What is owed and what is due are not the same: nothing that a ledger of two-legged entries can say."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """Money that settles part of what is owed.

    Attributes:
        payer: who pays.
        payee: who is paid.
        amount_fen: how much.
    """

    payer: str
    payee: str
    amount_fen: int


def net(owed: Mapping[str, int]) -> Sequence[Transfer]:
    """Return transfers that settle what each owes; less than nothing is what is due to it.

    The largest debtor pays the largest creditor, so there are fewer transfers than participants. The answer depends on
    the amounts alone, not on the order in which they are given.

    Raises:
        DoesNotBalance: if the amounts do not add up to zero.
    """
    if sum(owed.values()) != 0:
        raise DoesNotBalance(f"What is owed adds up to {sum(owed.values())} fen, and not to zero.")
    order = sorted(owed, key=lambda code: (-abs(owed[code]), code))
    payers = [code for code in order if owed[code] > 0]
    payees = [code for code in order if owed[code] < 0]
    left = {code: abs(fen) for code, fen in owed.items()}
    transfers: list[Transfer] = []
    while payers:
        payer, payee = payers[0], payees[0]
        amount = min(left[payer], left[payee])
        transfers.append(Transfer(payer, payee, amount))
        for side, code in ((payers, payer), (payees, payee)):
            left[code] -= amount
            if left[code] == 0:
                side.remove(code)
    return transfers
