"""The table of credit ratings."""

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped

from services.city_node.evaluation.models import Result, of_each_customer


class CreditResult(Result):
    """A customer's rating and limit, and the score behind them."""

    __tablename__ = "credit_result"
    __table_args__ = (
        of_each_customer("credit_result"),
        CheckConstraint("limit_fen >= 0", name="limit_fen"),
    )

    score: Mapped[int]
    rating: Mapped[str]
    limit_fen: Mapped[int]
