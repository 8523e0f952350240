"""Preferences as something that customers hold."""

from services.city_node.held.declaration import Held
from services.city_node.held.problems import HeldAlready
from services.city_node.preference.models import Preference
from services.city_node.preference.schemas import PreferenceCreate, PreferenceOut
from shared.kernel.listing import Sort

preferences = Held(
    name="preferences",
    title="preference",
    model=Preference,
    body=PreferenceCreate,
    out=PreferenceOut,
    sorts={"topic": Sort("p.topic", "text")},
    refusals={
        "preference_value_key": lambda: HeldAlready("preference", "/value"),
        "preference_single_key": lambda: HeldAlready("preference", "/topic"),
    },
)
