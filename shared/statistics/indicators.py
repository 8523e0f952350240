"""The catalogue: every dataset and indicator (9.3), by the dimensions of 9.2.

An indicator is added in its dataset's module, with the SQL of its formula, and counted from then on. Codes are stable:
they are stored and sent, and a code is never used again for something else.
"""

from shared.statistics.catalogue import Catalogue
from shared.statistics.datasets import (
    account_manager,
    activity,
    arrears,
    completeness,
    credit,
    customer,
    departure,
    group,
    individual,
    interaction,
    level_migration,
    liability,
    offer,
    payment,
    people,
    points,
    product,
    prospect,
    redemption,
    request,
    request_time,
    revenue,
    subscription,
    usage,
    verification,
    win_back,
)
from shared.statistics.dimensions import DIMENSIONS

_MODULES = (
    customer,
    revenue,
    individual,
    group,
    subscription,
    product,
    usage,
    payment,
    arrears,
    credit,
    level_migration,
    points,
    liability,
    redemption,
    offer,
    prospect,
    departure,
    win_back,
    interaction,
    verification,
    completeness,
    request,
    account_manager,
    people,
    activity,
    request_time,
)

CATALOGUE = Catalogue(
    DIMENSIONS,
    tuple(module.DATASET for module in _MODULES),
    tuple(indicator for module in _MODULES for indicator in module.INDICATORS),
)
