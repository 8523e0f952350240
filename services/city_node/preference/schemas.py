"""Preferences as they are taken and answered."""

import re
from typing import Self
from uuid import UUID

from pydantic import BaseModel, Field, model_validator

from services.city_node.customer.schemas import Body, Line
from services.city_node.preference.models import PreferenceTopic

_FORMS = {
    PreferenceTopic.MARKETING: (re.compile("welcome|refused"), "welcome or refused"),
    PreferenceTopic.BILL_MEDIUM: (re.compile("paper|email|sms|none"), "paper, email, sms or none"),
    PreferenceTopic.LANGUAGE: (
        re.compile("[a-z]{2,3}(-[A-Za-z0-9]{2,8})*"),
        "a tag such as zh or en-GB",
    ),
}


class PreferenceCreate(Body):
    """A preference."""

    topic: PreferenceTopic
    value: Line = Field(examples=["welcome"])

    @model_validator(mode="after")
    def _fits_its_topic(self) -> Self:
        form = _FORMS.get(PreferenceTopic(self.topic))
        if form is not None and not form[0].fullmatch(self.value):
            raise ValueError(f"the value of {self.topic} is {form[1]}")
        return self


class PreferenceOut(BaseModel):
    """A preference of a customer."""

    id: UUID
    topic: PreferenceTopic
    value: str
