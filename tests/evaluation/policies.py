"""Policies drawn at random, valid by the rules of their documents."""

from hypothesis import strategies as some

from services.city_node.evaluation.spend import EmptyMonths
from shared.policy.kinds.credit import Band, ContractPoints, CreditPolicy, Rating
from shared.policy.kinds.level import KeyLevel, LevelPolicy, Thresholds, YearlyCost

MONTHS = some.integers(1, 14)
EMPTY: some.SearchStrategy[EmptyMonths] = some.sampled_from(["zero", "skip"])
FEN = some.sampled_from([1, 5_000, 9_999, 10_000, 30_000, 35_000, 70_000, 80_000, 170_000, 200_000])
KEY: some.SearchStrategy[KeyLevel] = some.sampled_from(["diamond", "gold", "silver"])


@some.composite
def level_policies(draw: some.DrawFn) -> LevelPolicy:
    """Draw a policy of levels."""
    silver, gold, diamond = sorted(draw(some.lists(FEN, min_size=3, max_size=3, unique=True)))
    window = draw(MONTHS)
    return LevelPolicy(
        window_months=window,
        empty_months=draw(EMPTY),
        minimum_months=draw(some.integers(1, window)),
        thresholds=Thresholds(diamond_fen=diamond, gold_fen=gold, silver_fen=silver),
        grace_months=draw(some.integers(0, 4)),
        member_levels=draw(some.dictionaries(KEY, KEY)),
        yearly_cost_fen=YearlyCost(diamond_fen=4_000, gold_fen=300, silver_fen=20, standard_fen=1),
    )


@some.composite
def bands(draw: some.DrawFn, *edges: int) -> tuple[Band, ...]:
    """Draw bands that begin at some of these values."""
    starts = draw(some.lists(some.sampled_from(edges), unique=True))
    return tuple(
        Band(at_least=at_least, points=draw(some.integers(0, 30)))
        for at_least in [*sorted(starts, reverse=True), 0]
    )


@some.composite
def credit_policies(draw: some.DrawFn) -> CreditPolicy:
    """Draw a policy of credit."""
    codes = ["A", "B", "C", "D"][: draw(some.integers(0, 4))]
    scores = some.lists(
        some.integers(1, 150), min_size=len(codes), max_size=len(codes), unique=True
    )
    ratings = zip([*codes, "E"], [*sorted(draw(scores), reverse=True), 0], strict=True)
    return CreditPolicy(
        window_months=draw(MONTHS),
        empty_months=draw(EMPTY),
        tenure_months=draw(bands(1, 2, 12, 13, 36, 60)),
        mean_fen=draw(bands(1, 10_000, 30_000, 35_000, 70_000, 80_000, 170_000)),
        punctuality_permille=draw(bands(1, 500, 667, 750, 900, 1000)),
        arrears_fen=draw(bands(1, 5_000, 30_000, 100_000)),
        suspensions=draw(bands(1, 2, 3)),
        contract=ContractPoints(none=0, monthly=2, one_year=draw(some.integers(0, 20)), two_year=8),
        ratings=tuple(
            Rating(
                code=code,
                at_least=at_least,
                multiplier_permille=draw(some.integers(0, 4_000)),
                most_fen=draw(FEN),
            )
            for code, at_least in ratings
        ),
        limit_step_fen=draw(some.sampled_from([1, 7, 1_000, 10_000])),
    )
