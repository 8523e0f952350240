"""A nation whose tills take money for one another's lines."""

import pytest

from tests.clearing.trade import SignIn, Trade
from tests.conftest import Nation


@pytest.fixture
async def trade(nation: Nation, sign_in: SignIn) -> Trade:
    return await Trade.begin(nation, sign_in)
